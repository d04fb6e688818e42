/** Finds the signature that a call's arguments fit, and converts them to it. */
import { literal } from '../build.js';
import type { CallExpr, Expr, ScalarType } from '../types.js';
import { CallMismatch, type FunctionSpec, type ParameterType, type Signature } from './signatures.js';

/** The function by which a value becomes one of the type. */
const converters: Record<ScalarType, string> = {
  bool: 'tobool',
  long: 'tolong',
  real: 'todouble',
  decimal: 'todecimal',
  string: 'tostring',
  datetime: 'todatetime',
  timespan: 'totimespan',
  dynamic: 'todynamic',
  guid: 'toguid',
};

/**
 * What an implicit conversion costs; the signature with the least sum is taken. A dynamic is taken as what the other
 * arguments ask for, and as a real rather than a long, so that no fraction is lost.
 */
const conversionCosts: Partial<Record<ScalarType, Partial<Record<ScalarType, number>>>> = {
  long: { real: 1, decimal: 2 },
  dynamic: { string: 10, real: 10, bool: 10, datetime: 10, timespan: 10, guid: 10, long: 12, decimal: 12 },
};

/** A call of the function with its arguments converted. @throws CallMismatch */
export function resolve(fn: string, { signatures, check }: FunctionSpec, args: readonly Expr[]): CallExpr {
  let best: { cost: number; signature: Signature; types: ParameterType[] } | undefined;
  let isTied = false;
  for (const signature of signatures) {
    const types = parameterTypes(signature, args.length);
    if (types === undefined) continue;
    const cost = args.reduce((sum, arg, i) => sum + costOf(arg, types[i]!), 0);
    if (cost === best?.cost) isTied = true;
    if (cost < (best?.cost ?? Number.POSITIVE_INFINITY)) {
      best = { cost, signature, types };
      isTied = false;
    }
  }
  if (best === undefined) throw mismatch(fn, signatures, args);
  // A dynamic may be a number, a text or a moment: where nothing else says which, any choice would be a guess.
  if (isTied && args.some(isDynamic) && args.every((arg) => isDynamic(arg) || isNull(arg))) {
    throw new CallMismatch(
      fn,
      0,
      `${fn} needs to know what the dynamic value is: use tolong(), todouble(), tostring() or todatetime().`,
    );
  }
  const { signature, types } = best;
  const notLiteral = signature.literals?.find((i) => args[i] !== undefined && args[i].kind !== 'literal');
  if (notLiteral !== undefined) {
    throw new CallMismatch(fn, notLiteral, `Argument ${notLiteral + 1} of ${fn} must be a literal value.`);
  }
  const converted = args.map((arg, i) => convert(arg, types[i]!));
  const problem = check?.(converted);
  if (problem !== undefined) throw new CallMismatch(fn, problem.argument, problem.message);
  const { returns } = signature;
  return { kind: 'call', fn, args: converted, type: typeof returns === 'function' ? returns(converted) : returns };
}

/** The value as one of the type, as the text asks for it. */
export const convertedTo = (type: ScalarType, value: Expr): Expr =>
  value.type === type ? value : { kind: 'call', fn: converters[type], args: [value], type };

/** The parameter of each argument, or undefined where the signature does not take so many. */
function parameterTypes({ parameters, optional = 0, rest, cycle }: Signature, count: number) {
  if (cycle !== undefined) {
    const further = count - parameters.length - 1;
    if (further < 0 || further % cycle.group.length !== 0) return undefined;
    const groups = Array.from({ length: further }, (_, i) => cycle.group[i % cycle.group.length]!);
    return [...parameters, ...groups, cycle.last];
  }
  if (count < parameters.length - optional) return undefined;
  if (count <= parameters.length) return parameters.slice(0, count);
  if (rest === undefined) return undefined;
  return [...parameters, ...Array.from({ length: count - parameters.length }, () => rest)];
}

const choices = (type: ParameterType): readonly ScalarType[] =>
  typeof type === 'string' ? [type as ScalarType] : type;

const isDynamic = ({ type }: Expr): boolean => type === 'dynamic';

const isNull = (expr: Expr): boolean => expr.kind === 'literal' && expr.value === null;

function costOf(arg: Expr, parameter: ParameterType): number {
  if (parameter === 'any') return 0;
  return Math.min(...choices(parameter).map((type) => conversionCost(arg, type)));
}

function conversionCost(arg: Expr, type: ScalarType): number {
  if (arg.type === type) return 0;
  // A null that no type was said of comes as a string; others are nulls of their type.
  if (isNull(arg) && arg.type === 'string') return 1;
  // A real literal's digits are exactly what its author wrote; a real value's are not what it is.
  if (arg.kind === 'literal' && arg.type === 'real' && type === 'decimal' && typeof arg.value === 'number') return 1;
  return conversionCosts[arg.type]?.[type] ?? Number.POSITIVE_INFINITY;
}

function convert(arg: Expr, parameter: ParameterType): Expr {
  if (parameter === 'any') return arg;
  const types = choices(parameter);
  const type = types.reduce((best, next) => (conversionCost(arg, next) < conversionCost(arg, best) ? next : best));
  if (arg.type === type) return arg;
  if (isNull(arg)) return literal(type, null);
  if (arg.kind === 'literal' && arg.type !== 'dynamic') {
    return literal(type, type === 'decimal' ? String(arg.value) : Number(arg.value));
  }
  return convertedTo(type, arg);
}

function mismatch(fn: string, signatures: readonly Signature[], args: readonly Expr[]): CallMismatch {
  const fitting = signatures.flatMap((signature) => parameterTypes(signature, args.length) ?? []);
  if (fitting.length === 0) return new CallMismatch(fn, undefined, `${fn} does not take ${count(args.length)}.`);
  const lists = signatures
    .map((signature) => parameterTypes(signature, args.length))
    .filter((list) => list !== undefined);
  const argument = args.findIndex((arg, i) =>
    lists.every((list) => costOf(arg, list[i]!) === Number.POSITIVE_INFINITY),
  );
  if (argument === -1) {
    const types = args.map(({ type }) => type).join(', ');
    return new CallMismatch(fn, undefined, `${fn} does not take these types together: ${types}.`);
  }
  const wanted = new Set(lists.flatMap((list) => choices(list[argument]!)));
  return new CallMismatch(
    fn,
    argument,
    `Argument ${argument + 1} of ${fn} must be ${[...wanted].join(' or ')}, not ${args[argument]!.type}.`,
  );
}

const count = (n: number): string => (n === 1 ? 'one argument' : `${n === 0 ? 'no' : n} arguments`);
