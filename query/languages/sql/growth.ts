/**
 * Functions that make a long value out of a short call. A value may have 1 GB whatever work_mem is, and a row may have
 * many, so their length must be a small literal: then nobody fills the server's memory with one line. Text can still be
 * doubled step by step; that is bounded by the timeout, and by what one batch of a result may weigh.
 */
import type { TreeNode } from './parse.js';
import { constantInteger, constantString, functionName, listOf } from './tree.js';

const maxLength = 10_000;

/** Where the length stands among the arguments, from 0. */
const lengthArgument: ReadonlyMap<string, number> = new Map([
  ['repeat', 1],
  ['lpad', 1],
  ['rpad', 1],
]);

/** What is wrong with a call that could grow without bound, or undefined. */
export function growthProblem(call: TreeNode): string | undefined {
  const name = functionName(call);
  const args = listOf(call.args);
  const at = lengthArgument.get(name);
  if (at !== undefined) {
    const length = constantInteger(args[at]);
    if (length !== undefined && length <= maxLength) return undefined;
    return `The length in ${name}() must be a number of at most ${maxLength.toLocaleString('en')}, written as it is.`;
  }
  if (name === 'format') {
    const template = constantString(args[0]);
    if (template === undefined || call.func_variadic === true)
      return 'The first argument of format() must be a text in quotes.';
    // A width is the digits or the star between % and the letter: %20s, %-20s, %*s, %2$10s.
    const widths = [...template.matchAll(/%(?:\d+\$)?-?(\*|\d+)/g)].map((match) => match[1] ?? '');
    if (widths.some((width) => width === '*' || Number(width) > maxLength)) {
      return `A width in format() must be at most ${maxLength.toLocaleString('en')}, written as digits.`;
    }
  }
  return undefined;
}
