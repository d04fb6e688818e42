/**
 * The operations that tests run, kept for tests/parity, which runs them embedded and distributed. With
 * HARBORWATCH_RECORD=1 a test run adds those that are new to the file; it is committed.
 */
import { appendFileSync, readFileSync } from 'node:fs';

export interface RecordedOperation {
  /** Whether it was sent with a token. */
  signedIn: boolean;
  query: string;
  variables?: unknown;
}

const file = 'tests/parity/recorded.jsonl';

export const recordedOperations = (): RecordedOperation[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

/** Tokens and cursors: they mean nothing to another installation. */
const opaque = /"[^"\s]{60,}"/;
let known: Set<string> | undefined;

/** Keeps an operation whose text is new, where recording is on. */
export function recordOperation(operation: RecordedOperation): void {
  if (!process.env.HARBORWATCH_RECORD) return;
  known ??= new Set(recordedOperations().map(({ query }) => query));
  const line = JSON.stringify(operation);
  if (known.has(operation.query) || opaque.test(JSON.stringify(operation.variables ?? null))) return;
  known.add(operation.query);
  appendFileSync(file, `${line}\n`);
}
