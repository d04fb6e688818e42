/**
 * SQL folds unquoted names to lower case, and knows datasets by one name. These edits let people write
 * `SELECT EventID FROM SecurityEvent`: aliases become the dataset's own name, and a column whose spelling differs in
 * case alone gets the declared one. A name that means something as it is stays as it is.
 */
import { fail } from '../../../platform/errors.js';
import type { TextEdit } from '../../guarded-query.js';
import type { SourceText } from '../../source-text.js';
import type { ColumnUse, Inspection, TableUse } from './inspect.js';

const bare = '[A-Za-z_\\u0080-\\uffff][\\w$\\u0080-\\uffff]*';
const quoted = '"(?:[^"]|"")+"';
const identifier = `(?:${bare}|${quoted})`;
const tableToken = new RegExp(identifier, 'y');
const columnToken = new RegExp(`(${identifier}\\s*\\.\\s*)?(${bare})(?!["&])`, 'y');

/** The edits that make the text name datasets and columns as they are declared, in ascending order. */
export function spellingEdits(inspection: Inspection, source: SourceText): TextEdit[] {
  const edits: TextEdit[] = [];
  for (const use of inspection.tables) {
    if (use.spelling !== use.dataset.name) edits.push(tableEdit(use, source));
  }
  const spelling = columnSpelling(inspection);
  for (const use of inspection.columns) {
    const edit = columnEdit(use, spelling(use.name), source);
    if (edit !== undefined) edits.push(edit);
  }
  return edits.sort((a, b) => a.start - b.start);
}

function tableEdit({ dataset, spelling, start, hasAlias, visible }: TableUse, source: SourceText): TextEdit {
  const from = source.indexOfByte(start);
  tableToken.lastIndex = from;
  const token = tableToken.exec(source.text)?.[0];
  if (token === undefined || /^u&$/i.test(token) || visible.has(dataset.name)) {
    fail('QUERY_NOT_SUPPORTED', `Write "${dataset.name}" here, and give WITH queries other names.`, {
      argument: 'query',
      ...source.position(from),
    });
  }
  // Columns may be named after the table as it was written, so that name stays as the alias.
  const alias = hasAlias ? '' : ` AS ${quote(spelling)}`;
  return { start: from, end: from + token.length, replacement: quote(dataset.name) + alias };
}

function columnEdit(use: ColumnUse, name: string | undefined, source: SourceText): TextEdit | undefined {
  if (name === undefined) return undefined;
  columnToken.lastIndex = source.indexOfByte(use.start);
  const match = columnToken.exec(source.text);
  const [whole, table = '', token = ''] = match ?? [];
  if (match === null || (table !== '') !== (use.table !== undefined) || token.toLowerCase() !== use.name)
    return undefined;
  const end = match.index + (whole ?? '').length;
  return { start: end - token.length, end, replacement: quote(name) };
}

/** Gives the declared spelling of a name that is no column as it stands, where there is exactly one. */
function columnSpelling({ tables, definedNames }: Inspection): (name: string) => string | undefined {
  const declared = new Set(tables.flatMap(({ dataset }) => dataset.columns.map(({ name }) => name)));
  const byFolded = new Map<string, string | undefined>();
  for (const name of declared) {
    const folded = name.toLowerCase();
    byFolded.set(folded, byFolded.has(folded) ? undefined : name);
  }
  return (name) => (declared.has(name) || definedNames.has(name) ? undefined : byFolded.get(name));
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
