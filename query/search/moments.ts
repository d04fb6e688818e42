/** Moments as OpenSearch answers them: milliseconds since 1970, and as ISO 8601 in a time zone. */
import { zoneOffsetAt } from '../languages/opensearch/date-math.js';
import type { JsonValue } from '../result.js';

/** Milliseconds since 1970; what is finer stays as a fraction, so that `search_after` finds the place again. */
export function toMillis(moment: JsonValue): number {
  const text = String(moment);
  const micros = /\.\d{3}(\d{1,3})/.exec(text)?.[1];
  return Date.parse(text) + (micros === undefined ? 0 : Number(micros.padEnd(3, '0')) / 1000);
}

/** `2026-01-31T12:00:00.000Z`, or with the zone's offset. */
export function inZone(ms: number, timeZone: string): string {
  const offsetMs = zoneOffsetAt(timeZone, ms) ?? 0;
  const local = new Date(ms + offsetMs).toISOString().slice(0, -1);
  if (offsetMs === 0) return `${local}Z`;
  const minutes = Math.abs(Math.round(offsetMs / 60_000));
  const pad = (figure: number): string => String(figure).padStart(2, '0');
  return `${local}${offsetMs < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
}
