/**
 * Random searches over random events: PostgreSQL answers as OpenSearch does. Moderate in number; `HARBORWATCH_DEEP=1` asks
 * many more, each time others. `HARBORWATCH_SEED=7` asks those of one run again.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HarborwatchError } from '../../platform/errors.js';
import { randomAggregations, randomEvents, randomQuery, randomSort } from '../../tests/query/random/searches.js';
import { findOpenSearch } from '../../tests/setup/opensearch.js';
import { type Answer, comparable, openSearchBench, type SearchBench } from '../../tests/setup/search-bench.js';

const openSearch = await findOpenSearch();
const isDeep = Boolean(process.env.HARBORWATCH_DEEP);
const seed = Number(process.env.HARBORWATCH_SEED ?? (isDeep ? Date.now() % 2 ** 31 : 1));
const numRuns = isDeep ? 2_000 : 60;
const timeoutMs = isDeep ? 1_800_000 : 120_000;
const events = randomEvents(120, seed);

let bench: SearchBench;
beforeAll(async () => {
  bench = await openSearchBench(openSearch, events);
}, 120_000);
afterAll(() => bench?.close());

/** What both answer. What one refuses by name, or both refuse, is no difference. */
async function answers(search: object): Promise<[Answer, Answer] | undefined> {
  const now = new Date().toISOString();
  const [mine, native] = await Promise.allSettled([bench.ours(search, { now }), bench.native(search)]);
  if (mine.status === 'rejected') {
    const { code } = mine.reason as HarborwatchError;
    if (mine.reason instanceof HarborwatchError && (code === 'QUERY_NOT_SUPPORTED' || native.status === 'rejected')) {
      return undefined;
    }
    throw mine.reason;
  }
  if (native.status === 'rejected') throw native.reason;
  return [mine.value, native.value];
}

const asks = (search: fc.Arbitrary<object>, same: (mine: Answer, native: Answer) => void): Promise<void> =>
  fc.assert(
    fc.asyncProperty(search, async (each) => {
      const found = await answers(each);
      if (found !== undefined) same(...found);
    }),
    { numRuns, seed, interruptAfterTimeLimit: timeoutMs - 5_000 },
  );

const sameHits = (mine: Answer, native: Answer): void => {
  expect(comparable(mine.hits)).toEqual(comparable(native.hits.hits));
  expect(mine.total).toEqual(native.hits.total);
};

describe.skipIf(!openSearch)('PostgreSQL answers as OpenSearch does', { timeout: timeoutMs }, () => {
  test('what a query finds', () =>
    asks(
      randomQuery.map((query) => ({ query, size: events.length, sort: [{ source_id: 'asc' }] })),
      sameHits,
    ));

  test('in which order hits come', () =>
    asks(
      fc
        .tuple(randomSort, fc.nat(20), fc.integer({ min: 1, max: 120 }))
        .map(([sort, from, size]) => ({ sort, from, size })),
      sameHits,
    ));

  test('what is in which bucket', () =>
    asks(
      fc.tuple(randomAggregations, fc.option(randomQuery, { nil: undefined })).map(([aggs, query]) => ({
        size: 0,
        aggs,
        ...(query === undefined ? {} : { query }),
      })),
      (mine, native) => expect(comparable(mine.aggregations ?? {})).toEqual(comparable(native.aggregations ?? {})),
    ));
});

describe('pages together are the whole', { timeout: timeoutMs }, () => {
  test('of hits, one after the other by search_after', () =>
    fc.assert(
      fc.asyncProperty(randomSort, fc.integer({ min: 7, max: 60 }), async (sort, size) => {
        const whole = await bench.ours({ sort, size: events.length });
        const paged: Answer[] = [];
        for (let last: Answer; paged.length < events.length; ) {
          const page = await bench.ours({ sort, size, ...(last === undefined ? {} : { search_after: last.sort }) });
          if (page.hits.length === 0) break;
          paged.push(...page.hits);
          last = page.hits.at(-1);
        }
        expect(paged).toEqual(whole.hits);
      }),
      { numRuns: isDeep ? 500 : 15, seed },
    ));

  test('of composite’s buckets', async () => {
    const sources = [
      { host: { terms: { field: 'host', order: 'desc' } } },
      { port: { histogram: { field: 'source_port', interval: 2.5 } } },
      { month: { date_histogram: { field: 'timestamp', calendar_interval: 'month', time_zone: 'Europe/Berlin' } } },
    ];
    const page = async (size: number, after?: unknown): Promise<Answer> =>
      (await bench.ours({ size: 0, aggs: { c: { composite: { size, sources, after } } } })).aggregations.c;
    const whole = await page(1_000);
    const paged: Answer[] = [];
    for (let after: unknown; ; ) {
      const { buckets, after_key } = await page(7, after);
      if (buckets.length === 0) break;
      paged.push(...buckets);
      after = after_key;
    }
    expect(whole.buckets.length).toBeGreaterThan(30);
    expect(paged).toEqual(whole.buckets);
  });
});
