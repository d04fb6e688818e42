/**
 * Moments as OpenSearch writes them: dates with parts left out, milliseconds since 1970, and date math such as
 * `now-1h/d` or `2026-01-31||+1M`.
 * https://docs.opensearch.org/latest/field-types/supported-field-types/date/#date-math
 */
import { literal } from '../../plan/build.js';
import { call } from '../../plan/functions/index.js';
import { momentText } from '../../plan/moment.js';
import type { Expr, LiteralExpr } from '../../plan/types.js';
import type { Json } from './json.js';

/** Where a moment with parts left out, or rounded, lies in what it leaves open: at its first or its last moment. */
export type Rounding = 'DOWN' | 'UP';

export type DateFormat = 'ANY' | 'EPOCH_MILLIS' | 'EPOCH_SECOND';

const units: Record<string, string> = {
  y: 'year',
  M: 'month',
  w: 'week',
  d: 'day',
  h: 'hour',
  H: 'hour',
  m: 'minute',
  s: 'second',
};
const calendarUnits = new Set(['year', 'month', 'week', 'day']);
const microsecond = literal('timespan', 1);
const datePattern =
  /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:[T ](\d{2})(?::(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?)?(Z|[+-]\d{2}:?\d{2})?)?)?$/;

export interface DateOptions {
  format?: DateFormat;
  /** An offset such as +02:00 or a zone's name, for dates that have none of their own, and for rounding. */
  timeZone?: string;
}

/** The moment that a value of a search means. */
export function parseMoment(
  value: Json,
  rounding: Rounding,
  { format = 'ANY', timeZone = 'UTC' }: DateOptions = {},
): Expr {
  const given = value.scalar();
  if (typeof given === 'boolean') return value.fail('A moment is a string or a number.');
  const text = String(given);
  // Four digits are a year, as in OpenSearch.
  const isFigure = format !== 'ANY' || (/^-?\d+(\.\d+)?$/.test(text) && !/^\d{4}$/.test(text));
  const figure = isFigure ? Number(text) : Number.NaN;
  if (!Number.isNaN(figure)) return fromEpoch(value, figure, format);
  const isNow = text.startsWith('now');
  const [anchor, math] = isNow ? ['now', text.slice(3)] : splitMath(text);
  const start = isNow ? call('now', []) : undefined;
  if (start === undefined) {
    const [first, last] = rangeOfDate(value, anchor, timeZone);
    if (math === '') return literal('datetime', rounding === 'DOWN' ? first : last);
    return applyMath(value, literal('datetime', first), math, rounding, timeZone);
  }
  return math === '' ? start : applyMath(value, start, math, rounding, timeZone);
}

function splitMath(text: string): [string, string] {
  const at = text.indexOf('||');
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 2)];
}

function fromEpoch(value: Json, figure: number, format: DateFormat): Expr {
  const ms = format === 'EPOCH_SECOND' ? figure * 1000 : figure;
  const seconds = Math.floor(ms / 1000);
  const micros = Math.round((ms - seconds * 1000) * 1000);
  const date = new Date((seconds + Math.floor(micros / 1_000_000)) * 1000);
  if (Number.isNaN(date.getTime()) || date.getUTCFullYear() < 1 || date.getUTCFullYear() > 9999) {
    value.fail(`${figure} is no moment in the years 1 to 9999.`);
  }
  return literal('datetime', momentAt(date.getTime(), micros % 1_000_000));
}

/** The first and the last microsecond of what a date names: `2026-02-03` is a day. */
function rangeOfDate(value: Json, text: string, timeZone: string): [string, string] {
  const match = datePattern.exec(text);
  if (match === null) {
    return value.fail(
      `"${text}" is no date. Write 2026-01-31, 2026-01-31T12:00:00Z, milliseconds since 1970, or now-1h.`,
    );
  }
  const [, year, month, day, hour, minute, second, fraction, zone] = match;
  const parts = [year, month ?? '01', day ?? '01', hour ?? '00', minute ?? '00', second ?? '00'].map(Number);
  const [y, mo, d, h, mi, s] = parts as [number, number, number, number, number, number];
  const local = Date.UTC(y, mo - 1, d, h, mi, s);
  const written = new Date(local);
  if (
    written.getUTCFullYear() !== y ||
    written.getUTCMonth() !== mo - 1 ||
    written.getUTCDate() !== d ||
    h > 23 ||
    mi > 59 ||
    s > 59
  ) {
    value.fail(`"${text}" is a date that does not exist.`);
  }
  const micros = Math.floor(Number((fraction ?? '').padEnd(9, '0')) / 1000);
  const offsetMs = zone === undefined ? zoneOffsetMs(timeZone, local) : parseOffsetMs(zone);
  const first = momentAt(local - offsetMs, micros);
  const next = nextOf(parts, { month, day, hour, minute, second, fraction });
  const last = next === undefined ? first : momentAt(next - 1000 - offsetMs, 999_999);
  return [first, last];
}

/**
 * Where what comes after the named span begins; undefined where the date is written to its fraction. A month or day that
 * is left out is the first one, as in OpenSearch: `2026-02` ends with the first of February.
 */
function nextOf(parts: number[], given: Record<string, string | undefined>): number | undefined {
  const [y, mo, d, h, mi, s] = parts as [number, number, number, number, number, number];
  if (given.fraction !== undefined) return undefined;
  if (given.hour === undefined) return Date.UTC(y, mo - 1, d + 1);
  if (given.minute === undefined) return Date.UTC(y, mo - 1, d, h + 1);
  if (given.second === undefined) return Date.UTC(y, mo - 1, d, h, mi + 1);
  return Date.UTC(y, mo - 1, d, h, mi, s + 1);
}

const maxMathSteps = 50;

function applyMath(value: Json, start: Expr, math: string, rounding: Rounding, timeZone: string): Expr {
  let moment = start;
  let rest = math;
  if ((math.match(/[-+/]/g)?.length ?? 0) > maxMathSteps) {
    value.fail(`Date math has at most ${maxMathSteps} steps here.`, 'QUERY_NOT_SUPPORTED');
  }
  while (rest !== '') {
    const step = /^(?:([+-])(\d{1,9})|\/)([yMwdhHms])/.exec(rest);
    if (step === null) return value.fail(`"${rest}" is no date math. Write steps such as -1h, +2d or /d.`);
    const [whole, sign, count, letter] = step;
    const unit = literal('string', units[letter!]!);
    if (sign === undefined) {
      const floor = call('calendar_bin', [moment, unit, literal('string', timeZone)]);
      moment = rounding === 'DOWN' ? floor : call('-', [later(floor, unit, 1, timeZone), microsecond]);
    } else moment = later(moment, unit, Number(`${sign}${count}`), timeZone);
    rest = rest.slice(whole.length);
  }
  return moment;
}

/** So many units later: days and more by the calendar of the zone. */
function later(moment: Expr, unit: LiteralExpr, count: number, timeZone: string): Expr {
  const isInZone = timeZone !== 'UTC' && calendarUnits.has(String(unit.value));
  return isInZone
    ? call('calendar_add', [unit, literal('long', count), moment, literal('string', timeZone)])
    : call('datetime_add', [unit, literal('long', count), moment]);
}

/** A zone that an option names. */
export function readTimeZone(option: Json | undefined): string {
  const zone = option?.string() ?? 'UTC';
  if (zoneOffsetAt(zone, 0) === undefined) option!.fail(`"${zone}" is no time zone. Write +02:00 or Europe/Berlin.`);
  return zone === 'Z' ? 'UTC' : zone;
}

/**
 * The offset of a zone at a local time: the first of the two that a repeated hour has; in an hour that is left out, the one
 * before.
 */
function zoneOffsetMs(timeZone: string, localMs: number): number {
  const [before, after] = [-1, 1].map((side) => zoneOffsetAt(timeZone, localMs + side * 86_400_000) ?? 0);
  return zoneOffsetAt(timeZone, localMs - before!) === before || zoneOffsetAt(timeZone, localMs - after!) !== after
    ? before!
    : after!;
}

/** How far a zone's clocks are ahead of UTC at a moment, in ms; undefined for what is no zone. */
export function zoneOffsetAt(timeZone: string, utcMs: number): number | undefined {
  if (timeZone === 'UTC' || timeZone === 'Z') return 0;
  if (/^[+-]/.test(timeZone)) return /^.([01]\d|2[0-3]):?[0-5]\d$/.test(timeZone) ? parseOffsetMs(timeZone) : undefined;
  const format = formatOf(timeZone);
  if (format === undefined) return undefined;
  const name = format.formatToParts(utcMs).find(({ type }) => type === 'timeZoneName')!.value;
  return name === 'GMT' ? 0 : parseOffsetMs(name.slice(3));
}

/** Made once for each zone: that takes much longer than a use. There are some hundreds. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat | undefined {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  try {
    const format = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' });
    formats.set(timeZone, format);
    return format;
  } catch {
    return undefined;
  }
}

function parseOffsetMs(zone: string): number {
  const match = /^([+-])(\d{2}):?(\d{2})(?::(\d{2}))?$/.exec(zone);
  if (match === null) return 0;
  const [, sign, hours, minutes, seconds = '0'] = match;
  return (sign === '-' ? -1 : 1) * ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
}

const momentAt = (ms: number, micros: number): string => momentText(BigInt(ms) * 1_000n + BigInt(micros));

/** `2026-01-31T12:00:00.000Z`, or with the zone's offset. */
export function inZone(ms: number, timeZone: string): string {
  const offsetMs = zoneOffsetAt(timeZone, ms) ?? 0;
  const local = new Date(ms + offsetMs).toISOString().slice(0, -1);
  if (offsetMs === 0) return `${local}Z`;
  const minutes = Math.abs(Math.round(offsetMs / 60_000));
  const pad = (figure: number): string => String(figure).padStart(2, '0');
  return `${local}${offsetMs < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
}
