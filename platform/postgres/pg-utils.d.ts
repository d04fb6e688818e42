/** What `pg` does with parameters; the package types its public part alone. */
declare module 'pg/lib/utils.js' {
  export function prepareValue(value: unknown): string | Buffer | null;
}
