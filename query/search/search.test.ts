/** Searches in OpenSearch's DSL: what PostgreSQL answers is what a real OpenSearch answers over the same documents. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findDataset } from '../../datasets/index.js';
import { ingest } from '../../tests/setup/events.js';
import { findOpenSearch } from '../../tests/setup/opensearch.js';
import { type Answer, comparable, openSearchBench, type SearchBench } from '../../tests/setup/search-bench.js';
import { prepareSearch } from '../languages/opensearch/search.js';

const openSearch = await findOpenSearch();
const severities = ['critical', 'high', 'medium', 'low', 'info'];
const events = Array.from({ length: 240 }, (_, index) => ({
  timestamp: new Date(Date.UTC(2026, 0, 30, 20, 0) + index * 1_037_000).toISOString(),
  severity: severities[(index * 7) % 5],
  event_type: index % 11 === 0 ? undefined : `type_${index % 4}`,
  source_ip: `10.0.${index % 3}.${index % 17}`,
  source_port: index % 5 === 0 ? undefined : 1000 + (index % 23),
  bytes_in: index % 9 === 0 ? undefined : (index * 37) % 1000,
  host: `web-${index % 6}`,
  message: ['Login failed for user Zoé', 'login ok, session opened', 'Disk full: 99% of /var', 'a.b_c FAILED-login'][
    index % 4
  ],
  ...(index % 40 === 0 && { request: { method: 'GET', size: index }, tags: [{ name: 'x', rank: 1 }, { rank: 2 }] }),
}));

let bench: SearchBench;
beforeAll(async () => {
  bench = await openSearchBench(openSearch, events);
});
afterAll(() => bench?.close());

const byTime = [{ timestamp: 'desc' }];

const searches: Record<string, unknown> = {
  'everything, newest first': { sort: byTime, size: 20 },
  'a page': { sort: [{ severity: 'asc' }, { timestamp: 'asc' }], from: 30, size: 7 },
  'a missing value goes last': { sort: [{ bytes_in: 'asc' }, { timestamp: 'asc' }], size: 240 },
  'a missing value goes first where it is told to': {
    sort: [{ bytes_in: { order: 'desc', missing: '_first' } }, { timestamp: 'asc' }],
    size: 60,
  },
  'what comes after a hit': { sort: [{ bytes_in: 'asc' }, { timestamp: 'asc' }], size: 50, search_after: [333, 0] },
  term: { query: { term: { severity: 'high' } }, sort: byTime, size: 300 },
  'term without regard to case': {
    query: { term: { severity: { value: 'HIGH', case_insensitive: true } } },
    sort: byTime,
  },
  'terms of numbers': { query: { terms: { source_port: [1001, '1002', 5] } }, sort: byTime, size: 300 },
  'a network': { query: { term: { source_ip: '10.0.1.0/24' } }, sort: byTime, size: 300 },
  'range of numbers': { query: { range: { bytes_in: { gt: 100, lte: 250 } } }, sort: byTime, size: 300 },
  'range of moments': {
    query: { range: { timestamp: { gte: '2026-01-31', lt: '2026-02-01T06:00:00Z' } } },
    sort: byTime,
    size: 300,
  },
  'a day at its end': { query: { range: { timestamp: { lte: '2026-01-31' } } }, sort: byTime, size: 300 },
  'after a day': { query: { range: { timestamp: { gt: '2026-01-31' } } }, sort: byTime, size: 300 },
  'a month': { query: { range: { timestamp: { gte: '2026-02', lte: '2026-02' } } }, sort: byTime, size: 300 },
  'date math': {
    query: { range: { timestamp: { gte: '2026-01-31T15:00:00Z||-1d/d', lt: '2026-02-01||/M' } } },
    sort: byTime,
    size: 300,
  },
  'date math, rounded up': {
    query: { range: { timestamp: { lte: '2026-01-31T15:07:00Z||/h' } } },
    sort: byTime,
    size: 300,
  },
  'in a time zone': {
    query: { range: { timestamp: { gte: '2026-01-31', lt: '2026-02-01', time_zone: '+05:30' } } },
    sort: byTime,
    size: 300,
  },
  'milliseconds since 1970': { query: { range: { timestamp: { gte: 1_769_900_000_000 } } }, sort: byTime, size: 300 },
  exists: { query: { exists: { field: 'event_type' } }, sort: byTime, size: 300 },
  'does not exist': { query: { bool: { must_not: { exists: { field: 'bytes_in' } } } }, sort: byTime, size: 300 },
  'not a value, which events without one fulfil': {
    query: { bool: { must_not: [{ term: { event_type: 'type_1' } }] } },
    sort: byTime,
    size: 300,
  },
  'not in a range, which events without a value fulfil': {
    query: { bool: { must_not: [{ range: { bytes_in: { gte: 100 } } }] } },
    sort: byTime,
    size: 300,
  },
  prefix: { query: { prefix: { event_type: 'type_' } }, sort: byTime, size: 300 },
  wildcard: { query: { wildcard: { host: { value: 'W?b-*3', case_insensitive: true } } }, sort: byTime, size: 300 },
  'match any word': { query: { match: { message: 'failed disk' } }, sort: byTime, size: 300 },
  'match all words': {
    query: { match: { message: { query: 'LOGIN Failed', operator: 'and' } } },
    sort: byTime,
    size: 300,
  },
  'match a phrase': { query: { match_phrase: { message: 'failed login' } }, sort: byTime, size: 300 },
  'match a word beyond ASCII': { query: { match: { message: 'zoé' } }, sort: byTime, size: 300 },
  'match a number': { query: { match: { source_port: '1003' } }, sort: byTime, size: 300 },
  'should alone': {
    query: { bool: { should: [{ term: { severity: 'low' } }, { term: { host: 'web-2' } }] } },
    sort: byTime,
    size: 300,
  },
  'should beside filter': {
    query: { bool: { filter: { term: { severity: 'low' } }, should: { term: { host: 'web-2' } } } },
    sort: byTime,
    size: 300,
  },
  'at least two': {
    query: {
      bool: {
        should: [{ term: { severity: 'low' } }, { term: { host: 'web-2' } }, { range: { bytes_in: { lt: 500 } } }],
        minimum_should_match: 2,
      },
    },
    sort: byTime,
    size: 300,
  },
  'all but one': {
    query: {
      bool: {
        should: [{ term: { severity: 'low' } }, { term: { host: 'web-2' } }, { range: { bytes_in: { lt: 500 } } }],
        minimum_should_match: -1,
      },
    },
    sort: byTime,
    size: 300,
  },
  'simple query string': {
    query: { simple_query_string: { query: 'login -"session opened" | disk', fields: ['message'] } },
    sort: byTime,
    size: 300,
  },
  'simple query string, all words': {
    query: { simple_query_string: { query: 'log* +fail*', fields: ['message'], default_operator: 'and' } },
    sort: byTime,
    size: 300,
  },
  'constant score': { query: { constant_score: { filter: { term: { host: 'web-1' } } } }, sort: byTime, size: 300 },
  nothing: { query: { match_none: {} }, sort: byTime },
  'the count alone': { query: { term: { severity: 'high' } }, size: 0 },
  'a bounded count': { size: 0, track_total_hits: 17 },
  'no count': { size: 1, sort: byTime, track_total_hits: false },
  'parts of the source': { sort: byTime, size: 3, _source: ['host', 'sev*'] },
  'the source by its paths': { sort: byTime, size: 300, _source: ['attributes.request.m*', 'attributes.tags.name'] },
  'the source without some paths': {
    sort: byTime,
    size: 300,
    _source: { excludes: ['attributes.request.*', 'attributes.tags.rank'] },
  },
  'a source without anything': { sort: byTime, size: 3, _source: { excludes: ['*'] } },
  'the source of one path and not below': {
    sort: byTime,
    size: 300,
    _source: { includes: ['attributes'], excludes: ['*.size', 'attributes.tags'] },
  },
  'a source of nothing that is there': { sort: byTime, size: 3, _source: 'nothing' },
  'a source of an empty list': { sort: byTime, size: 3, _source: [] },
  'addresses in a range': {
    query: { range: { source_ip: { gt: '10.0.1.3', lte: '10.0.2.0' } } },
    sort: byTime,
    size: 300,
  },
  'nothing optional, and at least one of it': {
    query: { bool: { filter: { term: { host: 'web-1' } }, minimum_should_match: 1 } },
    sort: byTime,
    size: 300,
  },
  'the source without some': { sort: byTime, size: 3, _source: { excludes: ['message', '*_ip', 'attributes'] } },
  'no source': { sort: byTime, size: 3, _source: false },
};

const aggregations: Record<string, unknown> = {
  terms: { a: { terms: { field: 'severity' } } },
  'terms, few of many': { a: { terms: { field: 'source_port', size: 4 } } },
  'terms by key': { a: { terms: { field: 'source_port', size: 3, order: { _key: 'desc' } } } },
  'terms by a metric': {
    a: { terms: { field: 'host', size: 3, order: { bytes: 'desc' } }, aggs: { bytes: { sum: { field: 'bytes_in' } } } },
  },
  'terms with a value for what is missing': { a: { terms: { field: 'event_type', missing: 'none', size: 20 } } },
  'terms of what is listed': { a: { terms: { field: 'host', include: ['web-1', 'web-4'] } } },
  'terms with enough events': { a: { terms: { field: 'source_ip', size: 100, min_doc_count: 6 } } },
  'terms in terms in terms': {
    a: {
      terms: { field: 'severity', size: 3 },
      aggs: {
        b: {
          terms: { field: 'host', size: 2 },
          aggs: { c: { terms: { field: 'event_type', size: 2 } }, m: { max: { field: 'bytes_in' } } },
        },
      },
    },
  },
  metrics: {
    avg: { avg: { field: 'bytes_in' } },
    sum: { sum: { field: 'bytes_in' } },
    min: { min: { field: 'bytes_in' } },
    max: { max: { field: 'bytes_in' } },
    stats: { stats: { field: 'source_port' } },
    count: { value_count: { field: 'event_type' } },
    hosts: { cardinality: { field: 'host' } },
    first: { min: { field: 'timestamp' } },
  },
  'fixed interval': { a: { date_histogram: { field: 'timestamp', fixed_interval: '6h' } } },
  'fixed interval with gaps': {
    a: {
      filter: { term: { source_port: 1007 } },
      aggs: { b: { date_histogram: { field: 'timestamp', fixed_interval: '90m' } } },
    },
  },
  'days in a time zone': {
    a: { date_histogram: { field: 'timestamp', calendar_interval: 'day', time_zone: 'America/New_York' } },
  },
  'months, to bounds': {
    a: {
      date_histogram: {
        field: 'timestamp',
        calendar_interval: '1M',
        extended_bounds: { min: '2025-11-15', max: '2026-04-01' },
        time_zone: '+02:00',
      },
    },
  },
  'weeks, quarters and years': {
    w: { date_histogram: { field: 'timestamp', calendar_interval: 'week' } },
    q: { date_histogram: { field: 'timestamp', calendar_interval: 'quarter' } },
    y: { date_histogram: { field: 'timestamp', calendar_interval: 'year', keyed: true } },
  },
  'only steps with events': { a: { date_histogram: { field: 'timestamp', fixed_interval: '10m', min_doc_count: 1 } } },
  histogram: { a: { histogram: { field: 'bytes_in', interval: 75, offset: 10 } } },
  'histogram to bounds': {
    a: { histogram: { field: 'source_port', interval: 2.5, extended_bounds: { min: 990, max: 1030 } } },
  },
  'histogram with enough events': { a: { histogram: { field: 'bytes_in', interval: 10, min_doc_count: 3 } } },
  ranges: {
    a: {
      range: {
        field: 'bytes_in',
        ranges: [{ to: 100 }, { from: 50, to: 500 }, { key: 'much', from: 500 }, { from: 5000 }],
      },
    },
  },
  'ranges by name': {
    a: {
      range: { field: 'bytes_in', keyed: true, ranges: [{ to: 100 }, { from: 100 }] },
      aggs: { m: { avg: { field: 'bytes_in' } } },
    },
  },
  'ranges of moments': {
    a: {
      date_range: {
        field: 'timestamp',
        ranges: [{ to: '2026-01-31' }, { from: '2026-01-31', to: '2026-02-01T12:00:00Z' }],
      },
    },
  },
  filter: { a: { filter: { term: { severity: 'low' } }, aggs: { m: { avg: { field: 'bytes_in' } } } } },
  'a filter that finds nothing': {
    a: {
      filter: { term: { severity: 'none' } },
      aggs: {
        m: { avg: { field: 'bytes_in' } },
        t: { terms: { field: 'host' } },
        s: { stats: { field: 'bytes_in' } },
        f: { missing: { field: 'host' } },
      },
    },
  },
  filters: {
    a: {
      filters: {
        filters: { low: { term: { severity: 'low' } }, web2: { term: { host: 'web-2' } } },
        other_bucket_key: 'rest',
      },
      aggs: { t: { terms: { field: 'event_type', size: 2 } } },
    },
  },
  'filters without names': {
    a: { filters: { filters: [{ term: { severity: 'low' } }, { exists: { field: 'bytes_in' } }] } },
  },
  missing: { a: { missing: { field: 'bytes_in' }, aggs: { t: { terms: { field: 'severity' } } } } },
  composite: {
    a: {
      composite: {
        size: 7,
        sources: [{ s: { terms: { field: 'severity', order: 'desc' } } }, { h: { terms: { field: 'host' } } }],
      },
      aggs: { m: { max: { field: 'bytes_in' } } },
    },
  },
  'composite after a key': {
    a: {
      composite: {
        size: 5,
        after: { d: 1_769_860_800_000, h: 'web-3' },
        sources: [
          { d: { date_histogram: { field: 'timestamp', fixed_interval: '12h' } } },
          { h: { terms: { field: 'host' } } },
        ],
      },
    },
  },
  'top hits': {
    a: {
      terms: { field: 'severity', size: 2 },
      aggs: { newest: { top_hits: { size: 2, sort: [{ timestamp: 'desc' }], _source: ['host', 'timestamp'] } } },
    },
  },
  'top hits in deep buckets': {
    a: {
      terms: { field: 'severity', size: 2 },
      aggs: {
        b: {
          filters: { filters: { one: { term: { host: 'web-1' } }, none: { match_none: {} } } },
          aggs: {
            c: {
              histogram: { field: 'bytes_in', interval: 400 },
              aggs: {
                d: {
                  date_range: { field: 'timestamp', ranges: [{ from: '2026-01-31' }] },
                  aggs: { t: { top_hits: { size: 1, from: 1, sort: [{ timestamp: 'asc' }], _source: 'host' } } },
                },
              },
            },
          },
        },
      },
    },
  },
  'gaps around both switches of the clocks': {
    a: {
      date_histogram: {
        field: 'timestamp',
        calendar_interval: 'day',
        time_zone: 'Europe/Berlin',
        extended_bounds: { min: '2026-01-25', max: '2026-11-05' },
      },
    },
    w: {
      date_histogram: {
        field: 'timestamp',
        calendar_interval: 'week',
        time_zone: 'America/New_York',
        extended_bounds: { min: '2025-01-25', max: '2026-11-05' },
      },
    },
    h: {
      date_histogram: {
        field: 'timestamp',
        calendar_interval: 'hour',
        time_zone: 'Europe/Berlin',
        extended_bounds: { min: '2026-01-25', max: '2026-04-01' },
      },
    },
    q: {
      date_histogram: {
        field: 'timestamp',
        calendar_interval: 'quarter',
        time_zone: 'Europe/Berlin',
        extended_bounds: { min: '2024-01-25', max: '2027-11-05' },
      },
    },
  },
  'ranges in the order of their bounds': {
    a: {
      range: { field: 'bytes_in', ranges: [{ from: 500 }, { from: 100, to: 500 }, { to: 20_000_000 }, { to: 100 }] },
    },
    d: {
      date_range: {
        field: 'timestamp',
        time_zone: 'Europe/Berlin',
        keyed: true,
        ranges: [{ from: '2026-02-01' }, { to: '2026-02-01' }],
      },
    },
  },
  'steps by name': { a: { histogram: { field: 'source_port', interval: 10, keyed: true } } },
  'top hits of all': { newest: { top_hits: { size: 1, sort: [{ timestamp: 'desc' }], _source: false } } },
};

describe.skipIf(!openSearch)('PostgreSQL answers as OpenSearch does', () => {
  test.each(Object.entries(searches))('%s', async (_name, search) => {
    const [mine, { hits }] = await Promise.all([bench.ours(search), bench.native(search)]);
    expect(comparable(mine.hits)).toEqual(comparable(hits.hits));
    expect(mine.total).toEqual(hits.total);
    expect(mine.maxScore).toEqual(hits.max_score);
  });

  test.each(Object.entries(aggregations))('%s', async (_name, aggs) => {
    const search = { size: 0, aggs };
    const [mine, native] = await Promise.all([bench.ours(search), bench.native(search)]);
    expect(comparable(mine.aggregations)).toEqual(comparable(native.aggregations));
  });
});

describe('a search that is wrong is refused with its place', () => {
  const refusals: [string, string, string, number, number][] = [
    ['{"query": {"term": {"sevrity": "high"}}}', 'QUERY_UNKNOWN_COLUMN', 'Did you mean "severity"?', 1, 32],
    ['{"query": {\n  "script": {"script": "1"}}}', 'QUERY_NOT_SUPPORTED', 'Scripts are not run', 2, 13],
    ['{"query": {"match_al": {}}}', 'QUERY_NOT_SUPPORTED', 'Did you mean "match_all"?', 1, 24],
    ['{"siz": 3}', 'QUERY_NOT_SUPPORTED', 'Did you mean "size"?', 1, 9],
    ['{"size": -1}', 'QUERY_SYNTAX', 'from 0 to', 1, 10],
    ['{"query": {"range": {"bytes_in": {"gte": "many"}}}}', 'QUERY_SYNTAX', 'whole number', 1, 42],
    ['{"query": {"range": {"timestamp": {"gte": "2026-02-31"}}}}', 'QUERY_SYNTAX', 'does not exist', 1, 43],
    ['{"query": {"range": {"timestamp": {"gte": "now-1x"}}}}', 'QUERY_SYNTAX', 'date math', 1, 43],
    ['{"aggs": {"a": {"significant_terms": {"field": "host"}}}}', 'QUERY_NOT_SUPPORTED', 'Use terms', 1, 38],
    ['{"aggs": {"a": {"avg": {"field": "host"}}}}', 'QUERY_SYNTAX', 'no figures', 1, 34],
    ['{"query": {"match_all": {}}', 'QUERY_SYNTAX', 'no JSON', 1, 28],
    ['', 'QUERY_SYNTAX', 'no JSON', 1, 1],
    ['{"size": 1, "size": 2}', 'QUERY_SYNTAX', 'twice', 1, 13],
    ['[1]', 'QUERY_SYNTAX', 'takes an object', 1, 1],
    [`{"query": ${'{"bool": {"must": '.repeat(60)}{}`, 'QUERY_SYNTAX', 'nested', 1, 0],
  ];

  test.each(refusals)('%s', (text, code, message, line, column) => {
    let error: Answer;
    try {
      prepareSearch(text, findDataset('logs')!);
    } catch (thrown) {
      error = thrown;
    }
    expect(error?.code).toBe(code);
    expect(error.message).toContain(message);
    expect(error.details).toMatchObject({ line, ...(column > 0 && { column }) });
  });
});

test('a search finds what is undeclared, and no other organisation’s events', async () => {
  const [mine, theirs] = bench.orgs;
  await ingest(bench.platform, theirs, 'logs', [{ timestamp: '2026-01-31T00:00:00Z', host: 'theirs' }]);
  await ingest(bench.platform, mine, 'logs', [
    { timestamp: '2027-01-31T00:00:00Z', host: 'odd', request: { method: 'PUT', size: 12.5 } },
  ]);
  const odd = await bench.ours({
    query: {
      bool: {
        filter: [
          { term: { 'attributes.request.method': 'PUT' } },
          { range: { 'attributes.request.size': { gt: 9 } } },
          { term: { 'attributes.request.size': 12.5 } },
          { terms: { 'attributes.request.size': [1, 12.5] } },
        ],
      },
    },
  });
  expect(odd.hits.map((hit: Answer) => hit._source.host)).toEqual(['odd']);
  expect(odd.hits[0]).toMatchObject({ _index: 'securewatch-logs-2027.01', _score: 1 });
  expect((await bench.ours({ query: { term: { host: 'theirs' } } })).total).toEqual({ value: 0, relation: 'eq' });
});

test('events that lie less than a millisecond apart are each on one page', async () => {
  const [, org] = bench.orgs;
  const instants = Array.from(
    { length: 25 },
    (_, index) => `2020-01-01T00:00:00.123${String(index * 37).padStart(3, '0')}Z`,
  );
  await ingest(
    bench.platform,
    org,
    'logs',
    instants.map((timestamp, index) => ({ timestamp, source_id: `m${index}` })),
  );
  for (const order of ['asc', 'desc']) {
    const seen: string[] = [];
    for (let after: unknown; ; ) {
      const { hits } = await bench.ours(
        {
          size: 4,
          sort: [{ timestamp: order }],
          query: { range: { timestamp: { lt: '2021' } } },
          ...(after ? { search_after: after } : {}),
        },
        { org },
      );
      if (hits.length === 0) break;
      seen.push(...hits.map((hit: Answer) => hit._source.timestamp));
      after = hits.at(-1).sort;
    }
    const all = instants.map((at) => at.replace(/0+Z$/, 'Z'));
    expect(seen).toEqual(order === 'asc' ? all : all.toReversed());
  }
});

test('date math in a zone goes by its clocks, on both sides of a switch', async () => {
  const [, org] = bench.orgs;
  const count = async (gte: string, lt: string, now: string): Promise<number> =>
    (
      await bench.ours(
        { size: 0, query: { range: { timestamp: { gte, lt, time_zone: 'Europe/Berlin' } } } },
        { org, now },
      )
    ).total.value;
  const stamps = ['2026-03-27T22:59:59Z', '2026-03-27T23:00:00Z', '2026-03-29T21:59:59Z', '2026-03-29T22:00:00Z'];
  await ingest(
    bench.platform,
    org,
    'logs',
    stamps.map((timestamp) => ({ timestamp })),
  );
  // Half past midnight in Berlin on the day after the clocks went forward.
  const now = '2026-03-29T22:30:00Z';
  expect(await count('now-2d/d', 'now/d', now)).toBe(2);
  expect(await count('now/d', 'now/d+1d', now)).toBe(1);
  expect(await count('now-1M/M', 'now/M', now)).toBe(0);
  expect(await count('2026-03-27||/d', '2026-03-28||/d', now)).toBe(1);
});

test('an answer has no more buckets than OpenSearch allows, all of its aggregations together', async () => {
  const years = {
    date_histogram: { field: 'timestamp', calendar_interval: 'day', extended_bounds: { min: '1900', max: '2020' } },
  };
  await expect(bench.ours({ size: 0, aggs: { a: years } })).resolves.toBeDefined();
  const refusal = { code: 'RESULT_TOO_LARGE' };
  await expect(bench.ours({ size: 0, aggs: { a: years, b: years } })).rejects.toMatchObject(refusal);
  const seconds = { histogram: { field: 'bytes_in', interval: 1, extended_bounds: { min: 0, max: 1e15 } } };
  await expect(bench.ours({ size: 0, aggs: { a: seconds } })).rejects.toMatchObject(refusal);
});

test('all parts of a search see the same events, whatever is stored meanwhile', async () => {
  const [, org] = bench.orgs;
  const search = { size: 1_000, aggs: { n: { value_count: { field: '_id' } } } };
  const stored = Array.from({ length: 20 }, (_, index) => ({ timestamp: `2026-05-01T00:00:${10 + index}Z` }));
  let isStoring = true;
  const storing = (async () => {
    for (const event of stored) await ingest(bench.platform, org, 'logs', [event]);
    isStoring = false;
  })();
  while (isStoring) {
    const { hits, total, aggregations } = await bench.ours(search, { org });
    expect([total.value, aggregations.n.value]).toEqual([hits.length, hits.length]);
  }
  await storing;
});
