/** Aggregations that give figures. They are exact: `cardinality` counts, `percentiles` takes the nearest rank. */
import { literal } from '../../../plan/build.js';
import { aggregate, call } from '../../../plan/functions/index.js';
import type { Aggregate, Expr } from '../../../plan/types.js';
import { type Field, type Fields, valueOr } from '../fields.js';
import type { Json } from '../json.js';
import { required } from '../predicates.js';
import type { MetricNode } from '../search-plans.js';

export interface Metric {
  /** Their names are given later. */
  figures: Aggregate[];
  node: Omit<MetricNode, 'name' | 'columns'>;
}

type Kind = MetricNode['kind'];

const defaultPercents = [1, 5, 25, 50, 75, 95, 99];

export const metricKinds: Record<string, (options: Json, fields: Fields) => Metric> = {
  avg: (options, fields) => figure('avg', options, fields),
  sum: (options, fields) => figure('sum', options, fields),
  min: (options, fields) => figure('min', options, fields),
  max: (options, fields) => figure('max', options, fields),
  stats: (options, fields) => {
    const { field, value } = readFigure(options, fields);
    if (isDate(field)) {
      options.fail('Moments have no sum: use min, max, avg and value_count.', 'QUERY_NOT_SUPPORTED');
    }
    const of = (fn: string) => named(fn, [value]);
    return {
      figures: [of('count'), of('min'), of('max'), of('avg'), of('sum')],
      node: { kind: 'stats', isDate: false },
    };
  },
  value_count: (options, fields) => ofAny('value_count', 'count', options, fields),
  cardinality: (options, fields) => ofAny('cardinality', 'dcount', options, fields),
  percentiles: (options, fields) => {
    const { field, value, rest } = readFigure(options, fields, 'percents', 'keyed', 'tdigest', 'hdr');
    const percents = rest.percents?.items().map((each) => percent(each)) ?? defaultPercents;
    return {
      figures: percents.map((each) => named('percentile', [value, literal('real', each)])),
      node: { kind: 'percentiles', isDate: isDate(field), percents, keyed: rest.keyed?.boolean() ?? true },
    };
  },
};

const isDate = ({ kind }: Field): boolean => kind === 'date';

/** An aggregate that has no name yet. */
const named = (fn: string, args: Expr[]): Aggregate => ({ kind: 'aggregate', name: '', ...aggregate(fn, args) });

function figure(kind: Kind & ('avg' | 'sum' | 'min' | 'max'), options: Json, fields: Fields): Metric {
  const { field, value } = readFigure(options, fields);
  if (kind === 'sum' && isDate(field)) {
    options.fail(`Moments have no sum: "${field.name}" is a date.`, 'QUERY_NOT_SUPPORTED');
  }
  return { figures: [named(kind, [value])], node: { kind, isDate: isDate(field) } };
}

/** Counts values of any type. An undeclared field counts by its text. */
function ofAny(kind: Kind, fn: 'count' | 'dcount', options: Json, fields: Fields): Metric {
  const { field: name, missing } = options.fields('field', 'missing', 'precision_threshold', 'rehash');
  const at = required(name, 'field', options);
  const field = fields.find(at.string(), at);
  return { figures: [named(fn, [valueOr(field, field.value, missing)])], node: { kind, isDate: false } };
}

function readFigure<Key extends string = never>(options: Json, fields: Fields, ...others: Key[]) {
  const given = options.fields<'field' | 'missing' | 'format' | Key>('field', 'missing', 'format', ...others);
  const { field: name, missing, format } = given as Partial<Record<'field' | 'missing' | 'format', Json>>;
  if (format !== undefined)
    format.fail('Formats of figures are not supported: leave "format" out.', 'QUERY_NOT_SUPPORTED');
  const at = required(name, 'field', options);
  const field = fields.find(at.string(), at);
  if (field.kind === 'keyword' || field.kind === 'ip') at.fail(`"${field.name}" is text: it has no figures.`);
  const figures = field.kind === 'object' ? call('todouble', [field.value]) : field.value;
  const bits = field.kind === 'boolean' ? call('tolong', [figures]) : figures;
  return { field, value: valueOr(field, bits, missing), rest: given as Partial<Record<Key, Json>> };
}

function percent(value: Json): number {
  const given = value.number();
  return given >= 0 && given <= 100 ? given : value.fail('"percents" are from 0 to 100.');
}
