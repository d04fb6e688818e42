/** Calls of functions. */
import { column, literal } from '../../plan/build.js';
import { call, convertedTo, functions } from '../../plan/functions/index.js';
import type { Expr } from '../../plan/types.js';
import { nearestName } from '../../suggest.js';
import { isAggregateCall } from './aggregates.js';
import { callAt, made } from './apply.js';
import { loadKusto } from './kusto.js';
import { literalOf } from './literals.js';
import { argumentsOf, suggestedName } from './names.js';
import { typeAt } from './operators/types.js';
import { windowCall } from './operators/windows.js';
import { functionObstacle } from './row-wise.js';
import { nameOf, type SyntaxNode } from './syntax.js';
import type { Context, Rows } from './translator.js';

type TranslateCall = (node: SyntaxNode, args: SyntaxNode[], rows: Rows, context: Context) => Expr;

/** Functions whose arguments are more than values: they are worked out here. */
const special: Record<string, TranslateCall> = {
  pack_all: (node, args, rows, context) => {
    if (args.length > 0) context.fail('QUERY_NOT_SUPPORTED', args[0]!, 'pack_all() takes no argument here.');
    return made(
      node,
      [],
      () =>
        call(
          'bag_pack',
          rows.columns.flatMap((each) => [literal('string', each.name), column(each)]),
        ),
      context,
    );
  },
  bag_pack_columns: (node, args, rows, context) => {
    const pairs = args.flatMap((arg) => {
      const name = suggestedName(arg);
      if (name === undefined) context.fail('QUERY_SYNTAX', arg, 'bag_pack_columns() takes columns.');
      return [literal('string', name!), context.expression(arg, rows)];
    });
    return made(node, [], () => call('bag_pack', pairs), context);
  },
  extract: (node, args, rows, context) => {
    const [pattern, group, text, type] = args;
    if (type?.kind !== 'TypeOfLiteralExpression' || args.length > 4)
      return callAt(node, 'extract', args, rows, context);
    const found = callAt(node, 'extract', [pattern!, group!, text!], rows, context);
    const [wanted, ...others] = type.lists.Types ?? [];
    if (wanted === undefined || others.length > 0) {
      return context.fail('QUERY_SYNTAX', type, 'extract() converts to one type, as in typeof(long).');
    }
    return convertedTo(typeAt(wanted, context), found);
  },
  column_ifexists: (node, args, rows, context) => {
    const [name, otherwise] = args;
    const wanted = name === undefined ? undefined : literalOf(name, context);
    if (wanted?.kind !== 'literal' || typeof wanted.value !== 'string' || otherwise === undefined || args.length > 2) {
      return context.fail('QUERY_SYNTAX', node, 'column_ifexists() takes the name of a column as a text, and a value.');
    }
    const found = rows.columns.find((each) => each.name === wanted.value);
    return found === undefined ? context.expression(otherwise, rows) : column(found);
  },
};
const olderNames: Record<string, string> = { columnifexists: 'column_ifexists', pack_columns: 'bag_pack_columns' };

export function translateCall(node: SyntaxNode, rows: Rows, context: Context): Expr {
  const written = nameOf(node)!;
  const binding = context.scope.get(written);
  if (binding?.kind === 'function') {
    const result = binding.call(node, rows, context);
    if (!('op' in result)) return result;
    return context.fail('QUERY_SYNTAX', node, `${written}() gives a table, and a value is expected.`);
  }
  const neighbour = windowCall(node, rows, context);
  if (neighbour !== undefined) {
    context.obstacle(node, `the window function ${written}()`);
    return neighbour;
  }
  const args = argumentsOf(node);
  if (isAggregateCall(node)) {
    if (rows.aggregate !== undefined) return rows.aggregate(node);
    return context.fail('QUERY_SYNTAX', node, `${written}() is an aggregate: it stands in summarize.`);
  }
  const name = Object.hasOwn(olderNames, written) ? olderNames[written]! : written;
  if (Object.hasOwn(special, name)) return special[name]!(node, args, rows, context);
  const fn = known(name);
  if (fn === undefined) return unknown(node, written, context);
  const reason = functionObstacle(fn);
  if (reason !== undefined) context.obstacle(node, reason);
  return callAt(node, fn, args, rows, context);
}

/** The plan's function behind a name, which may be an older one. */
function known(name: string): string | undefined {
  if (isFunction(name)) return name;
  const newer = loadKusto().functions.get(name)?.Alternative;
  return typeof newer === 'string' && isFunction(newer) ? newer : undefined;
}

/** Whether calls of a function are translated. */
export const isKnownFunction = (name: string): boolean => known(name) !== undefined || Object.hasOwn(special, name);

/** A function that KQL has too: the plan also has operators, and functions of other languages. */
const isFunction = (name: string): boolean => Object.hasOwn(functions, name) && loadKusto().functions.has(name);

function unknown(node: SyntaxNode, name: string, context: Context): never {
  const kusto = loadKusto().functions;
  if (kusto.has(name)) {
    return context.fail('QUERY_FUNCTION_NOT_ALLOWED', node, `The function ${name}() is not supported here.`);
  }
  const candidates = [...Object.keys(functions).filter(isFunction)];
  for (const [defined, { kind }] of context.scope) if (kind === 'function') candidates.push(defined);
  const nearest = nearestName(name, candidates);
  const hint = nearest === undefined ? '' : ` Did you mean ${nearest}()?`;
  return context.fail('QUERY_FUNCTION_NOT_ALLOWED', node, `There is no function ${name}().${hint}`);
}
