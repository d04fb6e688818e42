/** `join` and `lookup`: https://learn.microsoft.com/kusto/query/join-operator and .../lookup-operator. */
import { column, join as joinPlans, literal, project, summarize } from '../../../plan/build.js';
import { call } from '../../../plan/functions/index.js';
import type { JoinKind, Plan, PlanColumn } from '../../../plan/types.js';
import { namedParameters, nameOf, type SyntaxNode } from '../syntax.js';
import type { Context, TranslateOperator } from '../translator.js';
import { columnAt, freeName, kept, namesOf } from './columns.js';
import { tokenValue } from './parameters.js';

/** One equality of the `on` clause. */
interface Key {
  left: PlanColumn;
  right: PlanColumn;
}

const kinds: Record<string, JoinKind> = {
  inner: 'INNER',
  innerunique: 'INNER',
  leftouter: 'LEFT',
  rightouter: 'RIGHT',
  fullouter: 'FULL',
  leftsemi: 'LEFT_SEMI',
  anti: 'LEFT_ANTI',
  leftanti: 'LEFT_ANTI',
  leftantisemi: 'LEFT_ANTI',
};

/** The kinds that give the right side's rows, as the kinds with the sides exchanged. */
const exchanged: Record<string, JoinKind> = {
  rightsemi: 'LEFT_SEMI',
  rightanti: 'LEFT_ANTI',
  rightantisemi: 'LEFT_ANTI',
};

/** Hints change how Kusto works, not what comes out. */
function kindOf(node: SyntaxNode, otherwise: string, context: Context): string {
  let kind = otherwise;
  for (const [name, value] of namedParameters(node)) {
    if (name === 'kind') kind = tokenValue(value);
    else if (!name.startsWith('hint.')) context.fail('QUERY_NOT_SUPPORTED', value, `${name} is not known here.`);
  }
  return kind;
}

const join: TranslateOperator = (node, left, context) => {
  const kind = kindOf(node, 'innerunique', context);
  const right = context.tabular(node.parts.Expression!);
  const keys = keysOf(node, node.parts.ConditionClause, left, right, context);
  const swapped = Object.hasOwn(exchanged, kind) ? exchanged[kind] : undefined;
  if (swapped !== undefined) {
    return matching(
      swapped,
      right,
      left,
      keys.map((key) => ({ left: key.right, right: key.left })),
      context,
    );
  }
  const planKind = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (planKind === undefined) return context.fail('QUERY_SYNTAX', node, `There is no join kind ${kind}.`);
  if (planKind === 'LEFT_SEMI' || planKind === 'LEFT_ANTI') return matching(planKind, left, right, keys, context);
  const first = kind === 'innerunique' ? oneRowAKey(left, keys) : left;
  return sideBySide(planKind, first, right, keys, right.columns);
};

const lookup: TranslateOperator = (node, left, context) => {
  const kind = kinds[kindOf(node, 'leftouter', context)];
  if (kind !== 'LEFT' && kind !== 'INNER') {
    return context.fail('QUERY_SYNTAX', node, 'lookup is of the kind leftouter or inner.');
  }
  const right = context.tabular(node.parts.Expression!);
  const keys = keysOf(node, node.parts.LookupClause, left, right, context);
  const attributes = namesOf(keys.map((key) => key.right));
  return sideBySide(
    kind,
    left,
    right,
    keys,
    right.columns.filter(({ name }) => !attributes.has(name)),
  );
};

export const joinOperators: Record<string, TranslateOperator> = { JoinOperator: join, LookupOperator: lookup };

function keysOf(node: SyntaxNode, clause: SyntaxNode | undefined, left: Plan, right: Plan, context: Context): Key[] {
  const conditions = (clause?.lists.Expressions ?? []).flatMap(conjuncts);
  if (conditions.length === 0) {
    context.fail('QUERY_SYNTAX', node, 'A join needs `on` and the columns that the two sides agree in.');
  }
  return conditions.map((condition) => {
    const key = keyOf(condition, left, right, context);
    if (key.left.type === 'dynamic' || key.right.type === 'dynamic') {
      context.fail(
        'QUERY_SYNTAX',
        condition,
        'A dynamic cannot be joined on. Make a column of it, as with tostring().',
      );
    }
    if (key.left.type !== key.right.type) {
      const types = `${key.left.type} on the left and ${key.right.type} on the right`;
      context.fail('QUERY_SYNTAX', condition, `The columns that are joined on must be of one type, not ${types}.`);
    }
    return key;
  });
}

function conjuncts(node: SyntaxNode): SyntaxNode[] {
  if (node.kind === 'ParenthesizedExpression') return conjuncts(node.parts.Expression!);
  if (node.kind !== 'AndExpression') return [node];
  return [...conjuncts(node.parts.Left!), ...conjuncts(node.parts.Right!)];
}

function keyOf(condition: SyntaxNode, left: Plan, right: Plan, context: Context): Key {
  if (condition.kind === 'NameReference') {
    return { left: columnAt(condition, left.columns, context), right: columnAt(condition, right.columns, context) };
  }
  if (condition.kind === 'EqualExpression') {
    const sides = [condition.parts.Left!, condition.parts.Right!];
    const ofLeft = sides.find((side) => isSide(side, '$left'));
    const ofRight = sides.find((side) => isSide(side, '$right'));
    if (ofLeft !== undefined && ofRight !== undefined) {
      return {
        left: columnAt(ofLeft.parts.Selector!, left.columns, context),
        right: columnAt(ofRight.parts.Selector!, right.columns, context),
      };
    }
  }
  return context.fail(
    'QUERY_SYNTAX',
    condition,
    'A join is on a column of both sides, or on $left.<column> == $right.<column>.',
  );
}

const isSide = ({ kind, parts }: SyntaxNode, side: string): boolean =>
  kind === 'PathExpression' && nameOf(parts.Expression) === side && nameOf(parts.Selector) !== undefined;

const pairs = (keys: Key[]) => keys.map(({ left, right }) => ({ left: column(left), right: column(right) }));

/** The rows of the left side that have a match, or those that have none; of the right side the keys are all it takes. */
function matching(kind: JoinKind, left: Plan, right: Plan, keys: Key[], context: Context): Plan {
  const hidden = keys.map((key): PlanColumn => ({ name: context.hiddenName('key'), type: key.right.type }));
  const values = project(
    right,
    keys.map((key, number) => ({ name: hidden[number]!.name, value: column(key.right) })),
  );
  return joinPlans(kind, left, values, pairs(keys.map((key, number) => ({ left: key.left, right: hidden[number]! }))));
}

/** One row for each key, whichever: what is left of the left side in an innerunique join. */
function oneRowAKey(left: Plan, keys: Key[]): Plan {
  const names = namesOf(keys.map((key) => key.left));
  const rest = left.columns.filter(({ name }) => !names.has(name));
  const unique = summarize(
    left,
    kept(left.columns.filter(({ name }) => names.has(name))),
    rest.length === 0 ? [] : [{ kind: 'pick', by: literal('long', 0), which: 'ANY', columns: kept(rest) }],
  );
  return project(unique, kept(left.columns));
}

/**
 * The columns of the left side, then those that are taken of the right side. One of the right side whose name is taken
 * gets the first number behind it that no column of either side has.
 */
function sideBySide(kind: JoinKind, left: Plan, right: Plan, keys: Key[], taken: readonly PlanColumn[]): Plan {
  const names = new Set([...namesOf(left.columns), ...namesOf(right.columns)]);
  const leftNames = namesOf(left.columns);
  const renamed = new Map<string, string>();
  for (const { name } of right.columns) {
    const free = leftNames.has(name) ? freeName(name, names) : name;
    names.add(free);
    renamed.set(name, free);
  }
  const rename = ({ name, type }: PlanColumn): PlanColumn => ({ name: renamed.get(name)!, type });
  const other = right.columns.some(({ name }) => renamed.get(name) !== name)
    ? project(
        right,
        right.columns.map((each) => ({ name: renamed.get(each.name)!, value: column(each) })),
      )
    : right;
  const joined = joinPlans(kind, left, other, pairs(keys.map((key) => ({ left: key.left, right: rename(key.right) }))));
  const results = [...left.columns, ...taken.map(rename)];
  const open = new Set<PlanColumn>([
    ...(kind === 'RIGHT' || kind === 'FULL' ? left.columns : []),
    ...(kind === 'LEFT' || kind === 'FULL' ? results.slice(left.columns.length) : []),
  ]);
  const filled = [...open].some(({ type }) => type === 'string');
  if (!filled && results.length === joined.columns.length) return joined;
  // A side without a match leaves the empty string in Kusto's strings, which are never null.
  return project(
    joined,
    results.map((each) => ({
      name: each.name,
      value:
        open.has(each) && each.type === 'string'
          ? call('coalesce', [column(each), literal('string', '')])
          : column(each),
    })),
  );
}
