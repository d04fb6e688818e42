/** Buckets of equal steps: of moments, and of numbers. Gaps are filled when the answer is put together. */
import { literal, sort } from '../../../plan/build.js';
import { call } from '../../../plan/functions/index.js';
import type { Expr } from '../../../plan/types.js';
import { parseMoment, readTimeZone, zoneOffsetAt } from '../date-math.js';
import { type Fields, valueOr } from '../fields.js';
import type { Json } from '../json.js';
import { required } from '../predicates.js';
import type { BucketShape, CalendarUnit, DateHistogramShape } from '../search-plans.js';
import { ascending, type Bucketing, withKey } from './bucketing.js';

const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const calendarUnits: Record<string, CalendarUnit> = {
  minute: 'minute',
  '1m': 'minute',
  hour: 'hour',
  '1h': 'hour',
  day: 'day',
  '1d': 'day',
  week: 'week',
  '1w': 'week',
  month: 'month',
  '1M': 'month',
  quarter: 'quarter',
  '1q': 'quarter',
  year: 'year',
  '1y': 'year',
};

export function dateHistogram(options: Json, fields: Fields): Bucketing {
  const given = options.fields(
    'field',
    'fixed_interval',
    'calendar_interval',
    'interval',
    'time_zone',
    'min_doc_count',
    'extended_bounds',
    'missing',
    'keyed',
    'order',
  );
  const at = required(given.field, 'field', options);
  const field = fields.find(at.string(), at);
  if (field.kind !== 'date') at.fail(`"${field.name}" is no date. Use histogram for numbers.`);
  const timeZone = readTimeZone(given.time_zone);
  const step = readStep(options, given);
  const value = valueOr(field, field.value, given.missing);
  const bounds = given.extended_bounds && readBounds(given.extended_bounds, timeZone);
  const shape: DateHistogramShape = {
    kind: 'date_histogram',
    step,
    timeZone,
    minDocCount: given.min_doc_count?.integer(0, Number.MAX_SAFE_INTEGER) ?? 0,
    ...(bounds && { bounds }),
    keyed: given.keyed?.boolean() ?? false,
  };
  checkOrder(given.order);
  return inSteps(momentKey(value, shape, given.time_zone ?? options), shape);
}

type Step = DateHistogramShape['step'];

function readStep(options: Json, given: { fixed_interval?: Json; calendar_interval?: Json; interval?: Json }): Step {
  const { fixed_interval: fixed, calendar_interval: calendar, interval } = given;
  const all = [fixed, calendar, interval].filter((each) => each !== undefined);
  const only = all[0];
  if (only === undefined || all.length > 1) {
    return options.fail(
      '"date_histogram" takes one of "fixed_interval", such as "5m", and "calendar_interval", such as "month".',
    );
  }
  const text = only.string();
  if (only !== fixed && Object.hasOwn(calendarUnits, text)) return { calendar: calendarUnits[text]! };
  const match = only === calendar ? null : /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  const fixedMs = match === null ? 0 : Number(match[1]) * unitMs[match[2]!]!;
  if (fixedMs > 0) return { fixedMs };
  return only.fail(
    only === calendar
      ? `"${text}" is no calendar interval. There are ${Object.keys(calendarUnits).join(', ')}.`
      : `"${text}" is no interval. Write 30s, 5m, 1h or 7d.`,
  );
}

/** The start of the step that a moment lies in. */
export function momentKey(
  value: Expr,
  { step, timeZone }: Pick<DateHistogramShape, 'step' | 'timeZone'>,
  at: Json,
): Expr {
  if ('calendar' in step) {
    return call('calendar_bin', [value, literal('string', step.calendar), literal('string', timeZone)]);
  }
  // Steps of a fixed length begin at the zone's 1970; where its clocks change that is not one place.
  const isFixed = timeZone === 'UTC' || /^[+-]/.test(timeZone);
  if (!isFixed)
    at.fail('A fixed_interval takes a time zone such as +02:00, or a calendar_interval.', 'QUERY_NOT_SUPPORTED');
  const origin = new Date(-zoneOffsetAt(timeZone, 0)!).toISOString().replace('.000Z', 'Z');
  return call('bin_at', [value, literal('timespan', step.fixedMs * 1_000), literal('datetime', origin)]);
}

function readBounds(value: Json, timeZone: string): { min: number; max: number } {
  const { min, max } = value.fields('min', 'max');
  const read = (bound: Json | undefined, name: string): number => {
    const moment = parseMoment(required(bound, name, value), 'DOWN', { timeZone });
    if (moment.kind === 'literal') return Date.parse(String(moment.value));
    return value.fail('"extended_bounds" takes fixed dates here, not "now".', 'QUERY_NOT_SUPPORTED');
  };
  return ordered(value, read(min, 'min'), read(max, 'max'));
}

const ordered = (value: Json, min: number, max: number) =>
  min <= max ? { min, max } : value.fail(`"${value.name}" has its "min" after its "max".`);

export function histogram(options: Json, fields: Fields): Bucketing {
  const given = options.fields(
    'field',
    'interval',
    'offset',
    'min_doc_count',
    'extended_bounds',
    'missing',
    'keyed',
    'order',
  );
  const at = required(given.field, 'field', options);
  const field = fields.find(at.string(), at);
  if (field.kind !== 'long' && field.kind !== 'double' && field.kind !== 'object')
    at.fail(`"${field.name}" is no number.`);
  const interval = required(given.interval, 'interval', options).number();
  if (!(interval > 0)) given.interval!.fail('"interval" must be above 0.');
  const offset = given.offset?.number() ?? 0;
  const figures = field.kind === 'double' ? field.value : call('todouble', [field.value]);
  const value = valueOr(field, figures, given.missing);
  const { min, max } = given.extended_bounds?.fields('min', 'max') ?? {};
  const bounds =
    given.extended_bounds &&
    ordered(
      given.extended_bounds,
      required(min, 'min', given.extended_bounds).number(),
      required(max, 'max', given.extended_bounds).number(),
    );
  checkOrder(given.order);
  return inSteps(figureKey(value, interval, offset), {
    kind: 'histogram',
    interval,
    offset,
    minDocCount: given.min_doc_count?.integer(0, Number.MAX_SAFE_INTEGER) ?? 0,
    ...(bounds && { bounds }),
    keyed: given.keyed?.boolean() ?? false,
  });
}

/** The start of the step that a number lies in. */
export function figureKey(value: Expr, interval: number, offset: number): Expr {
  const real = value.type === 'real' ? value : call('todouble', [value]);
  return call('bin_at', [real, literal('real', interval), literal('real', offset)]);
}

function checkOrder(order: Json | undefined): void {
  for (const item of order?.items() ?? []) {
    const [path, direction] = item.only('"_key"');
    if (path !== '_key' || direction.oneOf('asc', 'desc') !== 'asc') {
      item.fail('Histograms come in the order of their keys.', 'QUERY_NOT_SUPPORTED');
    }
  }
}

const inSteps = (key: Expr, shape: BucketShape): Bucketing => ({
  shape,
  keys: 1,
  rows: (input, [own]) => withKey(input, own!, key),
  // What has fewer events than asked for is left out when the gaps are known.
  select: (groups, { above, own }) =>
    sort(
      groups,
      [...above, ...own].map((name) => ascending(groups, name)),
    ),
  leavesOut: false,
});
