import { column, summarize, union } from '../build.js';
import type { Aggregate, Expr, Pick, Plan, Summarize } from '../types.js';
import { rewritePlan } from '../walk.js';
import { isVolatile } from './terms.js';

/**
 * Aggregates each input of a union by itself and then the results, and makes one group of a group of groups.
 *
 * Exact for `count`, `min` and `max`: a count is the sum of the counts of the parts, a least value the least of the
 * least ones, and a part without such a value gives null, which `min` and `max` leave out. Sums stay whole: a part's sum of longs
 * may overflow where the whole does not, and a sum of reals depends on the order.
 */
export function splitAggregates(plan: Plan): Plan {
  return rewritePlan(plan, {
    step: (step) => (step.op === 'summarize' ? (ofUnion(step) ?? ofGroups(step) ?? step) : step),
  });
}

/** How the results of parts become the result of the whole. */
const combining: Record<string, string> = { count: 'sum', min: 'min', max: 'max' };

const isPlainAggregate = (item: Aggregate | Pick): item is Aggregate =>
  item.kind === 'aggregate' && Object.hasOwn(combining, item.fn);

function ofUnion(step: Summarize): Plan | undefined {
  const { input, keys, aggregates } = step;
  if (input.op !== 'union' || input.inputs.every(isGrouped)) return undefined;
  if (aggregates.length === 0 || !aggregates.every(isPlainAggregate)) return undefined;
  if (keys.some(({ value }) => isVolatile(value))) return undefined;
  const parts = union(input.inputs.map((part) => summarize(part, keys, aggregates)));
  return summarize(
    parts,
    keys.map(({ name, value }) => ({ name, value: column({ name, type: value.type }) })),
    aggregates.map((item) => combined(item, item.name)),
  );
}

/** Whether grouping it once more would win nothing. */
function isGrouped(part: Plan): boolean {
  let step = part;
  while (step.op === 'project' || step.op === 'extend' || step.op === 'filter') step = step.input;
  return step.op === 'summarize' || step.op === 'values';
}

const combined = (part: Aggregate, name: string): Aggregate => ({
  kind: 'aggregate',
  name,
  fn: combining[part.fn]!,
  args: [column(part)],
  type: part.type,
});

/** `summarize n = count() by a, b | summarize sum(n) by a`: needs keys, since a sum over no rows is not a count of 0. */
function ofGroups(step: Summarize): Plan | undefined {
  const { input, keys, aggregates } = step;
  if (input.op !== 'summarize' || keys.length === 0) return undefined;
  const inner = new Map<string, Aggregate | Expr>();
  for (const item of input.aggregates) if (isPlainAggregate(item)) inner.set(item.name, item);
  const groups = new Map(input.keys.map(({ name, value }) => [name, value]));
  const outerKeys = keys.map(({ name, value }) => ({
    name,
    value: value.kind === 'column' ? groups.get(value.name) : undefined,
  }));
  const merged = aggregates.map((item) => {
    if (item.kind === 'pick' || item.where !== undefined || item.args.length !== 1) return undefined;
    const [argument] = item.args;
    const part = argument?.kind === 'column' ? inner.get(argument.name) : undefined;
    const fits = part?.kind === 'aggregate' && combining[part.fn] === item.fn && part.type === item.type;
    return fits ? { ...part, name: item.name } : undefined;
  });
  const isWhole =
    outerKeys.every((key): key is { name: string; value: Expr } => key.value !== undefined) &&
    merged.every((item): item is Aggregate => item !== undefined);
  return isWhole
    ? summarize(input.input, outerKeys as { name: string; value: Expr }[], merged as Aggregate[])
    : undefined;
}
