/** Moments as whole microseconds since 1970, exactly: PostgreSQL's precision, and within a double until the year 2255. */

const moment = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?Z$/;

/** @returns undefined for what is no moment of the years 0 to 9999, such as `infinity` */
export function toMicros(text: unknown): number | undefined {
  const match = typeof text === 'string' ? moment.exec(text) : null;
  if (!match) return undefined;
  return Date.parse(`${match[1]}Z`) * 1000 + Number((match[2] ?? '').padEnd(6, '0'));
}

/** RFC 3339 UTC without trailing zeros, as query results have it. */
export function fromMicros(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000);
  const fraction = String(micros - seconds * 1_000_000)
    .padStart(6, '0')
    .replace(/0+$/, '');
  const base = new Date(seconds * 1000).toISOString().slice(0, 19);
  return fraction === '' ? `${base}Z` : `${base}.${fraction}Z`;
}
