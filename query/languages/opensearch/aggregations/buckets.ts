/** Aggregations that put events into buckets: which rows each bucket has, and which buckets are shown. */
import { extend, filter, limit, literal, sort, union, window } from '../../../plan/build.js';
import { aggregate, call } from '../../../plan/functions/index.js';
import type { Expr, Plan, SortKey } from '../../../plan/types.js';
import { parseMoment } from '../date-math.js';
import { type Fields, fieldLiteral, isPresent } from '../fields.js';
import type { Json } from '../json.js';
import { all, none, required } from '../predicates.js';
import { predicate } from '../query.js';
import type { BucketShape, MetricNode, RangeBucket } from '../search-plans.js';
import { ascending, type Bucketing, columnOf, keyOf, maxBuckets, withKey } from './bucketing.js';
import { composite } from './composite.js';
import { dateHistogram, histogram } from './histograms.js';

const maxRanges = 100;

export const bucketKinds: Record<string, (options: Json, fields: Fields) => Bucketing> = {
  terms,
  date_histogram: dateHistogram,
  histogram,
  range: (options, fields) => ranges(options, fields),
  date_range: (options, fields) => ranges(options, fields),
  filter: (options, fields) => parts([predicate(options, fields)], { kind: 'filter' }),
  missing: (options, fields) => {
    const { field } = options.fields('field');
    const at = required(field, 'field', options);
    return parts([call('sql_isnull', [fields.find(at.string(), at).value])], { kind: 'filter' });
  },
  filters,
  composite,
};

function terms(options: Json, fields: Fields): Bucketing {
  const given = options.fields(
    'field',
    'size',
    'order',
    'min_doc_count',
    'missing',
    'include',
    'exclude',
    'shard_size',
    'show_term_doc_count_error',
    'execution_hint',
    'collect_mode',
    'value_type',
  );
  const at = required(given.field, 'field', options);
  const field = fields.find(at.string(), at);
  const key = keyOf(field, given.missing);
  const size = given.size?.integer(1, maxBuckets) ?? 10;
  const minDocCount = given.min_doc_count?.integer(1, Number.MAX_SAFE_INTEGER) ?? 1;
  const listed = (list: Json): Expr => {
    if (!list.isList) list.fail('"include" and "exclude" take lists of values.', 'QUERY_NOT_SUPPORTED');
    const values = list.items().map((item) => fieldLiteral(field, item));
    return values.length === 0 ? literal('bool', false) : call('in', [key.value, ...values]);
  };
  const conditions = [
    ...(given.include ? [listed(given.include)] : []),
    ...(given.exclude ? [none(listed(given.exclude))] : []),
  ];
  return {
    shape: { kind: 'terms', keys: key.kind, size },
    keys: 1,
    rows: (input, [own]) => withKey(conditions.length === 0 ? input : filter(input, all(conditions)), own!, key.value),
    select(groups, { above, own, metrics }) {
      const partitionBy = above.map((name) => columnOf(groups, name));
      // Before any bucket is left out: what `sum_other_doc_count` is reckoned from.
      const count = columnOf(groups, 'doc_count');
      const counted = window(groups, { partitionBy, orderBy: [] }, [
        { name: 'all_docs', ...aggregate('sum', [count]) },
      ]);
      const enough = minDocCount === 1 ? counted : filter(counted, call('>=', [count, literal('long', minDocCount)]));
      return first(enough, size, partitionBy, [
        ...bucketOrder(given.order, enough, own[0]!, metrics),
        ascending(enough, own[0]!),
      ]);
    },
    leavesOut: true,
  };
}

/** The first rows of each partition, in order. */
function first(input: Plan, size: number, partitionBy: Expr[], orderBy: SortKey[]): Plan {
  if (partitionBy.length === 0) return limit(sort(input, orderBy), size);
  const ranked = window(input, { partitionBy, orderBy }, [{ name: 'rank', fn: 'row_number', args: [], type: 'long' }]);
  const rank = columnOf(ranked, 'rank');
  return sort(filter(ranked, call('<=', [rank, literal('long', size)])), [ascending(ranked, 'rank')]);
}

function bucketOrder(order: Json | undefined, groups: Plan, key: string, metrics: MetricNode[]): SortKey[] {
  const by = (name: string, descending: boolean): SortKey => ({
    value: columnOf(groups, name),
    descending,
    nullsFirst: false,
  });
  if (order === undefined) return [by('doc_count', true)];
  return order.items().flatMap((item) =>
    item.entries().map(([path, direction]) => {
      const descending = direction.oneOf('asc', 'desc') === 'desc';
      if (path === '_key' || path === '_term') return by(key, descending);
      if (path === '_count') return by('doc_count', descending);
      return by(metricColumn(path, metrics, direction), descending);
    }),
  );
}

const statsMembers = ['count', 'min', 'max', 'avg', 'sum'];

function metricColumn(path: string, metrics: MetricNode[], at: Json): string {
  const [name, member] = path.split('.');
  const metric = metrics.find((each) => each.name === name);
  const index = metric?.kind === 'stats' ? statsMembers.indexOf(member ?? '') : 0;
  const found = metric?.kind === 'percentiles' ? undefined : metric?.columns[index];
  return found ?? at.fail(`Buckets are ordered by _count, _key, or the name of a metric under them, not "${path}".`);
}

/** Buckets that are given one by one, each by a condition; a row may be in several. */
function parts(conditions: Expr[], shape: BucketShape): Bucketing {
  return {
    shape,
    keys: 1,
    rows: (input, [own]) =>
      union(
        conditions.map((condition, index) =>
          extend(filter(input, condition), [{ name: own!, value: literal('long', index) }]),
        ),
      ),
    select: (groups, { own }) => sort(groups, [ascending(groups, own[0]!)]),
    leavesOut: false,
  };
}

function filters(options: Json, fields: Fields): Bucketing {
  const given = options.fields('filters', 'other_bucket', 'other_bucket_key', 'keyed');
  const list = required(given.filters, 'filters', options);
  const keyed = list.isObject;
  const named: [string, Json][] = keyed ? list.entries() : list.items().map((item, index) => [String(index), item]);
  checkCount(named.length, list);
  const conditions = named.map(([, query]) => predicate(query, fields));
  const names = named.map(([name]) => name);
  if (given.other_bucket?.boolean() || given.other_bucket_key !== undefined) {
    conditions.push(all(conditions.map(none)));
    names.push(given.other_bucket_key?.string() ?? '_other_');
  }
  return parts(conditions, { kind: 'filters', keyed, names });
}

function ranges(options: Json, fields: Fields): Bucketing {
  const given = options.fields('field', 'ranges', 'keyed', 'format', 'time_zone');
  const at = required(given.field, 'field', options);
  const field = fields.find(at.string(), at);
  if (field.kind === 'keyword' || field.kind === 'ip' || field.kind === 'boolean')
    at.fail(`"${field.name}" has no ranges.`);
  if (given.format !== undefined) given.format.fail('Leave "format" out: keys are ISO 8601.', 'QUERY_NOT_SUPPORTED');
  const list = required(given.ranges, 'ranges', options);
  checkCount(list.items().length, list);
  const timeZone = given.time_zone?.string() ?? 'UTC';
  const value = field.kind === 'object' ? call('todouble', [field.value]) : field.value;
  const bound = (json: Json): Expr =>
    field.kind === 'date' ? parseMoment(json, 'DOWN', { timeZone }) : literal('real', json.number());
  const conditions: Expr[] = [];
  const buckets: RangeBucket[] = [];
  for (const item of list.items()) {
    const { key, from, to } = item.fields('key', 'from', 'to');
    const lower = from && bound(from);
    const upper = to && bound(to);
    conditions.push(
      all([
        isPresent(value),
        ...(lower ? [call('>=', [value, lower])] : []),
        ...(upper ? [call('<', [value, upper])] : []),
      ]),
    );
    buckets.push(
      rangeBucket(key?.string(), from && lower && boundary(from, lower), to && upper && boundary(to, upper)),
    );
  }
  return parts(conditions, { kind: 'range', keyed: given.keyed?.boolean() ?? false, ranges: buckets });
}

interface Boundary {
  figure: number;
  text: string;
}

/** What a bound is in the answer. A moment that hangs on `now` has no fixed name. */
function boundary(json: Json, bound: Expr): Boundary {
  if (bound.kind !== 'literal') {
    return json.fail('Ranges of moments take fixed dates here, not "now".', 'QUERY_NOT_SUPPORTED');
  }
  if (bound.type !== 'datetime') return { figure: json.number(), text: withFraction(json.number()) };
  const ms = Date.parse(String(bound.value));
  return { figure: ms, text: new Date(ms).toISOString() };
}

const withFraction = (figure: number): string => (Number.isInteger(figure) ? `${figure}.0` : String(figure));

function rangeBucket(key: string | undefined, from: Boundary | undefined, to: Boundary | undefined): RangeBucket {
  const name = key ?? `${from?.text ?? '*'}-${to?.text ?? '*'}`;
  const isDate = (from ?? to)?.text.endsWith('Z') === true;
  return {
    key: name,
    ...(from && { from: from.figure, ...(isDate && { fromAsString: from.text }) }),
    ...(to && { to: to.figure, ...(isDate && { toAsString: to.text }) }),
  };
}

function checkCount(count: number, list: Json): void {
  if (count < 1 || count > maxRanges) list.fail(`"${list.name}" takes 1 to ${maxRanges} entries.`);
}
