/** Functions over expressions of the text, with an argument that does not fit told at its own place. */
import { CallMismatch, call } from '../../plan/functions/index.js';
import type { Expr } from '../../plan/types.js';
import type { SyntaxNode } from './syntax.js';
import type { Context, Rows } from './translator.js';

/** A call over expressions of the text; an argument that does not fit is told at its own place. */
export function callAt(node: SyntaxNode, fn: string, args: SyntaxNode[], rows: Rows, context: Context): Expr {
  const values = args.map((arg) => context.expression(arg, rows));
  return made(node, args, () => call(fn, values), context);
}

/** What `make` makes; where arguments do not fit, the error at the place of the one that does not. */
export function made<T>(node: SyntaxNode, args: SyntaxNode[], make: () => T, context: Context): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof CallMismatch)) throw error;
    const place = error.argument === undefined ? node : (args[error.argument] ?? node);
    return context.fail('QUERY_SYNTAX', place, error.message);
  }
}
