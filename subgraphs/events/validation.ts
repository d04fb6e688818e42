/** Parses raw events at the edge: an event becomes a row of its dataset, or is refused with the field that does not fit. */
import { isIP } from 'node:net';
import type { Column, Dataset, RawEvent } from '../../datasets/types.js';
import type { ErrorCode } from '../../platform/errors.js';
import { parseMoment } from '../../platform/graphql/scalars.js';
import { isJsonObject } from '../../platform/json.js';
import { isNestedTooDeeply, isStorableText, maxNesting, toStorableText } from '../../platform/storable.js';

export interface Rejection {
  code: ErrorCode;
  message: string;
  field?: string;
}

/** A row in the order of the dataset's columns, with the undeclared rest. */
export interface EventRow {
  values: (string | number | boolean | null)[];
  attributes: string;
  /** The event's time in milliseconds since the epoch. */
  timeMs: number;
  /** The event's size as JSON. */
  bytes: number;
}

/** Refusals travel as exceptions within this file only. */
class Refused extends Error {
  constructor(readonly rejection: Rejection) {
    super(rejection.message);
  }
}

const refuse = (field: string, message: string): never => {
  // Refusals are stored with their batch, and what is refused may be what cannot be stored.
  throw new Refused({ code: 'EVENT_INVALID', message: toStorableText(message), field: toStorableText(field) });
};

const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60).toWellFormed()}…` : text;
};

const int = (value: unknown, column: Column, min: bigint, max: bigint): string => {
  const text = typeof value === 'number' && Number.isInteger(value) ? BigInt(value).toString() : String(value).trim();
  if (typeof value === 'boolean' || !/^[+-]?\d{1,20}$/.test(text)) {
    return refuse(column.name, `"${column.name}" takes a whole number, not ${show(value)}.`);
  }
  const number = BigInt(text);
  if (number < min || number > max)
    return refuse(column.name, `"${column.name}" takes ${min} to ${max}, not ${show(value)}.`);
  return number.toString();
};

const earliest = Date.UTC(1970, 0, 1);
const latest = Date.UTC(2100, 0, 1);

/** RFC 3339; the same with a blank and no offset is UTC; numbers are seconds, or milliseconds from 10^11 on. */
function moment(value: unknown, column: Column): string {
  let text: string | undefined;
  if (typeof value === 'number' && Number.isFinite(value)) {
    const ms = Math.abs(value) >= 1e11 ? value : value * 1000;
    text = Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : undefined;
  } else if (typeof value === 'string') {
    const trimmed = value.trim();
    text = parseMoment(trimmed) ?? parseMoment(`${trimmed}Z`);
  }
  if (text === undefined)
    return refuse(
      column.name,
      `"${column.name}" takes an RFC 3339 time such as 2026-01-31T12:00:00Z, not ${show(value)}.`,
    );
  const ms = Date.parse(text);
  if (ms < earliest || ms >= latest)
    return refuse(column.name, `"${column.name}" takes times from 1970 to 2099, not ${show(value)}.`);
  return text;
}

const convert: Record<Column['type'], (value: unknown, column: Column) => string | number | boolean | null> = {
  STRING: (value, column) => {
    if (typeof value === 'string') return value;
    if (typeof value === 'object') return refuse(column.name, `"${column.name}" takes text, not ${show(value)}.`);
    return String(value);
  },
  INT: (value, column) => int(value, column, -(2n ** 31n), 2n ** 31n - 1n),
  LONG: (value, column) => int(value, column, -(2n ** 63n), 2n ** 63n - 1n),
  REAL: (value, column) => {
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    return typeof number === 'number' && Number.isFinite(number)
      ? number
      : refuse(column.name, `"${column.name}" takes a number, not ${show(value)}.`);
  },
  BOOLEAN: (value, column) => {
    if (value === true || value === 'true') return true;
    if (value === false || value === 'false') return false;
    return refuse(column.name, `"${column.name}" takes true or false, not ${show(value)}.`);
  },
  DATETIME: moment,
  IP: (value, column) => {
    const text = String(value).trim();
    if (text === '-') return null;
    return isIP(text) > 0 && !text.includes('%')
      ? text
      : refuse(column.name, `"${column.name}" takes an IP address, not ${show(value)}.`);
  },
  JSON: (value) => JSON.stringify(value),
};

/** Text that PostgreSQL cannot keep: NUL characters and halves of surrogate pairs. */
function unstorable(value: unknown): boolean {
  if (typeof value === 'string') return !isStorableText(value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, item]) => unstorable(key) || unstorable(item));
}

const namesByDataset = new WeakMap<Dataset, ReadonlySet<string>>();

/** The names that do not go to `attributes` by themselves. */
function declaredNames(dataset: Dataset): ReadonlySet<string> {
  let names = namesByDataset.get(dataset);
  if (!names) {
    names = new Set([...dataset.columns.map((column) => column.name), 'attributes']);
    namesByDataset.set(dataset, names);
  }
  return names;
}

/** Makes the row of an event, or tells why it does not fit. */
export function toEventRow(dataset: Dataset, event: unknown, maxBytes: number): EventRow | Rejection {
  if (isNestedTooDeeply(event)) {
    return { code: 'EVENT_INVALID', message: `The event is nested more than ${maxNesting} levels deep.` };
  }
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    return { code: 'EVENT_INVALID', message: `An event is a JSON object, not ${show(event)}.` };
  }
  const bytes = Buffer.byteLength(JSON.stringify(event));
  if (bytes > maxBytes) {
    return {
      code: 'EVENT_TOO_LARGE',
      message: `The event has ${bytes.toLocaleString('en')} bytes; the limit is ${maxBytes.toLocaleString('en')}.`,
    };
  }
  const fields = dataset.normalise?.(event as RawEvent) ?? (event as RawEvent);
  const given = fields.attributes;
  try {
    const values = dataset.columns.map((column) => {
      const value = Object.hasOwn(fields, column.name) ? fields[column.name] : undefined;
      if (value === undefined || value === null || (value === '' && column.type !== 'STRING')) {
        return column.name === dataset.timeColumn
          ? refuse(column.name, `"${column.name}" is missing: every event needs its time.`)
          : null;
      }
      if (unstorable(value))
        refuse(column.name, `"${column.name}" holds a NUL or half a surrogate pair, which cannot be stored.`);
      return convert[column.type](value, column);
    });
    const declared = declaredNames(dataset);
    const rest = Object.fromEntries(Object.entries(fields).filter(([name]) => !declared.has(name)));
    const attributes = isJsonObject(given)
      ? { ...given, ...rest }
      : given === undefined
        ? rest
        : { ...rest, attributes: given };
    const broken = Object.entries(attributes).find(([key, value]) => unstorable(key) || unstorable(value));
    if (broken) refuse(broken[0], `"${broken[0]}" holds a NUL or half a surrogate pair, which cannot be stored.`);
    const time = values[dataset.columns.findIndex(({ name }) => name === dataset.timeColumn)];
    return { values, attributes: JSON.stringify(attributes), timeMs: Date.parse(time as string), bytes };
  } catch (error) {
    if (error instanceof Refused) return error.rejection;
    throw error;
  }
}
