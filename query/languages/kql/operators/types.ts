/** The names of types in a text. */
import type { ScalarType } from '../../../plan/types.js';
import type { SyntaxNode } from '../syntax.js';
import type { Context } from '../translator.js';

/** Kusto's int is a long here. */
const types: Readonly<Record<string, ScalarType>> = {
  bool: 'bool',
  boolean: 'bool',
  int: 'long',
  long: 'long',
  real: 'real',
  double: 'real',
  decimal: 'decimal',
  string: 'string',
  datetime: 'datetime',
  date: 'datetime',
  timespan: 'timespan',
  time: 'timespan',
  dynamic: 'dynamic',
  guid: 'guid',
  uuid: 'guid',
  uniqueid: 'guid',
};

/** The type that a node such as `long` in `x:long` names. */
export function typeAt(node: SyntaxNode, context: Context): ScalarType {
  const name = node.parts.Type?.text ?? node.text;
  if (Object.hasOwn(types, name)) return types[name]!;
  return context.fail('QUERY_NOT_SUPPORTED', node, `There is no type ${name} here.`);
}
