/** How functions are declared, and how a call finds its signature. */
import type { CallExpr, Expr, ScalarType } from '../types.js';

/** A parameter takes one type, any of several, or anything. */
export type ParameterType = ScalarType | readonly ScalarType[] | 'any';

export interface Signature {
  /** Each fits after an implicit conversion: long to real and decimal, real to decimal never, a null literal to all. */
  parameters: readonly ParameterType[];
  /** How many of the last parameters may be left out. Default 0. */
  optional?: number;
  /** The type of any number of further arguments. */
  rest?: ParameterType;
  /** These together, any number of times after `parameters`, and then one of the last: `case`. */
  cycle?: { group: readonly ParameterType[]; last: ParameterType };
  /** Numbers of the parameters, from 0, that must be literals. */
  literals?: readonly number[];
  returns: ScalarType | ((args: readonly Expr[]) => ScalarType);
}

export interface FunctionSpec {
  /** Tried in order; the first that fits without a conversion wins, then the first that fits with one. */
  signatures: readonly Signature[];
  /** One sentence, shown by completions. What it makes of null and of values out of range stands here too. */
  description: string;
  /** The page that the rule comes from, as a path under https://learn.microsoft.com/kusto/query/, or another full address. */
  source: string;
  /** What no signature can say of the arguments: a pattern that cannot be run exactly, a part of a date that is none. */
  check?: (args: readonly Expr[]) => { argument: number; message: string } | undefined;
}

/** No signature of the function takes these arguments. The language says it at its place in the text. */
export class CallMismatch extends Error {
  constructor(
    readonly fn: string,
    /** The argument's number from 0; undefined where their count is wrong. */
    readonly argument: number | undefined,
    message: string,
  ) {
    super(message);
  }
}

/** A call with its arguments converted and its type found. @throws CallMismatch */
export type MakeCall = (fn: string, args: Expr[]) => CallExpr;
