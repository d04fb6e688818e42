/** What the translation knows of a plan beside its rows. Any further step loses it. */
import type { Plan } from '../../plan/types.js';

interface Marks {
  /** The table that the rows are told to come from: that of a dataset, of a view, or what `as` says. */
  table?: string | undefined;
  /** The rows are in an order, whichever it is: `serialize`. */
  isSerialized?: boolean;
  /** What a `ref` stands for. */
  bound?: Plan;
}

const marks = new WeakMap<Plan, Marks>();

export const marksOf = (plan: Plan): Marks => marks.get(plan) ?? {};

/** The same plan with these marks beside those that it has. */
export function marked(plan: Plan, added: Marks): Plan {
  const copy = { ...plan };
  marks.set(copy, { ...marksOf(plan), ...added });
  return copy;
}
