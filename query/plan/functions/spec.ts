/** Short forms in which the specs of functions are written. */
import type { ScalarType } from '../types.js';
import type { FunctionSpec, ParameterType, Signature } from './signatures.js';

export const scalarTypes = [
  'long',
  'real',
  'decimal',
  'string',
  'datetime',
  'timespan',
  'bool',
  'guid',
  'dynamic',
] as const satisfies readonly ScalarType[];

/** What a name in a signature's text stands for where it is not a type: every signature is made for each of them. */
const families: Record<string, readonly ScalarType[]> = {
  T: scalarTypes,
  N: ['long', 'real', 'decimal'],
  /** Has an order. */
  O: ['long', 'real', 'decimal', 'datetime', 'timespan', 'string', 'bool', 'guid'],
};

/**
 * A function's spec. Signatures are texts such as `string, long, long? -> string`: `?` marks what may be left out, `!`
 * a literal, `...` any number more of it, `long|real` a choice, and T, N and O one type of a family throughout.
 */
export function spec(source: string, description: string, ...signatures: string[]): FunctionSpec {
  return { source, description, signatures: signatures.flatMap(expand) };
}

function expand(text: string): Signature[] {
  const family = /\b[TNO]\b/.exec(text)?.[0];
  if (family === undefined) return [parse(text)];
  return families[family]!.map((type) => parse(text.replaceAll(new RegExp(`\\b${family}\\b`, 'g'), type)));
}

function parse(text: string): Signature {
  const [left, returns] = text.split('->').map((side) => side.trim()) as [string, string];
  const items = left === '' ? [] : left.split(',').map((item) => item.trim());
  const parameters: ParameterType[] = [];
  const literals: number[] = [];
  let optional = 0;
  let rest: ParameterType | undefined;
  for (const item of items) {
    const [, names, marks] = /^([a-z|]+)([?!.]*)$/.exec(item) as unknown as [string, string, string];
    const types = names.split('|') as ScalarType[];
    const type: ParameterType = names === 'any' ? 'any' : types.length === 1 ? types[0]! : types;
    if (marks.includes('...')) {
      rest = type;
      continue;
    }
    if (marks.includes('!')) literals.push(parameters.length);
    if (marks.includes('?')) optional++;
    parameters.push(type);
  }
  return {
    parameters,
    returns: returns as ScalarType,
    ...(optional > 0 && { optional }),
    ...(rest !== undefined && { rest }),
    ...(literals.length > 0 && { literals }),
  };
}
