/** How an entry is found: the key of a collection as people give it, in its one canonical form, and as a hash. */
import { createHash } from 'node:crypto';
import { fail } from '../../platform/errors.js';
import { parseMoment } from '../../platform/graphql/scalars.js';
import type { JsonValue } from '../../query/index.js';
import { fromMicros, toMicros } from './moments.js';

/** A column of the query's result that a collection uses. */
export interface CollectionField {
  name: string;
  /** One of the result types of query/result.ts. */
  type: string;
}

/** What every entry's key in Redis begins with, after the prefix: `<org slug>#<hex md5 of slug and name>`. */
export function redisKeyBaseOf(orgSlug: string, friendlyName: string): string {
  return `${orgSlug}#${createHash('md5')
    .update(orgSlug + friendlyName)
    .digest('hex')}`;
}

/** The hash under which a key's entry is found: hex SHA-256 of its canonical form. */
export function keyHash(canonicalKey: string): string {
  return createHash('sha256').update(canonicalKey).digest('hex');
}

/** The canonical form of a key: the values in the order of the key fields, as RFC 8785 writes JSON. */
export function canonicalKey(values: readonly JsonValue[]): string {
  return JSON.stringify(values.map(sorted));
}

/** RFC 8785 writes numbers and strings as ECMAScript does; what is left is the order of an object's members. */
function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, item]) => [name, sorted(item)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * The canonical form of a key that a caller gives: an object of the key fields, or an array of their values in order.
 * @throws BAD_USER_INPUT that names the field
 */
export function keyOfCaller(fields: readonly CollectionField[], key: unknown): string {
  const names = fields.map(({ name }) => name).join(', ');
  if (Array.isArray(key)) {
    if (key.length !== fields.length) refuse(`"key" takes ${fields.length} values, of ${names}, not ${key.length}.`);
    return canonicalKey(fields.map((field, index) => keyValue(field, key[index])));
  }
  if (typeof key !== 'object' || key === null) {
    refuse(`"key" takes an object with ${names}, or an array of their values in this order.`);
  }
  const given = key as Record<string, unknown>;
  const unknown = Object.keys(given).filter((name) => !fields.some((field) => field.name === name));
  if (unknown.length > 0)
    refuse(`"key" has no field ${quoted(unknown)}: its fields are ${names}.`, { fields: unknown });
  const missing = fields.map(({ name }) => name).filter((name) => !Object.hasOwn(given, name));
  if (missing.length > 0) refuse(`"key" lacks ${quoted(missing)}: its fields are ${names}.`, { fields: missing });
  return canonicalKey(fields.map((field) => keyValue(field, given[field.name])));
}

const quoted = (names: string[]): string => names.map((name) => `"${name.slice(0, 80)}"`).join(', ');

const refuse = (message: string, details: Record<string, unknown> = {}): never =>
  fail('BAD_USER_INPUT', message, { argument: 'key', ...details });

const takes: Record<string, string> = {
  BOOL: 'true or false',
  LONG: 'a whole number',
  REAL: 'a number',
  DECIMAL: 'a decimal number as text',
  DATETIME: 'an RFC 3339 moment',
};

/** A value as the query's rows have it. */
function keyValue({ name, type }: CollectionField, value: unknown): JsonValue {
  if (value === null) return null;
  const right = toResultValue(type, value);
  return right ?? refuse(`"key.${name}" takes ${takes[type] ?? 'text'} or null.`, { fields: [name] });
}

function toResultValue(type: string, value: unknown): JsonValue | undefined {
  const isNumber = typeof value === 'number';
  const isText = typeof value === 'string';
  switch (type) {
    case 'BOOL':
      return typeof value === 'boolean' ? value : undefined;
    case 'LONG': {
      if (!(isNumber ? Number.isSafeInteger(value) : isText && /^-?\d{1,19}$/.test(value))) return undefined;
      const figure = Number(value);
      return Number.isSafeInteger(figure) ? figure : String(BigInt(value as string));
    }
    case 'REAL':
      return isNumber || (isText && /^(NaN|-?Infinity)$/.test(value)) ? value : undefined;
    case 'DECIMAL':
      return isNumber || isText ? String(value) : undefined;
    case 'DATETIME': {
      const micros = isText ? toMicros(parseMoment(value)) : undefined;
      return micros === undefined ? undefined : fromMicros(micros);
    }
    case 'DYNAMIC':
      return value as JsonValue;
    default:
      return isText ? value : undefined;
  }
}
