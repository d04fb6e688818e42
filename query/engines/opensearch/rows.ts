/** Rows of a scan, page by page from one point in time, in the values that a plan's literals have. */
import { findDataset } from '../../../datasets/index.js';
import { attributesColumn, type ColumnType } from '../../../datasets/types.js';
import { AnswerTooLarge } from '../../../platform/search.js';
import type { JsonValue } from '../../result.js';
import { Declined } from './declined.js';
import { metaFields } from './mapping.js';
import type { NativeRows } from './native.js';
import type { RawAnswer, RawHit, Requests } from './request.js';

/** Rows that are read at once; of an event there may be 256 KB. */
const firstPageRows = 200;
const maxPageRows = 2_000;
/** What a page should weigh; the number of rows follows from those that came before. */
const targetPageBytes = 4 * 1024 * 1024;
const maxPageBytes = 64 * 1024 * 1024;

interface Page {
  rows: JsonValue[][];
  /** Their weight as JSON. */
  bytes: number;
}

/**
 * Gives the rows of the native part in its order; where it has none, newest first. JSON columns come as text.
 * @param maxRows Declined for more, before they are read
 */
export async function* readRows(
  requests: Requests,
  native: NativeRows,
  maxRows = Number.POSITIVE_INFINITY,
): AsyncGenerator<Page, void> {
  const { scan, query, sort, limit } = native;
  const target = { dataset: scan.dataset, query };
  let toSkip = limit?.offset ?? 0;
  let wanted = limit === undefined ? Number.POSITIVE_INFINITY : limit.offset + limit.count;
  if (limit?.count === 0) return;
  if (wanted > firstPageRows) await requests.fix(scan.dataset);
  await refuseEnds(requests, native);
  const fields = scan.columns.map(({ name }) => (name === '_id' ? metaFields.id : name));
  const body = { sort: [...sort.map(sortClause), ...tieBreak], _source: fields.length === 0 ? false : fields };
  const toRow = rowMaker(native);
  let size = firstPageRows;
  let after: unknown[] | undefined;
  while (wanted > 0) {
    const asked = Math.min(size, wanted);
    const isCounted = after === undefined && wanted > maxRows;
    let answer: RawAnswer;
    try {
      answer = await requests.find(
        target,
        {
          ...body,
          size: asked,
          track_total_hits: isCounted ? maxRows + 1 : false,
          ...(after && { search_after: after }),
        },
        maxPageBytes,
      );
    } catch (error) {
      if (!(error instanceof AnswerTooLarge) || asked === 1) throw error;
      size = Math.ceil(asked / 8);
      continue;
    }
    const { hits, total } = answer.hits;
    if (isCounted && total!.value > maxRows) throw new Declined();
    wanted -= hits.length;
    const rows = hits.slice(Math.min(toSkip, hits.length)).map(toRow);
    toSkip -= hits.length - rows.length;
    const bytes = JSON.stringify(rows).length;
    if (rows.length > 0) yield { rows, bytes };
    if (hits.length < asked) break;
    after = hits.at(-1)!.sort;
    size = Math.max(1, Math.min(maxPageRows, Math.floor((targetPageBytes * hits.length) / bytes)));
  }
}

/** So that every hit has a place of its own, after which the next page begins. */
const tieBreak = [{ [metaFields.timeUs]: 'desc' }, { [metaFields.id]: 'desc' }];

const sortClause = ({ field, descending, nullsFirst }: NativeRows['sort'][number]): object => ({
  [field]: { order: descending ? 'desc' : 'asc', missing: nullsFirst ? '_first' : '_last' },
});

/** OpenSearch orders a null as the first or the last of all figures, and not before or behind that figure. */
async function refuseEnds(requests: Requests, { scan, query, sort }: NativeRows): Promise<void> {
  const ends = sort
    .filter(({ isLong }) => isLong)
    .map(({ field }) => ({ terms: { [field]: ['-9223372036854775808', '9223372036854775807'] } }));
  if (ends.length === 0) return;
  const atEnds = { bool: { should: ends, minimum_should_match: 1 } };
  const target = { dataset: scan.dataset, query: [...query, atEnds] };
  const { hits } = await requests.find(target, { size: 0, track_total_hits: 1 });
  if (hits.total!.value > 0) throw new Declined();
}

/** From a document's `_source` to a row. What is not there is null, or the empty string. */
function rowMaker({ scan: { dataset, columns, nullStrings } }: NativeRows): (hit: RawHit) => JsonValue[] {
  const types = new Map<string, ColumnType>(
    [...findDataset(dataset)!.columns, attributesColumn].map(({ name, type }) => [name, type]),
  );
  const absent = columns.map(({ name }): JsonValue => {
    const type = types.get(name);
    return !nullStrings && (type === 'STRING' || type === 'IP') ? '' : null;
  });
  const fields = columns.map(({ name }) => (name === '_id' ? metaFields.id : name));
  return ({ _source }) => fields.map((field, index) => (_source[field] as JsonValue | undefined) ?? absent[index]!);
}
