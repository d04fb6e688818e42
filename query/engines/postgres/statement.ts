/** What the database is asked: a guarded text as it is, or the SQL that a plan is compiled to. */

import { checkColumns } from '../../plan/columns.js';
import { bindNow } from '../../plan/now.js';
import { optimize } from '../../plan/optimize/index.js';
import type { Plan, ScalarType } from '../../plan/types.js';
import type { SqlQuery } from '../../prepared-query.js';
import type { ResultColumn, ResultType } from '../../result.js';
import type { RunOptions } from '../engine.js';
import { compilePlan } from './compile/compile.js';
import { planError, queryError } from './errors.js';

export interface Statement {
  text: string;
  values: string[];
  /** Undefined where only the database can tell. */
  columns?: ResultColumn[];
  /** What the caller hears of the database's error. `prefixLength` is the length of what was put before the text. */
  errorOf(error: unknown, prefixLength?: number): unknown;
}

export const textStatement = (query: SqlQuery): Statement => ({
  text: query.text,
  values: [],
  errorOf: (error, prefixLength) => queryError(error, query, prefixLength),
});

export function planStatement(plan: Plan, { now, ingestBatch }: Pick<RunOptions, 'now' | 'ingestBatch'>): Statement {
  checkColumns(plan);
  const bound = optimize(bindNow(plan, now ?? new Date().toISOString()));
  return {
    ...compilePlan(bound, ingestBatch === undefined ? {} : { ingestBatch }),
    columns: planColumns(plan),
    errorOf: planError,
  };
}

const resultTypes: Record<ScalarType, ResultType> = {
  bool: 'BOOL',
  long: 'LONG',
  real: 'REAL',
  decimal: 'DECIMAL',
  string: 'STRING',
  datetime: 'DATETIME',
  timespan: 'TIMESPAN',
  dynamic: 'DYNAMIC',
  guid: 'GUID',
};

/** The columns of a plan's result. */
export const planColumns = (plan: Plan): ResultColumn[] =>
  plan.columns.map(({ name, type }) => ({ name, type: resultTypes[type] }));
