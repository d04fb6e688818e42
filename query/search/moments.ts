/** Moments as OpenSearch answers them: milliseconds since 1970. */
import type { JsonValue } from '../result.js';

/** Milliseconds since 1970; what is finer stays as a fraction, so that `search_after` finds the place again. */
export function toMillis(moment: JsonValue): number {
  const text = String(moment);
  const micros = /\.\d{3}(\d{1,3})/.exec(text)?.[1];
  return Date.parse(text) + (micros === undefined ? 0 : Number(micros.padEnd(3, '0')) / 1000);
}
