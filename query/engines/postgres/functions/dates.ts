/** Moments and lengths of time, all in UTC. */
import type { dates } from '../../../plan/functions/dates.js';
import { type Argument, partial, type Sql, sql, type Template, type TemplateCall } from './template.js';

const literalText = ({ literal }: Argument): string => String(literal?.value ?? '');

/** A part of a moment, which is written into the SQL: the functions' checks leave no other, and nothing else passes here. */
function partOf(name: Argument): string {
  const word = literalText(name).toLowerCase();
  if (!/^[a-z_]+$/.test(word)) throw new Error('What the plan asks of a moment is no part of a moment.');
  return word;
}

const field = (name: string): Template => sql((moment) => `extract(${name} FROM ${moment} AT TIME ZONE 'UTC')::bigint`);

const startOf =
  (unit: string): Template =>
  ({ args }): Sql => {
    const [moment, offset] = args as [Argument, Argument | undefined];
    if (offset === undefined && unit !== 'week') {
      return { sql: `date_trunc('${unit}', ${moment.sql}, 'UTC')`, nullable: moment.nullable };
    }
    return { sql: `fn.start_of('${unit}', ${moment.sql}, ${offset?.sql ?? '0'})`, nullable: true };
  };

const endOf =
  (unit: string): Template =>
  ({ args: [moment, offset] }) => ({
    sql: `fn.end_of('${unit}', ${moment!.sql}, ${offset?.sql ?? '0'})`,
    nullable: true,
  });

/** Parts of a moment that PostgreSQL has no field of the same name and meaning for. */
const parts: Readonly<Record<string, (moment: string) => string>> = {
  week_of_year: (moment) => `extract(week FROM ${moment})::bigint`,
  dayofyear: (moment) => `extract(doy FROM ${moment})::bigint`,
  second: (moment) => `floor(extract(second FROM ${moment}))::bigint`,
  millisecond: (moment) => `(extract(microseconds FROM ${moment})::bigint % 1000000 / 1000)`,
  microsecond: (moment) => `(extract(microseconds FROM ${moment})::bigint % 1000000)`,
  nanosecond: (moment) => `(extract(microseconds FROM ${moment})::bigint % 1000000 * 1000)`,
};

const part: Template = ({ args }) => {
  const [name, moment] = args as [Argument, Argument];
  const unit = partOf(name);
  const local = `(${moment.sql} AT TIME ZONE 'UTC')`;
  const read = Object.hasOwn(parts, unit) ? parts[unit]! : (of: string) => `extract(${unit} FROM ${of})::bigint`;
  return { sql: read(local), nullable: moment.nullable };
};

/** Kusto’s specifiers of moments in those of to_char. */
const specifiers: Readonly<Record<string, string>> = {
  d: 'FMDD',
  dd: 'DD',
  h: 'FMHH12',
  hh: 'HH12',
  H: 'FMHH24',
  HH: 'HH24',
  m: 'FMMI',
  mm: 'MI',
  M: 'FMMM',
  MM: 'MM',
  s: 'FMSS',
  ss: 'SS',
  y: 'FMYY',
  yy: 'YY',
  yyyy: 'YYYY',
  tt: 'AM',
};

/** Runs of one letter, and what stands between them. */
const tokens = (format: string): string[] => format.match(/([A-Za-z])\1*|[^A-Za-z]+/g) ?? [];

function formatDatetime({ args, parameter }: TemplateCall): Sql {
  const [moment, format] = args as [Argument, Argument];
  const local = `${moment.sql} AT TIME ZONE 'UTC'`;
  const pieces = tokens(literalText(format)).map((token) => {
    const specifier = specifiers[token];
    if (specifier !== undefined) return `to_char(${local}, '${specifier}')`;
    if (/^f+$/i.test(token)) {
      const digits = `rpad(to_char(${local}, 'US'), 7, '0')`;
      const shown = `left(${digits}, ${token.length})`;
      return token.startsWith('F') ? `rtrim(${shown}, '0')` : shown;
    }
    return parameter(token, 'text');
  });
  return { sql: `coalesce(${pieces.length === 0 ? `''` : pieces.join(' || ')}, '')`, nullable: false };
}

const formatTimespan: Template = ({ args, parameter }) => {
  const [value, format] = args as [Argument, Argument];
  return {
    sql: `coalesce(fn.format_timespan(${value.sql}, ${parameter(tokens(literalText(format)), 'text[]')}), '')`,
    nullable: false,
  };
};

const sinceEpoch =
  (microseconds: (n: string) => string): Template =>
  ({ args: [value] }) => ({ sql: `fn.from_epoch(${microseconds(`${value!.sql}::numeric`)})`, nullable: true });

export const dateTemplates: Readonly<Record<keyof typeof dates, Template>> = {
  // Engines bind now() before they run a plan; this serves plans that are only looked at.
  now: ({ args: [distance] }) =>
    distance === undefined
      ? { sql: 'now()', nullable: false }
      : { sql: `fn.shift(now(), ${distance.sql})`, nullable: true },
  ago: partial((distance) => `fn.shift(now(), - ${distance})`),
  startofday: startOf('day'),
  startofweek: startOf('week'),
  startofmonth: startOf('month'),
  startofyear: startOf('year'),
  endofday: endOf('day'),
  endofweek: endOf('week'),
  endofmonth: endOf('month'),
  endofyear: endOf('year'),
  datetime_diff: ({ args: [unit, later, earlier] }) =>
    `fn.datetime_diff('${partOf(unit!)}', ${later!.sql}, ${earlier!.sql})`,
  datetime_add: ({ args: [unit, count, moment] }) => ({
    sql: `fn.datetime_add('${partOf(unit!)}', ${count!.sql}, ${moment!.sql})`,
    nullable: true,
  }),
  datetime_part: part,
  getyear: field('year'),
  getmonth: field('month'),
  monthofyear: field('month'),
  dayofmonth: field('day'),
  dayofyear: field('doy'),
  hourofday: field('hour'),
  week_of_year: field('week'),
  dayofweek: sql((moment) => `make_interval(days => extract(dow FROM ${moment} AT TIME ZONE 'UTC')::int)`),
  make_datetime: ({ args }) => ({
    sql: `fn.make_datetime(${[0, 1, 2, 3, 4, 5].map((i) => args[i]?.sql ?? '0').join(', ')})`,
    nullable: true,
  }),
  make_timespan: ({ args }) => {
    const days = args.length === 4 ? args[0]!.sql : '0';
    const rest = args.length === 4 ? args.slice(1) : args;
    return {
      sql: `fn.make_timespan(${[days, ...rest.map(({ sql: part }) => part), ...(rest.length === 2 ? ['0'] : [])].join(', ')})`,
      nullable: true,
    };
  },
  format_datetime: formatDatetime,
  format_timespan: formatTimespan,
  unixtime_seconds_todatetime: sinceEpoch((n) => `${n} * 1000000`),
  unixtime_milliseconds_todatetime: sinceEpoch((n) => `${n} * 1000`),
  unixtime_microseconds_todatetime: sinceEpoch((n) => n),
  unixtime_nanoseconds_todatetime: sinceEpoch((n) => `${n} / 1000`),
};
