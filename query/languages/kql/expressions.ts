/** Scalar expressions: names, operators, paths into dynamics and calls. */
import { column, literal } from '../../plan/build.js';
import { call } from '../../plan/functions/index.js';
import type { Expr } from '../../plan/types.js';
import { didYouMean } from '../../suggest.js';
import { callAt, made } from './apply.js';
import { translateCall } from './calls.js';
import { hasAny, inList } from './lists.js';
import { literalOf } from './literals.js';
import { scalarSources } from './operators/index.js';
import { nameOf, type SyntaxNode } from './syntax.js';
import type { Context, Rows } from './translator.js';

/** Longer paths into a dynamic are refused: engines pass their steps as arguments. */
const maxPathSteps = 90;

type TranslateExpression = (node: SyntaxNode, rows: Rows, context: Context) => Expr;

const binary: TranslateExpression = (node, rows, context) => {
  const { Left, Operator, Right } = node.parts;
  if (Left!.kind === 'StarExpression') {
    context.fail('QUERY_NOT_SUPPORTED', Left!, '"*" as all columns is taken by search alone. Name the columns.');
  }
  return callAt(node, operatorName(Operator!), [Left!, Right!], rows, context);
};

/** How the plan spells operators that KQL spells in several ways. */
const spellings: Record<string, string> = {
  '<>': '!=',
  notcontains: '!contains',
  containscs: 'contains_cs',
  notcontainscs: '!contains_cs',
};

function operatorName(token: SyntaxNode): string {
  const text = token.text.replaceAll(/\s+/g, ' ').toLowerCase();
  return Object.hasOwn(spellings, text) ? spellings[text]! : text;
}

/** Long chains are flat: they cost no depth. */
const chain: TranslateExpression = (node, rows, context) => {
  const operands: SyntaxNode[] = [];
  const pending = [node];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.kind === node.kind) pending.push(next.parts.Right!, next.parts.Left!);
    else if (next.kind === 'ParenthesizedExpression' && next.parts.Expression!.kind === node.kind) {
      pending.push(next.parts.Expression!);
    } else operands.push(next);
  }
  return callAt(node, node.kind === 'AndExpression' ? 'and' : 'or', operands, rows, context);
};

const minus: TranslateExpression = (node, rows, context) => {
  const operand = node.parts.Expression!;
  return literalOf(operand, context, true) ?? callAt(node, 'neg', [operand], rows, context);
};

const plus: TranslateExpression = (node, rows, context) => context.expression(node.parts.Expression!, rows);

const between: TranslateExpression = (node, rows, context) => {
  const { Left, Operator, Right } = node.parts;
  return callAt(node, operatorName(Operator!), [Left!, Right!.parts.First!, Right!.parts.Second!], rows, context);
};

/** `a.b[0]["c"]` is one path, however long. */
const path: TranslateExpression = (node, rows, context) => {
  const selectors: SyntaxNode[] = [];
  let root = node;
  for (; root.kind === 'PathExpression' || root.kind === 'ElementExpression'; root = root.parts.Expression!) {
    selectors.push(root.parts.Selector!);
  }
  if (selectors.length > maxPathSteps) {
    context.fail('QUERY_NOT_SUPPORTED', selectors[0]!, `This path has more than ${maxPathSteps} steps.`);
  }
  const steps = selectors.reverse().map((selector) => {
    if (selector.kind === 'BracketedExpression') return context.expression(selector.parts.Expression!, rows);
    const name = nameOf(selector);
    return name === undefined
      ? context.fail('QUERY_SYNTAX', selector, 'After a dot stands the name of a property, or a name in brackets.')
      : literal('string', name);
  });
  const of = context.expression(root, rows);
  if (of.type !== 'dynamic') {
    context.fail('QUERY_SYNTAX', root, `Only a dynamic has properties and elements, and this is a ${of.type}.`);
  }
  return made(node, [root, ...selectors], () => call('path', [of, ...steps]), context);
};

const name: TranslateExpression = (node, rows, context) => {
  const wanted = nameOf(node);
  if (wanted === undefined) {
    return context.fail('QUERY_SYNTAX', node, 'A pattern of names stands for columns, not for a value.');
  }
  const found = rows.columns.find((each) => each.name === wanted);
  if (found !== undefined) return column(found);
  const binding = context.scope.get(wanted);
  if (binding?.kind === 'scalar') return binding.value;
  if (binding !== undefined)
    return context.fail('QUERY_SYNTAX', node, `"${wanted}" is a table, and a value is expected.`);
  if (rows.aggregated?.some((each) => each.name === wanted)) {
    context.fail('QUERY_SYNTAX', node, `"${wanted}" stands neither in an aggregate nor behind "by".`);
  }
  const candidates = rows.columns.map((each) => each.name);
  for (const [defined, { kind }] of context.scope) if (kind === 'scalar') candidates.push(defined);
  const shown = wanted.length > 80 ? `${wanted.slice(0, 80)}…` : wanted;
  const hint = didYouMean(shown, candidates);
  const attributes = rows.columns.some((each) => each.name === 'attributes' && each.type === 'dynamic');
  const other = hint === '' && attributes ? ` Fields that are no columns are in attributes["${shown}"].` : hint;
  return context.fail('QUERY_UNKNOWN_COLUMN', node, `There is no column "${shown}".${other}`);
};

const unexpected =
  (what: string): TranslateExpression =>
  (node, _rows, context) =>
    context.fail('QUERY_SYNTAX', node, `${what} cannot stand here: a value is expected.`);

const binaryKinds = [
  ...['Add', 'Subtract', 'Multiply', 'Divide', 'Modulo'],
  ...[
    'LessThan',
    'LessThanOrEqual',
    'GreaterThan',
    'GreaterThanOrEqual',
    'Equal',
    'NotEqual',
    'EqualTilde',
    'BangTilde',
  ],
  ...['Has', 'HasPrefix', 'HasSuffix', 'Contains', 'StartsWith', 'EndsWith'].flatMap((kind) =>
    [kind, `${kind}Cs`].flatMap((each) => [each, `Not${each}`]),
  ),
  'MatchesRegex',
];

const kinds: Record<string, TranslateExpression> = {
  ...Object.fromEntries(binaryKinds.map((kind) => [`${kind}Expression`, binary])),
  AndExpression: chain,
  OrExpression: chain,
  UnaryMinusExpression: minus,
  UnaryPlusExpression: plus,
  ParenthesizedExpression: plus,
  BetweenExpression: between,
  NotBetweenExpression: between,
  InExpression: inList,
  NotInExpression: inList,
  InCsExpression: inList,
  NotInCsExpression: inList,
  HasAnyExpression: hasAny,
  HasAllExpression: hasAny,
  PathExpression: path,
  ElementExpression: path,
  NameReference: name,
  FunctionCallExpression: translateCall,
  SimpleNamedExpression: unexpected('A name with "="'),
  CompoundNamedExpression: unexpected('A list of names with "="'),
  StarExpression: unexpected('"*"'),
  PipeExpression: unexpected('A table'),
};

/** Translates one expression. Deep ones are the caller's care. */
export function translateExpression(node: SyntaxNode, rows: Rows, context: Context): Expr {
  const value = literalOf(node, context);
  if (value !== undefined) return value;
  const translate = kinds[node.kind] ?? scalarSources[node.kind];
  if (translate !== undefined) return translate(node, rows, context);
  return context.fail(
    'QUERY_NOT_SUPPORTED',
    node,
    `This kind of expression is not supported here: ${plainKind(node)}.`,
  );
}

/** `LikeCsExpression` as `like cs`. */
const plainKind = ({ kind }: SyntaxNode): string =>
  kind
    .replace(/Expression$/, '')
    .replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .toLowerCase();
