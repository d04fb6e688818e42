/** Aggregations that put events into buckets: which rows each bucket has, and which buckets are shown. */
import { extend, filter, limit, literal, sort, union, window } from '../../../plan/build.js';
import { aggregate, call } from '../../../plan/functions/index.js';
import type { Expr, Plan, SortKey } from '../../../plan/types.js';
import { inZone, parseMoment, readTimeZone } from '../date-math.js';
import { type Fields, fieldLiteral, isPresent } from '../fields.js';
import { doubleText } from '../figures.js';
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
  range: rangesOf,
  date_range: rangesOf,
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
      const count = columnOf(groups, 'doc_count');
      const enough = minDocCount === 1 ? groups : filter(groups, call('>=', [count, literal('long', minDocCount)]));
      // What `sum_other_doc_count` is reckoned from.
      const counted = window(enough, { partitionBy, orderBy: [] }, [
        { name: 'all_docs', ...aggregate('sum', [count]) },
      ]);
      return first(counted, size, partitionBy, [
        ...bucketOrder(given.order, counted, own[0]!, metrics),
        ascending(counted, own[0]!),
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
  const by = (name: string, descending: boolean, nullsFirst = false): SortKey => ({
    value: columnOf(groups, name),
    descending,
    nullsFirst,
  });
  if (order === undefined) return [by('doc_count', true)];
  return order.items().flatMap((item) =>
    item.entries().map(([path, direction]) => {
      const descending = direction.oneOf('asc', 'desc') === 'desc';
      if (path === '_key' || path === '_term') return by(key, descending);
      if (path === '_count') return by('doc_count', descending);
      const { figure, column } = metricOf(path, metrics, direction);
      // Of nothing the minimum is above all figures, the maximum below all, and the mean comes last either way.
      if (figure === 'min' || figure === 'max') return by(column, descending, (figure === 'min') === descending);
      if (figure !== 'avg') return by(column, descending);
      const mean = columnOf(groups, column);
      const known = mean.type === 'real' ? call('iff', [call('isnan', [mean]), literal('real', null), mean]) : mean;
      return { value: known, descending, nullsFirst: false };
    }),
  );
}

const statsMembers = ['count', 'min', 'max', 'avg', 'sum'];

/** The figure that a path such as `bytes` or `all.max` names, and its column. */
function metricOf(path: string, metrics: MetricNode[], at: Json): { figure: string; column: string } {
  const [name, member = 'value'] = path.split('.');
  const metric = metrics.find((each) => each.name === name);
  const isStats = metric?.kind === 'stats';
  const index = isStats ? statsMembers.indexOf(member) : member === 'value' && metric?.kind !== 'percentiles' ? 0 : -1;
  const column = metric?.columns[index];
  return column === undefined
    ? at.fail(`Buckets are ordered by _count, _key, or the name of a metric under them, not "${path}".`)
    : { figure: isStats ? member : metric!.kind, column };
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

function rangesOf(options: Json, fields: Fields): Bucketing {
  const given = options.fields('field', 'ranges', 'keyed', 'format', 'time_zone');
  const at = required(given.field, 'field', options);
  const field = fields.find(at.string(), at);
  if (field.kind === 'keyword' || field.kind === 'ip' || field.kind === 'boolean')
    at.fail(`"${field.name}" has no ranges.`);
  if (given.format !== undefined) given.format.fail('Leave "format" out: keys are ISO 8601.', 'QUERY_NOT_SUPPORTED');
  const list = required(given.ranges, 'ranges', options);
  checkCount(list.items().length, list);
  const timeZone = readTimeZone(given.time_zone);
  const value = field.kind === 'object' ? call('todouble', [field.value]) : field.value;
  const bound = (json: Json): Expr =>
    field.kind === 'date' ? parseMoment(json, 'DOWN', { timeZone }) : literal('real', json.number());
  const buckets = list.items().map((item) => {
    const { key, from, to } = item.fields('key', 'from', 'to');
    const [lower, upper] = [from && bound(from), to && bound(to)];
    const condition = all([
      isPresent(value),
      ...(lower ? [call('>=', [value, lower])] : []),
      ...(upper ? [call('<', [value, upper])] : []),
    ]);
    const edges = [from && lower && boundary(from, lower, timeZone), to && upper && boundary(to, upper, timeZone)];
    return { condition, range: rangeBucket(key?.string(), ...edges) };
  });
  // In OpenSearch's order, whatever that of the text is.
  const { NEGATIVE_INFINITY: first, POSITIVE_INFINITY: last } = Number;
  const inOrder = buckets.toSorted(
    ({ range: a }, { range: b }) => compare(a.from ?? first, b.from ?? first) || compare(a.to ?? last, b.to ?? last),
  );
  const ranges = inOrder.map(({ range }) => range);
  return parts(
    inOrder.map(({ condition }) => condition),
    { kind: 'range', keyed: given.keyed?.boolean() ?? false, ranges },
  );
}

const compare = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0);

interface Boundary {
  figure: number;
  text: string;
  isDate: boolean;
}

/** What a bound is in the answer. A moment that hangs on `now` has no fixed name. */
function boundary(json: Json, bound: Expr, timeZone: string): Boundary {
  if (bound.kind !== 'literal') {
    return json.fail('Ranges of moments take fixed dates here, not "now".', 'QUERY_NOT_SUPPORTED');
  }
  if (bound.type !== 'datetime') return { figure: json.number(), text: doubleText(json.number()), isDate: false };
  const ms = Date.parse(String(bound.value));
  return { figure: ms, text: inZone(ms, timeZone), isDate: true };
}

function rangeBucket(key: string | undefined, from?: Boundary, to?: Boundary): RangeBucket {
  return {
    key: key ?? `${from?.text ?? '*'}-${to?.text ?? '*'}`,
    ...(from && { from: from.figure, ...(from.isDate && { fromAsString: from.text }) }),
    ...(to && { to: to.figure, ...(to.isDate && { toAsString: to.text }) }),
  };
}

function checkCount(count: number, list: Json): void {
  if (count < 1 || count > maxRanges) list.fail(`"${list.name}" takes 1 to ${maxRanges} entries.`);
}
