/** How PostgreSQL values look in our code: bigint and numeric as strings, moments as RFC 3339 UTC with microseconds. */
import pg from 'pg';

const { builtins } = pg.types;

/** `2015-05-17 10:05:03.12+00` -> `2015-05-17T10:05:03.12Z`. Connections run with TimeZone UTC, so the offset is always +00. */
export function toRfc3339(text: string): string {
  return `${text.slice(0, 10)}T${text.slice(11).replace(/\+00(:00)?$/, '')}Z`;
}

const parsers = new Map<number, (text: string) => unknown>([
  [builtins.TIMESTAMPTZ, toRfc3339],
  [builtins.DATE, (text) => text],
  [builtins.INT8, (text) => text],
  [builtins.NUMERIC, (text) => text],
  [
    1185,
    (text) =>
      text === '{}'
        ? []
        : text
            .slice(1, -1)
            .split(',')
            .map((item) => toRfc3339(item.replaceAll('"', ''))),
  ],
]);

/** The `types` of every pool: `pg` parses what is not in the table itself. */
export const typeParsers = {
  getTypeParser: (oid: number, format?: string) =>
    parsers.get(oid) ??
    (pg.types.getTypeParser as (oid: number, format?: string) => (text: string) => unknown)(oid, format),
};
