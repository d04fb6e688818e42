/** Functions of moments and lengths of time. Moments beyond the years 1 to 9999 are null. */
import type { Expr } from '../types.js';
import type { FunctionSpec } from './signatures.js';
import { spec } from './spec.js';

const page = (name: string): string => `${name}-function`;
const number = (name: string, description: string): FunctionSpec => spec(page(name), description, 'datetime -> long');
const edge = (name: string, description: string): FunctionSpec =>
  spec(page(name), `${description} The second argument moves it by so many of them.`, 'datetime, long? -> datetime');
const since1970 = (unit: string): FunctionSpec =>
  spec(
    page(`unixtime-${unit}-todatetime`),
    `The moment so many ${unit} after 1970 began.`,
    'real -> datetime',
    'long -> datetime',
  );

/** The units in which calendars are counted. */
const periods = [
  'year',
  'quarter',
  'month',
  'week',
  'day',
  'hour',
  'minute',
  'second',
  'millisecond',
  'microsecond',
  'nanosecond',
];

const oneOf =
  (allowed: readonly string[]): NonNullable<FunctionSpec['check']> =>
  ([part]: readonly Expr[]) => {
    const isKnown = part?.kind === 'literal' && allowed.includes(String(part.value).toLowerCase());
    return isKnown ? undefined : { argument: 0, message: `The period must be one of ${allowed.join(', ')}.` };
  };
const inPeriods = oneOf(periods);

/** The parts that datetime_part reads off a moment. */
const readableParts = [
  'year',
  'quarter',
  'month',
  'week_of_year',
  'day',
  'dayofyear',
  'hour',
  'minute',
  'second',
  'millisecond',
  'microsecond',
  'nanosecond',
] as const;

/** The specifiers that a format may have, each repeated at most so often, and the characters between them. */
const formats: Record<'datetime' | 'timespan', RegExp> = {
  datetime: /^(?:d{1,2}|f{1,7}|F{1,7}|h{1,2}|H{1,2}|m{1,2}|M{1,2}|s{1,2}|yyyy|yy|y|tt|[ /\-:,._[\]TZ])*$/,
  timespan: /^(?:d{1,8}|f{1,7}|F{1,7}|h{1,2}|H{1,2}|m{1,2}|s{1,2}|[ /\-:,._[\]])*$/,
};
const withFormat = (kind: 'datetime' | 'timespan'): NonNullable<FunctionSpec['check']> =>
  function check([, format]) {
    const isKnown = format?.kind === 'literal' && formats[kind].test(String(format.value ?? ''));
    return isKnown ? undefined : { argument: 1, message: `The format has a part that format_${kind} does not know.` };
  };

export const dates = {
  now: spec(
    page('now'),
    'The moment at which the query runs, the same all over it; moved by the timespan.',
    'timespan? -> datetime',
  ),
  ago: spec(page('ago'), 'The moment that long before the query runs.', 'timespan -> datetime'),
  startofday: edge('startofday', 'The begin of the day.'),
  startofweek: edge('startofweek', 'The begin of the week, a Sunday.'),
  startofmonth: edge('startofmonth', 'The begin of the month.'),
  startofyear: edge('startofyear', 'The begin of the year.'),
  endofday: edge('endofday', 'The last microsecond of the day.'),
  endofweek: edge('endofweek', 'The last microsecond of the week, which ends with Saturday.'),
  endofmonth: edge('endofmonth', 'The last microsecond of the month.'),
  endofyear: edge('endofyear', 'The last microsecond of the year.'),
  datetime_diff: {
    ...spec(
      page('datetime-diff'),
      'How many borders of the period lie between the second moment and the first.',
      'string!, datetime, datetime -> long',
    ),
    check: inPeriods,
  },
  datetime_add: {
    ...spec(
      page('datetime-add'),
      'The moment so many periods later; the last day of a shorter month stays in it.',
      'string!, long, datetime -> datetime',
    ),
    check: inPeriods,
  },
  datetime_part: {
    ...spec(page('datetime-part'), 'A part of the moment as a number.', 'string!, datetime -> long'),
    check: oneOf(readableParts),
  },
  getyear: number('getyear', 'The year.'),
  getmonth: number('getmonth', 'The month, from 1.'),
  monthofyear: number('monthofyear', 'The month, from 1.'),
  dayofmonth: number('dayofmonth', 'The day of the month, from 1.'),
  dayofyear: number('dayofyear', 'The day of the year, from 1.'),
  hourofday: number('hourofday', 'The hour, from 0.'),
  week_of_year: number('week-of-year', 'The week of the year by ISO 8601, from 1.'),
  dayofweek: spec(page('dayofweek'), 'The time since the Sunday before, in whole days.', 'datetime -> timespan'),
  make_datetime: spec(
    page('make-datetime'),
    'The moment of a year, month and day, and an hour, minute and second; null where there is none.',
    'long, long, long, long?, long?, real? -> datetime',
  ),
  make_timespan: spec(
    page('make-timespan'),
    'The time of days, hours, minutes and seconds; null where one is out of range.',
    'long, long -> timespan',
    'long, long, real -> timespan',
    'long, long, long, real -> timespan',
  ),
  format_datetime: {
    ...spec(
      page('format-datetime'),
      'The moment in a format such as `yyyy-MM-dd HH:mm:ss.fff`; empty for null.',
      'datetime, string! -> string',
    ),
    check: withFormat('datetime'),
  },
  format_timespan: {
    ...spec(
      page('format-timespan'),
      'The timespan in a format such as `d.hh:mm:ss`; empty for null.',
      'timespan, string! -> string',
    ),
    check: withFormat('timespan'),
  },
  unixtime_seconds_todatetime: since1970('seconds'),
  unixtime_milliseconds_todatetime: since1970('milliseconds'),
  unixtime_microseconds_todatetime: since1970('microseconds'),
  unixtime_nanoseconds_todatetime: since1970('nanoseconds'),
} satisfies Record<string, FunctionSpec>;
