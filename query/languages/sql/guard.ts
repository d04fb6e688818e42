/** The guard of user SQL: what passes here is one SELECT over the caller's datasets that can only read. */
import { fail } from '../../../platform/errors.js';
import type { QueryableDataset, RowWise, SqlQuery, TextEdit, TimeRange } from '../../prepared-query.js';
import { applyEdits, indexInSource, SourceText } from '../../source-text.js';
import { exactRange } from '../range.js';
import { type FindDataset, type Inspection, inspect } from './inspect.js';
import { parseSql } from './parse.js';
import { spellingEdits } from './spelling.js';
import { translateSql } from './translate/translate.js';

/**
 * Checks a text, resolves its names and cuts its datasets to the range. The text that comes out is checked once more where it differs, so what runs is
 * always what was checked.
 */
export async function guardSql(
  text: string,
  datasets: readonly QueryableDataset[],
  range: TimeRange = {},
): Promise<SqlQuery> {
  const source = new SourceText(text);
  const findDataset = datasetFinder(datasets);
  const names = datasets.flatMap(({ name, aliases }) => [name, ...aliases]);
  const asWritten = await inspectText(source, findDataset, names);
  /** The text under edits, looked at again. */
  const edited = async (edits: TextEdit[]): Promise<Edited> => {
    if (edits.length === 0) return { edits, text: source, inspection: asWritten };
    const resolved = new SourceText(applyEdits(text, edits));
    const inspection = await inspectText(resolved, findDataset, names);
    if (datasetsOf(inspection).join() !== datasetsOf(asWritten).join()) {
      fail('QUERY_NOT_SUPPORTED', 'Two things in the query have one name. Give them different names.', {
        argument: 'query',
      });
    }
    return { edits, text: resolved, inspection };
  };
  const spelled = await edited(spellingEdits(asWritten, source));
  const exact = exactRange(range);
  const isCut = exact.from !== undefined || exact.to !== undefined;
  const asRun = isCut ? await edited(spellingEdits(asWritten, source, exact)) : spelled;
  const knownColumns = asWritten.tables.flatMap(({ dataset }) => dataset.columns.map(({ name }) => name));
  return {
    form: 'SQL',
    language: 'SQL',
    source: text,
    text: asRun.text.text,
    edits: asRun.edits,
    datasets: datasetsOf(asWritten),
    knownColumns: [...new Set(knownColumns)],
    rowWise: rowWise(spelled, source),
    traits: asWritten.traits,
    translation: translateSql(spelled.inspection.statement, {
      datasets: findDataset,
      range: exact,
      positionOf: (byte) => source.position(indexInSource(spelled.edits, spelled.text.indexOfByte(byte))),
    }),
  };
}

interface Edited {
  edits: TextEdit[];
  text: SourceText;
  inspection: Inspection;
}

async function inspectText(source: SourceText, findDataset: FindDataset, names: string[]): Promise<Inspection> {
  const [statement, second] = await parseSql(source);
  if (second !== undefined) {
    // The offset of a statement is where the one before it ended: step over the blanks.
    const start = source.indexOfByte(second.start);
    const blanks = source.text.slice(start).search(/\S/);
    fail('QUERY_MULTIPLE_STATEMENTS', 'The text holds more than one statement. Submit one SELECT at a time.', {
      argument: 'query',
      ...source.position(start + Math.max(0, blanks)),
    });
  }
  return inspect(statement!, source, findDataset, names);
}

/** By the exact name first, then with upper and lower case alike: SQL folds `SecurityEvent` to `securityevent`. */
function datasetFinder(datasets: readonly QueryableDataset[]): FindDataset {
  const exact = new Map<string, QueryableDataset>();
  const folded = new Map<string, QueryableDataset>();
  for (const dataset of datasets) {
    for (const name of [dataset.name, ...dataset.aliases]) {
      exact.set(name, dataset);
      folded.set(name.toLowerCase(), dataset);
    }
  }
  return (name) => exact.get(name) ?? folded.get(name.toLowerCase());
}

function datasetsOf({ tables }: Inspection): string[] {
  return [...new Set(tables.map(({ dataset }) => dataset.name))];
}

function rowWise({ inspection, text, edits }: Edited, source: SourceText): RowWise {
  const { tables, columns, obstacles } = inspection;
  const columnNames = new Set(tables[0]?.dataset.columns.map(({ name }) => name));
  columnNames.add('attributes');
  // `l.count` calls the aggregate where there is no such column.
  const unknown = columns.filter(({ table, name }) => table !== undefined && !columnNames.has(name));
  const all = [...obstacles, ...unknown.map(({ name, start }) => ({ reason: `"${name}" is not a column`, start }))];
  if (tables.length !== 1 && all.length === 0) all.push({ reason: 'not one dataset', start: 0 });
  const first = all.sort((a, b) => a.start - b.start)[0];
  if (first === undefined) return { ok: true };
  const index = indexInSource(edits, text.indexOfByte(first.start));
  return { ok: false, reason: first.reason, ...source.position(index) };
}
