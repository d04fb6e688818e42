/** What a caller may hear of a query, whatever it was. */
import { expect } from 'vitest';
import { HarborwatchError } from '../../../platform/errors.js';
import type { Batch } from '../../../query/index.js';

/** What lies behind the datasets: schemas, parameters, casts and names of generated SQL, files of the product. */
const internals =
  /\b(app|qb?|fn)\.["\w]|\$\d|::|\bjsonb?_\w+|\bpg_\w+|harborwatch|node_modules|\.[jt]s:\d|"~\d|\bat \S+ \(|\bRangeError|\bundefined\b|\[object/gi;

/** Expects an error in the product's words, with a place in the text where the text alone is wrong. */
export function expectToldError(error: unknown, text: string, { isPlaced }: { isPlaced: boolean }): void {
  if (!(error instanceof HarborwatchError)) throw error;
  const { code, message, details } = error;
  const context = `${code}: ${message}`;
  expect(code, context).toMatch(/^(QUERY_[A-Z_]+|RESULT_TOO_LARGE)$/);
  expect(message.length, context).toBeLessThan(1_000);
  expect(message.isWellFormed(), context).toBe(true);
  const leaked = [...message.matchAll(internals)].map(([found]) => found);
  expect(
    leaked.filter((found) => !text.includes(found)),
    context,
  ).toEqual([]);
  if (isPlaced || details.line !== undefined) expectPlace(details, text, context);
}

function expectPlace(details: Record<string, unknown>, text: string, context: string): void {
  const { argument, line, column } = details as { argument?: string; line: number; column: number };
  expect(argument, context).toBe('query');
  const lines = text.split('\n');
  expect(line, context).toBeGreaterThanOrEqual(1);
  expect(line, context).toBeLessThanOrEqual(lines.length);
  expect(column, context).toBeGreaterThanOrEqual(1);
  // Behind the last character stands what is missing.
  expect(column, context).toBeLessThanOrEqual([...lines[line - 1]!].length + 1);
}

/** Expects batches that go over the wire: names that are unique text, and values that can be written. */
export function expectToldRows(batches: readonly Batch[]): void {
  const [first] = batches;
  expect(first).toBeDefined();
  const names = first!.columns.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(/\0|\p{Surrogate}/u.test(name), JSON.stringify(name)).toBe(false);
  for (const { columns, rows, search } of batches) {
    expect(columns).toEqual(first!.columns);
    for (const row of rows) expect(row.length).toBe(columns.length);
    const written = JSON.stringify([rows, search ?? null]);
    expect(/\\u0000|\\ud[89a-f]/.test(written.replaceAll('\\\\', ''))).toBe(false);
  }
}
