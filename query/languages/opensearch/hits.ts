/** The hits of a search: their order, what they show, and where a page of them begins. */
import { column, filter, limit, literal, project, sort, window } from '../../plan/build.js';
import { call } from '../../plan/functions/index.js';
import type { Expr, NamedExpr, Plan, SortKey } from '../../plan/types.js';
import { parseMoment } from './date-math.js';
import { type Field, type Fields, fieldLiteral, isPresent, valueOr } from './fields.js';
import type { Json } from './json.js';
import { all, any } from './predicates.js';
import type { FieldKind, HitsPlan, SourceColumns, TopHitsNode } from './search-plans.js';

/** As many as a result may have. */
export const maxHits = 1_000_000;
const maxSortFields = 20;

interface SortField {
  kind: FieldKind;
  key: SortKey;
}

/** What a search says of its hits. */
export interface HitOptions {
  sort?: Json;
  _source?: Json;
  search_after?: Json;
  from: number;
  size: number;
}

/** The hits of the search: sorted as it says, or newest first. */
export function hitsPlan(
  rows: Plan,
  fields: Fields,
  { sort: sortBy, _source, search_after, from, size }: HitOptions,
): HitsPlan {
  const sorted = sortFields(sortBy, fields);
  const after = search_after === undefined ? [] : [isAfter(sorted, search_after)];
  const input = after.length === 0 ? rows : filter(rows, after[0]!);
  const ordered = limit(sort(input, [...sorted.map(({ key }) => key), ...tieBreak(fields)]), size, from);
  const source = sourceColumns(_source, fields);
  return {
    plan: project(ordered, hitColumns(fields, sorted)),
    sort: sortBy === undefined ? [] : sorted.map(({ kind }) => kind),
    source,
  };
}

/** The first hits of each bucket; `keys` are the columns that tell the buckets apart. */
export function topHitsPlan(name: string, rows: Plan, keys: string[], body: Json, fields: Fields): TopHitsNode {
  const options = body.fields('size', 'from', 'sort', '_source');
  const size = options.size?.integer(0, 100) ?? 3;
  const from = options.from?.integer(0, 10_000) ?? 0;
  const sorted = sortFields(options.sort, fields);
  const keyExprs = keys.map((key) => column(rows.columns.find((each) => each.name === key)!));
  const orderBy = [...sorted.map(({ key }) => key), ...tieBreak(fields)];
  const ranked = window(rows, { partitionBy: keyExprs, orderBy }, [
    { name: 'rank', fn: 'row_number', args: [], type: 'long' },
  ]);
  const rank = column({ name: 'rank', type: 'long' });
  const first = filter(
    ranked,
    call('and', [call('>', [rank, literal('long', from)]), call('<=', [rank, literal('long', from + size)])]),
  );
  const kept = [...keyExprs.map((value) => ({ name: value.name, value })), ...hitColumns(fields, sorted)];
  const shown = project(first, [...kept, { name: 'rank', value: rank }]);
  return {
    name,
    keys: keys.length,
    plan: sort(shown, [{ value: rank, descending: false, nullsFirst: false }]),
    sort: options.sort === undefined ? [] : sorted.map(({ kind }) => kind),
    source: sourceColumns(options._source, fields),
  };
}

function hitColumns(fields: Fields, sorted: SortField[]): NamedExpr[] {
  return [
    { name: '_id', value: fields.id.value },
    { name: 'time', value: fields.time.value },
    ...sorted.map(({ key }, index) => ({ name: `sort${index}`, value: key.value })),
    ...fields.columns.map((each, index) => ({ name: `source${index}`, value: column(each) })),
  ];
}

/** Newest first among equals, and always in the same order. */
const tieBreak = (fields: Fields): SortKey[] => [
  { value: fields.time.value, descending: true, nullsFirst: false },
  { value: fields.id.value, descending: true, nullsFirst: false },
];

function sortFields(sortBy: Json | undefined, fields: Fields): SortField[] {
  if (sortBy === undefined) return [];
  const items = sortBy.items();
  if (items.length > maxSortFields) sortBy.fail(`"sort" takes at most ${maxSortFields} fields.`);
  return items.flatMap((item): SortField[] => {
    if (!item.isObject) return sortField(item.string(), item, undefined, fields);
    return item.entries().flatMap(([name, how]) => sortField(name, item, how, fields));
  });
}

function sortField(name: string, at: Json, how: Json | undefined, fields: Fields): SortField[] {
  if (name === '_score' || name === '_doc') {
    return at.fail(`Nothing is scored or numbered: leave "${name}" out of "sort".`, 'QUERY_NOT_SUPPORTED');
  }
  const field = fields.find(name, at);
  if (field.kind === 'object')
    at.fail('Sort by a declared field: undeclared ones have no type.', 'QUERY_NOT_SUPPORTED');
  const options = how?.isObject
    ? how.fields('order', 'missing', 'unmapped_type', 'mode', 'format')
    : { ...(how && { order: how }) };
  const descending = options.order?.oneOf('asc', 'desc') === 'desc';
  const { missing, format, mode } = options as Partial<Record<'missing' | 'format' | 'mode', Json>>;
  format?.fail('Leave "format" out: moments sort as milliseconds.', 'QUERY_NOT_SUPPORTED');
  mode?.oneOf('min', 'max');
  const place = missing?.node.type === 'string' ? missing.string() : undefined;
  const isPlace = missing === undefined || place === '_last' || place === '_first';
  const value = isPlace ? field.value : valueOr(field, field.value, missing);
  return [{ kind: field.kind, key: { value, descending, nullsFirst: place === '_first' } }];
}

/** That a row comes after the one with these sort values. */
function isAfter(sorted: SortField[], values: Json): Expr {
  const items = values.isList ? values.items() : [];
  if (sorted.length === 0 || items.length !== sorted.length) {
    values.fail(`"search_after" takes the "sort" of the last hit: a list of ${sorted.length} values here.`);
  }
  const equal = (index: number): Expr => {
    const { value } = sorted[index]!.key;
    return isNull(items[index]!)
      ? call('sql_isnull', [value])
      : call('==', [value, sortLiteral(sorted[index]!, items[index]!)]);
  };
  return any(
    sorted.map((each, index) => {
      const equals = Array.from({ length: index }, (_, before) => equal(before));
      return all([...equals, comesAfter(each, items[index]!)]);
    }),
  );
}

function comesAfter(field: SortField, given: Json): Expr {
  const { value, descending, nullsFirst } = field.key;
  if (isNull(given)) return nullsFirst ? isPresent(value) : literal('bool', false);
  const beyond = call(descending ? '<' : '>', [value, sortLiteral(field, given)]);
  return nullsFirst ? beyond : any([beyond, call('sql_isnull', [value])]);
}

const isNull = (value: Json): boolean => value.node.type === 'null';

function sortLiteral({ kind, key }: SortField, given: Json): Expr {
  if (kind === 'date') return parseMoment(given, 'DOWN', { format: 'EPOCH_MILLIS' });
  const field: Field = { name: 'search_after', kind, value: key.value };
  return fieldLiteral(field, given);
}

/** Each is held against every path of every hit. */
const maxPatterns = 1_000;

function sourceColumns(option: Json | undefined, fields: Fields): SourceColumns {
  const names = fields.columns.map(({ name }) => name);
  const patterns = (list: Json | undefined): string[] => {
    const items = list?.items() ?? [];
    if (items.length > maxPatterns) {
      list!.fail(`"_source" takes at most ${maxPatterns.toLocaleString('en')} names here.`, 'QUERY_NOT_SUPPORTED');
    }
    return items.map((item) => item.string());
  };
  const whole = { shown: true, names, includes: [], excludes: [] };
  if (option === undefined) return whole;
  if (option.node.type === 'boolean') return { ...whole, shown: option.boolean() };
  if (!option.isObject) return { ...whole, includes: patterns(option) };
  const { includes, include, excludes, exclude } = option.fields('includes', 'include', 'excludes', 'exclude');
  return { ...whole, includes: patterns(includes ?? include), excludes: patterns(excludes ?? exclude) };
}
