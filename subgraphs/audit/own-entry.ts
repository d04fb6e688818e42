/** What Harborwatch tells of itself, as an entry that the log always takes: a refused one would hold up all events behind it. */
import type { SelfAuditEntry } from '../../platform/outbox.js';
import { toStorable } from '../../platform/storable.js';
import { toNanoseconds } from './nanoseconds.js';
import { type ParsedEntry, parseEntry, textLimits } from './wire.js';

/** The app whose entries Harborwatch writes about itself; nobody else can. */
export const ownApp = 'harborwatch';

/** The most bytes of data, as JSON. */
const maxDataBytes = 65_536;
const priorityNames = { INFO: 'Info', WARN: 'Warn', SEC: 'Sec' };

/** The beginning of a text, by bytes of UTF-8. */
const cut = (text: string, maxBytes: number): string =>
  Buffer.byteLength(text) <= maxBytes
    ? text
    : Buffer.from(text)
        .subarray(0, maxBytes)
        .toString()
        .replace(/\uFFFD+$/, '');

/**
 * Never throws: what is too long is cut, what cannot be stored is replaced.
 * @param id unique among Harborwatch's entries
 */
export function toOwnEntry(id: string, told: SelfAuditEntry, nowMs: number): ParsedEntry {
  const { priority = 'INFO', ...own } = toStorable(told) as SelfAuditEntry;
  const whenNs = toNanoseconds(own.at);
  const isTime = whenNs !== undefined && whenNs >= 0n && whenNs <= BigInt(nowMs) * 1_000_000n;
  const entry = {
    id,
    app: ownApp,
    type: 'A',
    pri: priorityNames[priority],
    when: isTime ? own.at : new Date(nowMs).toISOString(),
    module: cut(own.module, textLimits.module),
    who: cut(own.who, textLimits.who),
    op: cut(own.op, textLimits.op),
    class: cut(own.class, textLimits.class),
    instance: cut(own.instanceId ?? '', textLimits.instance),
    status: own.outcome,
    error: cut(own.error ?? '', textLimits.error),
    remote_ip: cut(own.remoteIp ?? '', textLimits.remote_ip),
    msg: cut(own.message, textLimits.msg),
    data: own.data && fitting(own.data),
  };
  return parseEntry(entry, { app: ownApp, nowMs, maxBytes: Number.POSITIVE_INFINITY });
}

/** Data that is too large, as the beginning of its text. */
function fitting(data: Record<string, unknown>): Record<string, unknown> {
  const text = JSON.stringify(data);
  return Buffer.byteLength(text) <= maxDataBytes ? data : { cut: cut(text, maxDataBytes) };
}
