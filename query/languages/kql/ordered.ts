/** The order of rows, for what depends on it: windows, and the lists that `summarize` makes. */
import { column, project } from '../../plan/build.js';
import { inProjection } from '../../plan/order.js';
import type { Plan, SortKey } from '../../plan/types.js';
import { mapStep } from '../../plan/walk.js';
import { marked, marksOf } from './marks.js';
import type { Context } from './translator.js';

/** Rows and the keys that they are in order by, which are over its columns. */
interface Ordered {
  plan: Plan;
  /** Empty where the order is that of the rows as they come: no keys tell it. */
  keys: SortKey[];
}

/** `serialize`: the rows are in an order from here on, whichever it is. */
export const asSerialized = (plan: Plan): Plan => marked(plan, { isSerialized: true });

/**
 * The plan's rows in their order. Where a projection has left a key out, the plan has a hidden column more for it:
 * rows keep their order when a column goes. Undefined where the rows are in no order, so that nothing may depend on it.
 */
export function orderedRows(plan: Plan, context: Context): Ordered | undefined {
  switch (plan.op) {
    case 'sort':
      return { plan, keys: plan.keys };
    case 'range': {
      const { step } = plan;
      const descending = step.kind === 'literal' && String(step.value).startsWith('-');
      return { plan, keys: [{ value: column(plan.columns[0]!), descending, nullsFirst: false }] };
    }
    case 'filter':
    case 'limit':
    case 'extend':
    case 'window':
    case 'unnest': {
      const input = orderedRows(plan.input, context);
      return input === undefined ? unsorted(plan) : { plan: onto(plan, input.plan), keys: input.keys };
    }
    case 'project': {
      const input = orderedRows(plan.input, context);
      if (input === undefined) return unsorted(plan);
      const kept = [...plan.kept];
      const keys = input.keys.map((key): SortKey => {
        const value = inProjection(kept, key.value);
        if (value !== undefined) return { ...key, value };
        const hidden = { name: context.hiddenName('order'), value: key.value };
        kept.push(hidden);
        return { ...key, value: { kind: 'column', name: hidden.name, type: key.value.type } };
      });
      return { plan: kept.length === plan.kept.length ? onto(plan, input.plan) : project(input.plan, kept), keys };
    }
    case 'ref': {
      const { bound } = marksOf(plan);
      const isInOrder = bound !== undefined && orderedRows(bound, context) !== undefined;
      return isInOrder ? { plan, keys: [] } : unsorted(plan);
    }
    default:
      return unsorted(plan);
  }
}

const unsorted = (plan: Plan): Ordered | undefined => (marksOf(plan).isSerialized ? { plan, keys: [] } : undefined);

/** The step over another input, which has the same columns and hidden ones beside them. */
const onto = (step: Plan & { input: Plan }, input: Plan): Plan =>
  input === step.input ? step : mapStep(step, { input: () => input, expr: (expr) => expr });
