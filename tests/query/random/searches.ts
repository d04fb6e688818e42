/** Random searches over random events, for tests. */
import fc from 'fast-check';

type Arbitrary = fc.Arbitrary<unknown>;

const hosts = ['web-1', 'web-2', 'Web-1', 'zoé', 'Ärger', 'a*b', 'a?b', 'a\\b', 'a_b', 'a%b', '数据', 'x y', ''];
const words = ['login', 'Failed', 'disk', 'full', 'Zoé', 'über', 'a', 'b2', '99', 'Straße', '日志', 'zo'];
const joints = [' ', ' ', ', ', '-', '_', '. ', ': '];
/** Around both switches of the clocks in Berlin and New York, the ends of months and years, and 1970. */
const moments = [
  '2026-03-28T22:30:00Z',
  '2026-03-29T00:30:00Z',
  '2026-03-29T01:00:00Z',
  '2026-03-29T22:00:00Z',
  '2026-10-24T22:00:00Z',
  '2026-10-25T00:30:00Z',
  '2026-10-25T01:30:00Z',
  '2026-10-25T23:00:00Z',
  '2026-03-08T07:30:00Z',
  '2026-11-01T05:30:00Z',
  '2026-11-01T06:30:00Z',
  '2025-12-31T23:59:59.999Z',
  '2026-01-01T00:00:00Z',
  '2026-02-28T23:59:59.500Z',
  '2026-06-30T22:00:00Z',
  '1969-12-31T23:59:59.999Z',
];
const moment = fc
  .tuple(fc.constantFrom(...moments), fc.constantFrom(0, 0, 1, -1, 3_600_000, -1_800_000, 86_400_000, 61_001))
  .map(([at, more]) => new Date(Date.parse(at) + more).toISOString());
const pick = (...values: unknown[]): Arbitrary => fc.constantFrom(...values);
const maybe = (value: Arbitrary): Arbitrary => fc.option(value, { nil: undefined });
const whole = fc.oneof(fc.integer({ min: -20, max: 20 }), fc.constantFrom(-1_000, 0, 1_000, 2 ** 40));
const text = fc
  .array(fc.tuple(pick(...words), pick(...joints)), { minLength: 1, maxLength: 5 })
  .map((parts) => parts.flat().slice(0, -1).join(''));

/** Events without two of the same `source_id`, by which hits have an order. */
export const randomEvents = (count: number, seed: number): Record<string, unknown>[] =>
  fc
    .sample(
      fc.record(
        {
          timestamp: moment,
          severity: pick('critical', 'high', 'low'),
          event_type: maybe(pick('a', 'b', 'c', 'd', 'e')),
          host: maybe(pick(...hosts)),
          source_port: maybe(whole),
          bytes_in: maybe(whole),
          source_ip: maybe(pick('10.0.0.1', '10.0.0.2', '10.0.1.9', '192.168.0.1', '2001:db8::1')),
          message: maybe(text),
        },
        { requiredKeys: ['timestamp'] },
      ),
      { numRuns: count, seed },
    )
    .map((event, index) => ({ ...event, source_id: `e${String(index).padStart(4, '0')}` }));

const keywordField = pick('host', 'event_type', 'severity');
const numberField = pick('bytes_in', 'source_port');
const anyField = pick('host', 'event_type', 'severity', 'bytes_in', 'source_port', 'timestamp');
const keywordValue = pick(...hosts, 'a', 'b', 'c', 'high', 'low', 'none');
const zone = pick('UTC', 'Europe/Berlin', 'America/New_York', '+05:30', '-08:00', 'Z');
const fixedZone = pick('UTC', '+05:30', '-08:00');

const mathStep = pick('+1d', '-1M', '+1y', '-36h', '+90m', '/d', '/M', '/y', '/h', '/w', '-1w', '/m', '+2s', '/s');
const dateText = fc.oneof(
  moment,
  moment.map((at) => at.slice(0, 10)),
  moment.map((at) => at.slice(0, 7)),
  moment.map((at) => at.slice(0, 4)),
  moment.map((at) => at.slice(0, 13)),
  moment.map((at) => at.slice(0, 16)),
  moment.map((at) => at.slice(0, 19)),
  moment.map((at) => `${at.slice(0, 19)}+02:00`),
  moment.map((at) => Date.parse(at)),
  moment.map((at) => String(Date.parse(at))),
  fc
    .tuple(moment, fc.array(mathStep, { minLength: 1, maxLength: 2 }))
    .map(([at, steps]) => `${at.slice(0, 19)}||${steps.join('')}`),
  fc.array(mathStep, { maxLength: 2 }).map((steps) => `now${steps.join('')}`),
);

const bounds = (value: Arbitrary): Arbitrary =>
  fc.record({ gt: value, gte: value, lt: value, lte: value }, { requiredKeys: [] }).map(({ gt, gte, lt, lte }) => ({
    ...(gt !== undefined ? { gt } : gte !== undefined ? { gte } : {}),
    ...(lt !== undefined ? { lt } : lte !== undefined ? { lte } : {}),
  }));

const clean = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const of = (key: Arbitrary, value: Arbitrary): Arbitrary =>
  fc.tuple(key, value).map(([name, given]) => ({ [name as string]: given }));
const clause = (kind: string, body: Arbitrary): Arbitrary => body.map((given) => ({ [kind]: given }));

const simpleText = fc
  .array(
    fc.oneof(
      pick(...words),
      pick(...words),
      pick('+', '|', '-', '(', ')', '"', ' '),
      pick('log*', 'f*', '-zo', '"login failed"', '"disk full"', '\\+', 'a-b', 'über*', 'login_failed'),
    ),
    { minLength: 1, maxLength: 7 },
  )
  .map((parts) => parts.join(' '));

const wildcard = fc
  .array(pick('*', '?', 'a', 'b', 'web', '-', '1', '\\*', '\\?', '\\\\', '_', '%', 'é', 'z', '\\b', 'W'), {
    minLength: 1,
    maxLength: 4,
  })
  .map((parts) => parts.join(''));

const leaf: Arbitrary = fc.oneof(
  clause('term', of(keywordField, keywordValue)),
  clause('term', of(numberField, fc.oneof(whole, whole.map(String), pick(1.5)))),
  clause(
    'term',
    of(pick('host'), fc.record({ value: pick('WEB-1', 'zOÉ', 'a*B', 'none'), case_insensitive: fc.boolean() })),
  ),
  clause(
    'term',
    of(pick('source_ip'), pick('10.0.0.1', '10.0.0.0/24', '2001:db8::/32', '2001:db8:0:0::1', '0.0.0.0/0')),
  ),
  clause('term', of(pick('timestamp'), moment)),
  clause('terms', of(keywordField, fc.array(keywordValue, { maxLength: 5 }))),
  clause('terms', of(numberField, fc.array(fc.oneof(whole, pick(2.5, '3')), { maxLength: 5 }))),
  clause('terms', of(pick('source_ip'), fc.array(pick('10.0.0.1', '10.0.0.0/24', '2001:db8::1'), { maxLength: 3 }))),
  clause('range', of(numberField, bounds(fc.oneof(whole, pick(1.5, -2.5, '7'))))),
  clause('range', of(keywordField, bounds(keywordValue))),
  clause(
    'range',
    of(
      pick('timestamp'),
      fc.tuple(bounds(dateText), maybe(zone)).map(([given, time_zone]) => ({ ...(given as object), time_zone })),
    ),
  ),
  clause('exists', fc.record({ field: anyField })),
  clause(
    'prefix',
    of(
      keywordField,
      fc.oneof(
        pick('web', 'W', 'z', '', 'a', 'a*', 'Ä', '数'),
        fc.record({ value: pick('WEB', 'ZOÉ', 'ä', 'a'), case_insensitive: fc.boolean() }),
      ),
    ),
  ),
  clause('wildcard', of(pick('host'), fc.record({ value: wildcard, case_insensitive: fc.boolean() }))),
  clause(
    'match',
    of(
      pick('message'),
      fc.oneof(
        text,
        fc.record({ query: text, operator: pick('and', 'or', 'AND') }),
        fc.record({ query: pick('', '-', 'login'), zero_terms_query: pick('all', 'none') }),
      ),
    ),
  ),
  clause('match_phrase', of(pick('message'), text)),
  clause('match', of(numberField, whole)),
  clause(
    'multi_match',
    fc.record({ query: text, fields: pick(['message'], ['mess*'], ['message^3']), operator: pick('and', 'or') }),
  ),
  clause(
    'simple_query_string',
    fc.record({ query: simpleText, fields: pick(['message']), default_operator: pick('and', 'or', 'AND') }),
  ),
  clause('ids', pick({ values: [] }, { values: ['no such id'] })),
  pick({ match_all: {} }, { match_none: {} }),
);

/** The query part of a search. */
export const randomQuery: Arbitrary = fc
  .letrec((tie) => ({
    query: fc.oneof({ maxDepth: 3, depthSize: 'medium' }, leaf, leaf, tie('bool'), tie('constant')),
    list: fc.oneof(fc.array(tie('query'), { maxLength: 3 }), tie('query')),
    bool: fc
      .record(
        {
          must: tie('list'),
          filter: tie('list'),
          should: tie('list'),
          must_not: tie('list'),
          minimum_should_match: pick(0, 1, 2, 3, -1, '50%', '-25%', '100%', '1', '-2'),
        },
        { requiredKeys: [] },
      )
      .map((bool) => ({ bool })),
    constant: tie('query').map((filter) => ({ constant_score: { filter } })),
  }))
  .query.map(clean);

const metric: Arbitrary = fc.oneof(
  clause('avg', fc.record({ field: numberField, missing: maybe(whole) })),
  clause('sum', fc.record({ field: numberField, missing: maybe(whole) })),
  clause('min', fc.record({ field: pick('bytes_in', 'timestamp') })),
  clause('max', fc.record({ field: pick('source_port', 'timestamp') })),
  clause('stats', fc.record({ field: numberField })),
  clause('value_count', fc.record({ field: anyField })),
  clause('cardinality', fc.record({ field: anyField })),
  clause('avg', fc.record({ field: pick('timestamp') })),
);

const order = pick(
  { _count: 'asc' },
  { _count: 'desc' },
  { _key: 'asc' },
  { _key: 'desc' },
  { lo: 'asc' },
  { lo: 'desc' },
  { hi: 'asc' },
  { hi: 'desc' },
  { total: 'asc' },
  { total: 'desc' },
  { mean: 'asc' },
  { mean: 'desc' },
  { 'all.min': 'desc' },
  { 'all.sum': 'asc' },
  { 'all.avg': 'asc' },
  [{ total: 'desc' }, { _key: 'desc' }],
);
/** What every `terms` has under it, to be ordered by. */
const orderable = {
  lo: { min: { field: 'bytes_in' } },
  hi: { max: { field: 'source_port' } },
  total: { sum: { field: 'bytes_in' } },
  mean: { avg: { field: 'bytes_in' } },
  all: { stats: { field: 'source_port' } },
};

const step = fc.oneof(
  fc.record({
    calendar_interval: pick('day', '1d', 'week', 'month', 'quarter', 'year', '1M', '1q', '1y'),
    time_zone: maybe(zone),
  }),
  fc.record({ fixed_interval: pick('1d', '7d', '36h', '30d'), time_zone: maybe(fixedZone) }),
);

const rangeEdge = pick(-5, 0, 7, 10, 1000, 20_000_000);
const someRanges = (edge: Arbitrary, least: (a: never, b: never) => boolean): Arbitrary =>
  fc.array(
    fc
      .record({ from: edge, to: edge, key: maybe(pick('k1', 'k2')) }, { requiredKeys: ['key'] })
      .filter(({ from, to }) => from === undefined || to === undefined || least(from as never, to as never))
      .map(clean),
    { minLength: 1, maxLength: 4 },
  );

const bucketing: Arbitrary = fc.oneof(
  fc
    .record({
      field: pick('host', 'event_type', 'severity', 'bytes_in', 'timestamp'),
      size: pick(1, 2, 3, 50),
      shard_size: fc.constant(1000),
      order: maybe(order),
      min_doc_count: maybe(pick(1, 2, 5)),
    })
    .map((terms) => ({ terms })),
  clause(
    'terms',
    fc.record({ field: keywordField, missing: pick('none', 'a'), size: pick(3, 50), shard_size: fc.constant(1000) }),
  ),
  clause(
    'terms',
    fc.record({ field: numberField, missing: pick(0, 7), size: pick(3, 50), shard_size: fc.constant(1000) }),
  ),
  clause(
    'terms',
    fc.record({
      field: keywordField,
      include: maybe(fc.array(keywordValue, { minLength: 1, maxLength: 3 })),
      exclude: maybe(fc.array(keywordValue, { minLength: 1, maxLength: 3 })),
    }),
  ),
  fc
    .tuple(step, pick(undefined, 0, 1, 2), fc.boolean(), maybe(fc.tuple(moment, moment)))
    .map(([given, min_doc_count, keyed, edges]) => {
      const [min, max] = ((edges ?? []) as string[]).toSorted();
      const extended_bounds = min !== undefined && min > '2025' ? { min, max } : undefined;
      const wide = min_doc_count === undefined || min_doc_count === 0;
      return {
        date_histogram: {
          field: 'timestamp',
          ...(given as object),
          ...(wide ? {} : { min_doc_count }),
          keyed,
          extended_bounds,
        },
      };
    }),
  clause(
    'histogram',
    fc.record({
      field: numberField,
      interval: pick(1_000_000_000, 2.5e9),
      offset: maybe(pick(0, 3, -7, 0.5)),
      keyed: fc.boolean(),
    }),
  ),
  clause(
    'histogram',
    fc.record({
      field: numberField,
      interval: pick(1, 5, 2.5, 0.1),
      offset: maybe(pick(0, 3, -7, 0.5)),
      min_doc_count: pick(1, 2),
      keyed: fc.boolean(),
      missing: maybe(pick(0, 4)),
    }),
  ),
  clause(
    'range',
    fc.record({
      field: numberField,
      keyed: fc.boolean(),
      ranges: someRanges(rangeEdge, (a: number, b: number) => a < b),
    }),
  ),
  clause(
    'date_range',
    fc.record({
      field: pick('timestamp'),
      keyed: fc.boolean(),
      time_zone: maybe(zone),
      ranges: someRanges(
        moment.map((at) => at.slice(0, 19)),
        (a: string, b: string) => a < b,
      ),
    }),
  ),
  clause('filter', leaf),
  clause('missing', fc.record({ field: anyField })),
  clause(
    'filters',
    fc.record({ filters: fc.array(leaf, { minLength: 1, maxLength: 3 }), other_bucket: maybe(fc.boolean()) }),
  ),
  clause(
    'filters',
    fc.record({
      filters: fc.dictionary(pick('one', 'two', 'three') as fc.Arbitrary<string>, leaf, { minKeys: 1, maxKeys: 3 }),
      other_bucket_key: maybe(pick('rest')),
    }),
  ),
);

const source: Arbitrary = fc.oneof(
  clause(
    'terms',
    fc.record({ field: pick('host', 'event_type', 'bytes_in', 'timestamp'), order: maybe(pick('asc', 'desc')) }),
  ),
  clause('histogram', fc.record({ field: numberField, interval: pick(5, 2.5), order: maybe(pick('asc', 'desc')) })),
  clause(
    'date_histogram',
    fc
      .tuple(step, maybe(pick('asc', 'desc')))
      .map(([given, order]) => ({ field: 'timestamp', ...(given as object), order })),
  ),
);
// OpenSearch 2.19 loses buckets of one date_histogram alone that comes in descending order.
const composite = fc
  .tuple(fc.array(source, { minLength: 1, maxLength: 2 }), pick({ terms: { field: 'severity' } }))
  .map((parts) => parts.flat())
  .map((sources) => ({ composite: { size: 5, sources: sources.map((each, index) => ({ [`s${index}`]: each })) } }));

type Named = Record<string, unknown>;
const levels = fc.letrec((tie) => ({
  level: fc
    .tuple(
      fc.dictionary(pick('m1', 'm2') as fc.Arbitrary<string>, metric, { maxKeys: 2 }),
      fc.dictionary(pick('b1', 'b2') as fc.Arbitrary<string>, tie('bucket'), { maxKeys: 2 }),
    )
    .map(([metrics, buckets]) => ({ ...(metrics as object), ...(buckets as object) })),
  bucket: fc.oneof(
    { maxDepth: 4, depthSize: 'medium' },
    bucketing,
    fc.tuple(bucketing, tie('level')).map(([bucket, aggs]) => ({ ...(bucket as object), aggs })),
  ),
}));

/** The aggregations of a search. */
export const randomAggregations = fc
  .tuple(levels.level, maybe(composite), pick('b', 'deep'))
  .map(([level, paged]) =>
    withOrderable(clean({ ...(level as object), ...(paged === undefined ? {} : { c: paged }) }) as Named),
  );

/** Puts under every `terms` what it may be ordered by. */
function withOrderable(level: Named): Named {
  return Object.fromEntries(
    Object.entries(level).map(([name, given]) => {
      const { aggs, ...body } = given as { aggs?: Named; terms?: { order?: unknown } };
      const needs = body.terms?.order === undefined ? {} : orderable;
      const inner = { ...needs, ...(aggs && withOrderable(aggs)) };
      return [name, Object.keys(inner).length === 0 ? body : { ...body, aggs: inner }];
    }),
  );
}

/** An order of hits that leaves nothing open. */
export const randomSort = fc
  .array(
    fc.oneof(
      of(anyField, pick('asc', 'desc')),
      of(anyField, fc.record({ order: pick('asc', 'desc'), missing: pick('_first', '_last') })),
      of(numberField, fc.record({ order: pick('asc', 'desc'), missing: pick(0, 5) })),
    ),
    { maxLength: 3 },
  )
  .map((keys) => {
    const names = keys.map((key) => Object.keys(key as object)[0]);
    return [...keys.filter((_, index) => names.indexOf(names[index]) === index), { source_id: 'asc' }];
  });
