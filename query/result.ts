/**
 * The types of result columns, close to Kusto's, the same for every language and engine. In the rows stand JSON values:
 *
 * | type     | JSON value |
 * |----------|------------|
 * | BOOL     | boolean |
 * | LONG     | number, or a string of digits where it is beyond 2^53 |
 * | REAL     | number, or "NaN", "Infinity", "-Infinity" |
 * | DECIMAL  | string, digits as the database has them |
 * | STRING   | string (also network addresses, times of day, ranges; bytes as base64) |
 * | GUID     | string |
 * | DATETIME | string, RFC 3339 UTC with the stored fraction, up to microseconds, without trailing zeros |
 * | DATE     | string, YYYY-MM-DD |
 * | TIMESPAN | string, ISO 8601 duration |
 * | DYNAMIC  | any JSON value (json, jsonb, arrays); integers in it that are beyond 2^53 are strings |
 *
 * A null is null in every type. Moments outside the years 1 to 9999 have ISO 8601's signed years of six digits, and
 * the open ends of time are "infinity" and "-infinity".
 */
export type ResultType =
  | 'BOOL'
  | 'LONG'
  | 'REAL'
  | 'DECIMAL'
  | 'STRING'
  | 'GUID'
  | 'DATETIME'
  | 'DATE'
  | 'TIMESPAN'
  | 'DYNAMIC';

export interface ResultColumn {
  /** Unique in its result: a second `count` is `count_2`. */
  name: string;
  type: ResultType;
}

export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };

/** Makes repeated names unique, as `count`, `count_2`, without taking a name that another column has. */
export function uniqueNames(names: string[]): string[] {
  const taken = new Set(names);
  const seen = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let n = 2; seen.has(unique) || (unique !== name && taken.has(unique)); n++) unique = `${name}_${n}`;
    seen.add(unique);
    return unique;
  });
}
