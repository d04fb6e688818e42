/**
 * SQL folds unquoted names to lower case, and knows datasets by one name. These edits let people write
 * `SELECT EventID FROM SecurityEvent`: aliases become the dataset's own name, and a column whose spelling differs in
 * case alone gets the declared one. A name that means something as it is stays as it is. The time range from outside the
 * text comes in the same way, where datasets are named.
 */
import { fail } from '../../../platform/errors.js';
import type { QueryableDataset, TextEdit, TimeRange } from '../../prepared-query.js';
import type { SourceText } from '../../source-text.js';
import type { ColumnUse, Inspection, TableUse } from './inspect.js';

const bare = '[A-Za-z_\\u0080-\\uffff][\\w$\\u0080-\\uffff]*';
const quoted = '"(?:[^"]|"")+"';
const identifier = `(?:${bare}|${quoted})`;
const tableName = new RegExp(identifier, 'y');
const columnToken = new RegExp(`(${identifier}\\s*\\.\\s*)?(${bare})(?!["&])`, 'y');

/**
 * The edits that make the text name datasets and columns as they are declared, in ascending order. With a range every
 * dataset becomes a sub-select of its rows in that range.
 */
export function spellingEdits(inspection: Inspection, source: SourceText, range: TimeRange = {}): TextEdit[] {
  const edits: TextEdit[] = [];
  for (const use of inspection.tables) {
    const conditions = rangeConditions(use.dataset, range);
    if (conditions.length > 0) edits.push(rangeEdit(use, conditions, source));
    else if (use.spelling !== use.dataset.name) edits.push(nameEdit(use, source));
  }
  const spelling = columnSpelling(inspection);
  for (const use of inspection.columns) {
    const edit = columnEdit(use, spelling(use.name), source);
    if (edit !== undefined) edits.push(edit);
  }
  return edits.sort((a, b) => a.start - b.start);
}

function nameEdit(use: TableUse, source: SourceText): TextEdit {
  const { start, end } = tableToken(use, source);
  // Columns may be named after the table as it was written, so that name stays as the alias.
  const alias = use.hasAlias ? '' : ` AS ${quote(use.spelling)}`;
  return { start, end, replacement: quote(use.dataset.name) + alias };
}

/** The moments are checked literals (range.ts): nothing of the caller's text comes in with them. */
function rangeConditions({ timeColumn }: QueryableDataset, { from, to }: TimeRange): string[] {
  const time = quote(timeColumn);
  return [
    ...(from === undefined ? [] : [`${time} >= '${from}'::timestamptz`]),
    ...(to === undefined ? [] : [`${time} < '${to}'::timestamptz`]),
  ];
}

function rangeEdit(use: TableUse, conditions: string[], source: SourceText): TextEdit {
  const token = tableToken(use, source);
  if (use.form === 'ONLY') refuse('Leave ONLY out: a dataset has no parts.', token.start, source);
  const rows = `(SELECT * FROM ${quote(use.dataset.name)} WHERE ${conditions.join(' AND ')})`;
  const alias = use.hasAlias ? '' : ` AS ${quote(use.spelling)}`;
  // `logs *` is `logs`.
  const star = /^\s*\*/.exec(source.text.slice(token.end));
  const end = use.form === 'PLAIN' && star !== null ? token.end + star[0].length : token.end;
  if (use.form === 'PLAIN') return { start: token.start, end, replacement: rows + alias };
  const command = /\btable\s+$/i.exec(source.text.slice(0, token.start));
  if (command === null) refuse(`Write SELECT * FROM ${use.spelling} instead of TABLE.`, token.start, source);
  return { start: command.index, end, replacement: `SELECT * FROM ${rows}${alias}` };
}

/** Where the name stands. Refused where another name could take its place once it is the dataset's own. */
function tableToken({ dataset, start, visible }: TableUse, source: SourceText): { start: number; end: number } {
  const from = source.indexOfByte(start);
  tableName.lastIndex = from;
  const token = tableName.exec(source.text)?.[0];
  const isEscaped = /^u$/i.test(token ?? '') && source.text.startsWith('&"', from + 1);
  if (token === undefined || isEscaped || visible.has(dataset.name)) {
    refuse(`Write "${dataset.name}" here, and give WITH queries other names.`, from, source);
  }
  return { start: from, end: from + token.length };
}

function refuse(message: string, index: number, source: SourceText): never {
  fail('QUERY_NOT_SUPPORTED', message, { argument: 'query', ...source.position(index) });
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
