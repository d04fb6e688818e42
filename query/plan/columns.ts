import { fail } from '../../platform/errors.js';
import { brief } from '../brief.js';
import type { Plan, PlanColumn } from './types.js';
import { stepsOf } from './walk.js';

/** What PostgreSQL takes in one SELECT, less those that order needs beside the query's own. */
const maxColumns = 1_600;

/**
 * Refuses columns that an engine could not take, before any time goes into the plan: too many of them, and two of one
 * name, of which a later step could mean either. No step remembers its place in the text: the error names its start.
 * @throws QUERY_NOT_SUPPORTED
 */
export function checkColumns(plan: Plan): void {
  for (const { columns } of stepsOf(plan)) checkStep(columns);
}

function checkStep(columns: PlanColumn[]): void {
  if (columns.length > maxColumns) {
    const count = columns.length.toLocaleString('en');
    refuse(`A step of the query has ${count} columns; it takes ${maxColumns.toLocaleString('en')}.`);
  }
  const names = new Set<string>();
  for (const { name } of columns) {
    if (names.has(name)) refuse(`A step of the query has two columns "${brief(name)}". Give one another name.`);
    names.add(name);
  }
}

function refuse(message: string): never {
  fail('QUERY_NOT_SUPPORTED', message, { argument: 'query', line: 1, column: 1 });
}
