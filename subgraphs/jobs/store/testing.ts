/** For tests that do what workers do, step by step and without a query. */
import { ChunkBuilder } from './chunks.js';
import type { Chunk, JobResult, Progress } from './leases.js';

/** Rows of one column, from row `firstRow` on. */
export async function chunkOf(values: readonly unknown[], firstRow = 0): Promise<Chunk> {
  const builder = new ChunkBuilder();
  for (const value of values) builder.add([value as string]);
  return { ...(await builder.take())!, firstRow };
}

const columns = [{ name: 'n', type: 'LONG' as const }];

/** How far an attempt is that has stored so many rows. */
export const progressOf = (rowsFetched: number): Progress => ({
  percent: Math.min(99, rowsFetched),
  rowsFetched,
  phase: 'FETCHING',
  isExact: false,
  coveredSince: null,
  columns,
});

/** A whole result of so many rows. */
export const resultOf = (rowCount: number): JobResult => ({
  columns,
  rowCount,
  render: undefined,
  search: undefined,
});
