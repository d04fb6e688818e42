/** Every function, operator and aggregate that a plan can hold, and how a call of one is made. */
import type { Expr, ScalarType } from '../types.js';
import { aggregateSpecs } from './aggregates.js';
import { calendarFunctions } from './calendar.js';
import { conditionals } from './conditionals.js';
import { conversions } from './conversions.js';
import { dates } from './dates.js';
import { dynamics } from './dynamics.js';
import { networks } from './networks.js';
import { numbers } from './numbers.js';
import { operators } from './operators.js';
import { convertedTo, resolve } from './resolve.js';
import { CallMismatch, type FunctionSpec, type MakeCall } from './signatures.js';
import { strictAggregates, strictFunctions } from './strict.js';
import { strings } from './strings.js';

export { CallMismatch, type FunctionSpec } from './signatures.js';
export { convertedTo };

const specs = {
  ...operators,
  ...conversions,
  ...conditionals,
  ...numbers,
  ...strings,
  ...dates,
  ...dynamics,
  ...networks,
  ...calendarFunctions,
  ...strictFunctions,
} satisfies Record<string, FunctionSpec>;

/** The names of the functions and operators. */
export type FunctionName = keyof typeof specs;

/** Functions and operators by name. */
export const functions: Readonly<Record<string, FunctionSpec>> = specs;

/** Aggregates by name. The last arguments that are marked as literals set the aggregate up. */
export const aggregates: Readonly<Record<string, FunctionSpec>> = { ...aggregateSpecs, ...strictAggregates };

const find = (among: Readonly<Record<string, FunctionSpec>>, fn: string): FunctionSpec => {
  if (!Object.hasOwn(among, fn)) throw new CallMismatch(fn, undefined, `There is no function ${fn}.`);
  return among[fn]!;
};

/** A call of a function or operator with its arguments converted and its type found. @throws CallMismatch */
export const call: MakeCall = (fn, args) => resolve(fn, find(functions, fn), args);

/** The arguments, converted, and the type of an aggregate over them. @throws CallMismatch */
export function aggregate(fn: string, args: readonly Expr[]): { fn: string; args: Expr[]; type: ScalarType } {
  const { args: converted, type } = resolve(fn, find(aggregates, fn), args);
  return { fn, args: converted, type };
}
