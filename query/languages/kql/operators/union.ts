/** `union`: https://learn.microsoft.com/kusto/query/union-operator. */
import type { Plan } from '../../../plan/types.js';
import { namedParameters, type SyntaxNode } from '../syntax.js';
import type { Context, TranslateOperator, TranslateSource } from '../translator.js';
import { namesOf } from './columns.js';
import { tokenValue } from './parameters.js';
import { allColumns, commonColumns, legsOf, refuseOverlaps, unite } from './tables.js';

function translate(node: SyntaxNode, input: Plan | undefined, context: Context): Plan {
  let kind = 'outer';
  let source: string | undefined;
  let isFuzzy = false;
  for (const [name, value] of namedParameters(node)) {
    if (name === 'kind') {
      kind = tokenValue(value);
      if (kind !== 'inner' && kind !== 'outer') context.fail('QUERY_SYNTAX', value, 'A union is inner or outer.');
    } else if (name === 'withsource' || name === 'with_source') source = tokenValue(value);
    else if (name === 'isfuzzy') isFuzzy = tokenValue(value) === 'true';
    else if (!name.startsWith('hint.')) context.fail('QUERY_NOT_SUPPORTED', value, `${name} is not known here.`);
  }
  const nodes = node.lists.Expressions ?? [];
  const legs = legsOf(nodes, context, { input, isFuzzy });
  refuseOverlaps(nodes, legs, context);
  const columns =
    kind === 'inner' ? commonColumns(legs, node, context) : allColumns(legs, source === undefined ? [] : [source]);
  if (source !== undefined && namesOf(columns).has(source)) {
    context.fail('QUERY_SYNTAX', node, `A table has a column "${source}" already. Give the source another name.`);
  }
  return unite(legs, columns, source);
}

const union: TranslateOperator = (node, input, context) => translate(node, input, context);
const unionSource: TranslateSource = (node, context) => translate(node, undefined, context);

export const unionOperators = { UnionOperator: union };
export const unionSources = { UnionOperator: unionSource };
