import { extend, limit, project, sort, union, values } from '../build.js';
import { inProjection } from '../order.js';
import type { Limit, Plan, Sort, SortKey } from '../types.js';
import { columnsRead, rewritePlan } from '../walk.js';
import { overInput } from './terms.js';

/** A limit beyond this is not given to every input of a union: each of them would be sorted for little. */
const maxRowsPerInput = 10_000;

/**
 * Moves limits, and the sort right under one with it, towards the scans.
 *
 * Exact: `extend` and `project` make one row of each and keep the order, so the first rows are the first rows of their
 * input. The first n rows of a union in an order are among the first n of each input. Rows that a sort holds alike come in any
 * order anyway.
 */
export function pushLimits(plan: Plan): Plan {
  return rewritePlan(plan, { step: (step) => (step.op === 'limit' ? sunk(step) : step) });
}

function sunk(step: Limit): Plan {
  const { input, count, offset } = step;
  if (count === 0) return values(step.columns, []);
  if (offset === 0 && atMostRows(input) <= count) return input;
  switch (input.op) {
    case 'limit': {
      const left = Math.max(0, input.count - offset);
      return sunk(asLimit(input.input, Math.min(count, left), input.offset + offset));
    }
    case 'extend':
      return extend(sunk(asLimit(input.input, count, offset)), input.added);
    case 'project':
      return project(sunk(asLimit(input.input, count, offset)), input.kept);
    case 'union':
      return overUnion(step, input.inputs) ?? step;
    case 'sort':
      return withSort(step, input);
    default:
      return step;
  }
}

const asLimit = (input: Plan, count: number, offset: number): Limit => limit(input, count, offset) as Limit;

function withSort(step: Limit, { input, keys }: Sort): Plan {
  const first = (below: Plan, by: SortKey[]) => sunk(asLimit(sort(below, by), step.count, step.offset));
  switch (input.op) {
    case 'extend': {
      const made = new Set(input.added.map(({ name }) => name));
      const isOfInput = columnsRead(keys.map(({ value }) => value)).isDisjointFrom(made);
      return isOfInput ? extend(first(input.input, keys), input.added) : step;
    }
    case 'project': {
      const below: SortKey[] = [];
      for (const key of keys) {
        const value = overInput(key.value, input.kept);
        // The order must be known above the projection as well as it is now.
        if (value === undefined || inProjection(input.kept, value) === undefined) return step;
        below.push({ ...key, value });
      }
      return project(first(input.input, below), input.kept);
    }
    case 'union':
      return overUnion(step, input.inputs, keys) ?? step;
    default:
      return step;
  }
}

function overUnion(step: Limit, inputs: Plan[], keys?: SortKey[]): Plan | undefined {
  const rows = step.count + step.offset;
  if (rows > maxRowsPerInput || inputs.every((input) => atMostRows(input) <= rows)) return undefined;
  const limited = union(
    inputs.map((input) =>
      atMostRows(input) <= rows ? input : sunk(asLimit(keys === undefined ? input : sort(input, keys), rows, 0)),
    ),
  );
  return limit(keys === undefined ? limited : sort(limited, keys), step.count, step.offset);
}

/** The most rows that a plan can give, from its form alone. */
export function atMostRows(plan: Plan): number {
  switch (plan.op) {
    case 'values':
      return plan.rows.length;
    case 'outer':
      return 1;
    case 'limit':
      return Math.min(plan.count, Math.max(0, atMostRows(plan.input) - plan.offset));
    case 'filter':
    case 'extend':
    case 'project':
    case 'sort':
    case 'distinct':
    case 'window':
      return atMostRows(plan.input);
    case 'summarize':
      return plan.keys.length === 0 ? 1 : atMostRows(plan.input);
    case 'union':
      return plan.inputs.reduce((sum, input) => sum + atMostRows(input), 0);
    case 'join':
      return plan.kind === 'LEFT_SEMI' || plan.kind === 'LEFT_ANTI' ? atMostRows(plan.left) : Number.POSITIVE_INFINITY;
    case 'with':
      return atMostRows(plan.body);
    default:
      return Number.POSITIVE_INFINITY;
  }
}
