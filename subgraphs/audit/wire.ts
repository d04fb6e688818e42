/**
 * Reads entries in LogHarbour's wire form. Two spellings of each part are about: what its clients emit (`instance`,
 * `status` as an integer that is left out when it is 0, `data` under a key of its type) and what its documents show
 * (`instance_id`, status in words, the inner object directly under `data`). Both become one Entry.
 */
import { fail } from '../../platform/errors.js';
import { isJsonObject } from '../../platform/json.js';
import { isStorableText, maxNesting } from '../../platform/storable.js';
import { toAddress } from './address.js';
import { type Entry, type EntryType, type OutcomeName, priorities } from './entry.js';
import { newKsuid } from './ksuid.js';
import { toNanoseconds } from './nanoseconds.js';

/** The longest each text may be, in bytes of UTF-8. Names are short because indexes hold them. */
export const textLimits = {
  id: 128,
  app: 128,
  system: 128,
  module: 128,
  class: 128,
  trace_id: 128,
  span_id: 128,
  remote_ip: 256,
  op: 256,
  instance: 512,
  who: 1_024,
  error: 16_384,
  msg: 65_536,
} as const;

/** How far a sender's clock may be ahead. A moment beyond would stand at the top of every timeline. */
const maxAheadMs = 86_400_000;
const maxInt = 2 ** 31 - 1;

export interface WireContext {
  /** The app of entries that name none. */
  app: string | undefined;
  nowMs: number;
  /** The largest entry as JSON. */
  maxBytes: number;
}

/** An entry with the fields that Entry does not have, kept as they were sent. */
export type ParsedEntry = Entry & {
  attributes: Record<string, unknown>;
  /** The entry's size as JSON. */
  bytes: number;
};

type Raw = Record<string, unknown>;

const invalid = (field: string, message: string): never => fail('EVENT_INVALID', message, { argument: field });

const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
};

const isAbsent = (value: unknown): value is undefined | null | '' =>
  value === undefined || value === null || value === '';

/**
 * Reads one entry.
 * @throws EVENT_INVALID with the field in `argument`, EVENT_TOO_LARGE
 */
export function parseEntry(raw: unknown, context: WireContext): ParsedEntry {
  if (!isJsonObject(raw))
    return fail('EVENT_INVALID', `An entry is a JSON object, not ${Array.isArray(raw) ? 'a list' : show(raw)}.`);
  for (const [field, value] of Object.entries(raw)) checkStorable(field, value);
  const bytes = Buffer.byteLength(JSON.stringify(raw));
  if (bytes > context.maxBytes) {
    fail(
      'EVENT_TOO_LARGE',
      `The entry has ${bytes.toLocaleString('en')} bytes; the limit is ${context.maxBytes.toLocaleString('en')}.`,
    );
  }
  // Every field that is read is taken out, so that what remains are the fields that nobody declared.
  const attributes: Raw = { ...raw };
  const take = (field: string): unknown => {
    const value = attributes[field];
    delete attributes[field];
    return value;
  };
  const text = (field: keyof typeof textLimits, value: unknown = take(field)): string | null => {
    if (isAbsent(value)) return null;
    if (typeof value !== 'string') return invalid(field, `"${field}" takes text, not ${show(value)}.`);
    const length = Buffer.byteLength(value);
    const limit = textLimits[field];
    return length <= limit
      ? value
      : invalid(
          field,
          `"${field}" has ${length.toLocaleString('en')} bytes; the limit is ${limit.toLocaleString('en')}.`,
        );
  };
  const type = parseType(take('type'));
  const data = parseData(type, take('data'));
  const remote = text('remote_ip');
  const instanceId = take('instance_id');
  const instance = take('instance');
  const changeOp = type === 'C' ? (data as Raw).op : undefined;
  const op = take('op');
  return {
    id: text('id') ?? newKsuid(context.nowMs),
    app:
      text('app') ??
      context.app ??
      invalid('app', '"app" is missing: name the app in the entry or for the whole call.'),
    system: text('system'),
    module: text('module'),
    type,
    pri: parsePriority(take('pri')),
    whenNs: parseWhen(take('when'), context.nowMs),
    who: text('who'),
    op: text('op', isAbsent(op) ? (changeOp ?? null) : op),
    class: text('class'),
    instanceId: text('instance', isAbsent(instance) ? (instanceId ?? null) : instance),
    status: parseStatus(take('status')),
    error: text('error'),
    remote,
    remoteIp: remote === null ? null : (toAddress(remote) ?? null),
    msg: text('msg') ?? '',
    data,
    traceId: text('trace_id'),
    spanId: text('span_id'),
    attributes,
    bytes,
  };
}

/** Refuses what jsonb and text columns cannot keep: NUL, half a surrogate pair, objects without end. */
function checkStorable(field: string, value: unknown): void {
  const check = (item: unknown, depth: number): void => {
    if (typeof item === 'string' && !isStorableText(item)) {
      invalid(field, `"${field}" holds a NUL character or half a surrogate pair, which cannot be stored.`);
    }
    if (typeof item !== 'object' || item === null) return;
    if (depth > maxNesting) invalid(field, `"${field}" is nested more than ${maxNesting} levels deep.`);
    for (const [key, inner] of Object.entries(item)) {
      check(key, depth);
      check(inner, depth + 1);
    }
  };
  check(field, 1);
  check(value, 1);
}

const typeLetters: Record<string, EntryType> = {
  A: 'A',
  C: 'C',
  D: 'D',
  U: 'U',
  ACTIVITY: 'A',
  CHANGE: 'C',
  DEBUG: 'D',
  UNKNOWN: 'U',
};

function parseType(value: unknown): EntryType {
  const letter = typeof value === 'string' ? typeLetters[value.toUpperCase()] : undefined;
  return (
    letter ??
    invalid('type', `"type" takes "A" (activity), "C" (data change), "D" (debug) or "U" (unknown), not ${show(value)}.`)
  );
}

function parsePriority(value: unknown): number {
  if (isAbsent(value)) return priorities.indexOf('INFO');
  const place = typeof value === 'string' ? (priorities as readonly string[]).indexOf(value.toUpperCase()) : -1;
  return place >= 0
    ? place
    : invalid('pri', `"pri" takes Debug2, Debug1, Debug0, Info, Warn, Err, Crit or Sec, not ${show(value)}.`);
}

function parseWhen(value: unknown, nowMs: number): string {
  if (isAbsent(value)) return invalid('when', '"when" is missing: every entry needs its time.');
  const ns = typeof value === 'string' ? toNanoseconds(value.trim()) : undefined;
  if (ns === undefined)
    return invalid('when', `"when" takes an RFC 3339 time such as 2026-01-31T12:00:00.123456789Z, not ${show(value)}.`);
  if (ns < 0n || ns > BigInt(nowMs + maxAheadMs) * 1_000_000n) {
    return invalid('when', `"when" takes times from 1970 to one day from now, not ${show(value)}.`);
  }
  return ns.toString();
}

const outcomes: Record<string, OutcomeName> = {
  '0': 'SUCCESS',
  '1': 'FAILURE',
  SUCCESS: 'SUCCESS',
  FAILURE: 'FAILURE',
};

/** Success is 0 and left out on the wire, so an absent status is a success; an explicit null says that there is none. */
function parseStatus(value: unknown): OutcomeName | null {
  if (value === null) return null;
  if (value === undefined || value === '') return 'SUCCESS';
  const outcome =
    typeof value === 'string' || typeof value === 'number' ? outcomes[String(value).toUpperCase()] : undefined;
  return outcome ?? invalid('status', `"status" takes 0 or "Success", 1 or "Failure", not ${show(value)}.`);
}

const wrappers: Record<EntryType, string> = {
  A: 'activity_data',
  C: 'change_data',
  D: 'debug_data',
  U: 'activity_data',
};

function parseData(type: EntryType, value: unknown): unknown {
  const wrapper = wrappers[type];
  const inner = isJsonObject(value) && wrapper in value ? value[wrapper] : value;
  if (type === 'C') return parseChange(inner);
  if (type === 'D') return parseDebug(inner);
  return inner ?? null;
}

function parseChange(data: unknown): Raw {
  if (!isJsonObject(data))
    return invalid(
      'data',
      '"data" of a data change takes {"entity", "op", "changes"}, directly or under "change_data".',
    );
  if (typeof data.entity !== 'string')
    return invalid('data.entity', `"data.entity" takes text, not ${show(data.entity)}.`);
  const op = data.op;
  if (!isAbsent(op) && typeof op !== 'string') return invalid('data.op', `"data.op" takes text, not ${show(op)}.`);
  // Go's clients send a change without fields as null.
  const changes = data.changes ?? [];
  if (!Array.isArray(changes)) return invalid('data.changes', `"data.changes" takes a list, not ${show(changes)}.`);
  changes.forEach((change, index) => {
    if (!isJsonObject(change) || typeof change.field !== 'string') {
      invalid(
        `data.changes[${index}]`,
        `"data.changes[${index}]" takes {"field", "old_value", "new_value"}, not ${show(change)}.`,
      );
    }
  });
  return { ...data, changes };
}

function parseDebug(data: unknown): Raw | null {
  if (isAbsent(data)) return null;
  if (!isJsonObject(data)) return invalid('data', `"data" of a debug entry takes an object, not ${show(data)}.`);
  for (const key of ['pid', 'line']) {
    const value = data[key];
    if (value === undefined || value === null) continue;
    if (!Number.isInteger(value) || Math.abs(value as number) > maxInt) {
      invalid(`data.${key}`, `"data.${key}" takes a whole number of 32 bits, not ${show(value)}.`);
    }
  }
  for (const key of ['runtime', 'file', 'func', 'stackTrace']) {
    const value = data[key];
    if (value !== undefined && value !== null && typeof value !== 'string')
      invalid(`data.${key}`, `"data.${key}" takes text, not ${show(value)}.`);
  }
  return data;
}
