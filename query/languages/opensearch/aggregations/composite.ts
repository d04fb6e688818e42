/** Buckets of several keys at once, paged by the last one seen. */
import { filter, limit, sort } from '../../../plan/build.js';
import { call } from '../../../plan/functions/index.js';
import type { Expr, SortKey } from '../../../plan/types.js';
import { parseMoment } from '../date-math.js';
import { type Fields, fieldLiteral } from '../fields.js';
import type { Json } from '../json.js';
import { all, any, required } from '../predicates.js';
import type { KeyKind } from '../search-plans.js';
import { type Bucketing, columnOf, keyOf, maxBuckets, withKey } from './bucketing.js';
import { dateHistogram, figureKey, momentKey } from './histograms.js';

const maxSources = 6;

interface Source {
  name: string;
  kind: KeyKind;
  value: Expr;
  descending: boolean;
}

export function composite(options: Json, fields: Fields): Bucketing {
  const given = options.fields('sources', 'size', 'after');
  const list = required(given.sources, 'sources', options);
  const sources = list.items().map((item) => readSource(item, fields));
  if (sources.length < 1 || sources.length > maxSources) list.fail(`"sources" takes 1 to ${maxSources} entries.`);
  const size = given.size?.integer(1, maxBuckets) ?? 10;
  const after = given.after && readAfter(given.after, sources);
  return {
    shape: { kind: 'composite', sources: sources.map(({ name, kind }) => ({ name, keys: kind })), size },
    keys: sources.length,
    rows: (input, own) => sources.reduce((rows, { value }, index) => withKey(rows, own[index]!, value), input),
    select(groups, { above, own }) {
      if (above.length > 0)
        options.fail('"composite" stands at the top: it pages over all events.', 'QUERY_NOT_SUPPORTED');
      const keys = own.map((name) => columnOf(groups, name));
      const beyond = after === undefined ? groups : filter(groups, isAfter(sources, keys, after));
      const orderBy = keys.map(
        (value, index): SortKey => ({ value, descending: sources[index]!.descending, nullsFirst: false }),
      );
      return limit(sort(beyond, orderBy), size);
    },
    leavesOut: true,
  };
}

function readSource(item: Json, fields: Fields): Source {
  const [name, body] = item.only('the name of the source');
  const [kind, options] = body.only('terms, histogram or date_histogram');
  const given = options.fields(
    'field',
    'order',
    'missing_bucket',
    'interval',
    'fixed_interval',
    'calendar_interval',
    'time_zone',
    'format',
  );
  if (given.missing_bucket?.boolean())
    given.missing_bucket.fail('"missing_bucket" is not supported.', 'QUERY_NOT_SUPPORTED');
  if (given.format !== undefined)
    given.format.fail('Leave "format" out: moments are milliseconds.', 'QUERY_NOT_SUPPORTED');
  const at = required(given.field, 'field', options);
  const field = fields.find(at.string(), at);
  const descending = given.order?.oneOf('asc', 'desc') === 'desc';
  const key = keyOf(field, undefined);
  switch (kind) {
    case 'terms':
      return { name, ...key, descending };
    case 'histogram': {
      if (field.kind !== 'long' && field.kind !== 'double') at.fail(`"${field.name}" is no number.`);
      const interval = required(given.interval, 'interval', options).number();
      if (!(interval > 0)) given.interval!.fail('"interval" must be above 0.');
      return { name, kind: 'double', value: figureKey(field.value, interval, 0), descending };
    }
    case 'date_histogram': {
      const { shape } = dateHistogram(without(options, 'order'), fields);
      if (shape.kind !== 'date_histogram') return options.fail('This is no date_histogram.');
      return { name, kind: 'date', value: momentKey(field.value, shape, options), descending };
    }
    default:
      return options.fail(`A source is terms, histogram or date_histogram, not "${kind}".`, 'QUERY_NOT_SUPPORTED');
  }
}

/** The same object with a property left out. */
function without(value: Json, key: string): Json {
  const children = (value.node.children ?? []).filter(({ children: pair }) => pair![0]!.value !== key);
  return Object.assign(Object.create(Object.getPrototypeOf(value)), value, { node: { ...value.node, children } });
}

function readAfter(value: Json, sources: Source[]): Expr[] {
  const given = value.fields(...sources.map(({ name }) => name));
  return sources.map(({ name, kind, value: key }) => {
    const at = required(given[name], name, value);
    if (kind === 'date') return parseMoment(at, 'DOWN', { format: 'EPOCH_MILLIS' });
    return fieldLiteral({ name, kind, value: key }, at);
  });
}

function isAfter(sources: Source[], keys: Expr[], after: Expr[]): Expr {
  return any(
    keys.map((key, index) =>
      all([
        ...keys.slice(0, index).map((before, at) => call('==', [before, after[at]!])),
        call(sources[index]!.descending ? '<' : '>', [key, after[index]!]),
      ]),
    ),
  );
}
