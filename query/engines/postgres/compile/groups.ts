/** Steps that make one row of many. */
import type { Aggregate, Expr, Pick, Plan, Summarize } from '../../../plan/types.js';
import { expressionsOf, subexpressions } from '../../../plan/walk.js';
import { compileAggregate } from './aggregates.js';
import { compileExpression } from './expression.js';
import { found, isFound, packed, unpacked } from './picks.js';
import type { Relation } from './relation.js';
import { type Made, under } from './rows.js';
import { type Statement, select } from './statement.js';

export function summarize(plan: Summarize, statement: Statement): Relation {
  const needed = statement.needed(plan);
  const aggregates = plan.aggregates.filter(
    (each): each is Aggregate => each.kind === 'aggregate' && needed.has(each.name),
  );
  const picks = plan.aggregates
    .filter((each): each is Pick => each.kind === 'pick')
    .map((pick) => ({ ...pick, columns: pick.columns.filter(({ name }) => needed.has(name)) }))
    .filter(({ columns }) => columns.length > 0);
  const input = statement.guardRepetition(statement.write(plan.input), [
    ...plan.keys.map(({ value }) => value),
    ...aggregates.flatMap(({ args, where }) => (where === undefined ? args : [...args, where])),
    ...picks.flatMap(({ by, columns }) => [by, ...columns.map(({ value }) => value)]),
  ]);
  const { name } = input.step;
  const keysOver = (qualifier: string): Made[] =>
    plan.keys.map((key) => keyOf(key.name, key.value, input, qualifier, statement));
  const keys = keysOver(name);
  const scope = statement.scope({ qualifier: name, columns: input.columns });
  const orderBy = statement.orderTerms(input.order, name);
  const figure = (aggregate: Aggregate): Made => {
    const { sql, nullable } = compileAggregate(aggregate, scope, orderBy);
    return { column: statement.column(aggregate.name, aggregate.type, { nullable }), sql };
  };
  const figures = aggregates.map(figure);
  const group = (made: readonly Made[]): Relation => {
    const groupBy = keys.length === 0 ? '' : `GROUP BY ${keys.map((_, index) => index + 1).join(', ')}`;
    // One row also where nothing is asked about the rows.
    const list = made.length === 0 ? ['count(*)'] : made.map(under);
    return statement.step(
      'group',
      select(list, name, groupBy),
      made.map(({ column }) => column),
      [input],
    );
  };

  const [pick] = picks;
  if (pick === undefined) return group([...keys, ...figures]);
  if (picks.length === 1 && isFound(pick) && isRepeatable(plan.input, statement)) {
    const fn = pick.which === 'GREATEST' ? 'max' : 'min';
    const { name: hidden } = statement.hiddenColumn({ type: pick.by.type });
    const extreme = figure({ kind: 'aggregate', name: hidden, fn, args: [pick.by], type: pick.by.type });
    const grouped = group([...keys, ...figures, extreme]);
    return found(pick, { keysOver, figures, extreme }, grouped, input, statement);
  }
  const rows = picks.map((each) => packed(each, input, statement));
  return unpacked(rows, [...keys, ...figures], group([...keys, ...figures, ...rows]), statement);
}

function keyOf(name: string, value: Expr, input: Relation, qualifier: string, statement: Statement): Made {
  const source = value.kind === 'column' ? input.columns.get(value.name) : undefined;
  if (source === undefined) {
    const scope = statement.scope({ qualifier, columns: input.columns });
    return { column: statement.column(name, value.type), sql: compileExpression(value, scope, { context: 'VALUE' }) };
  }
  const { column, sql } = statement.groupKey(source, qualifier);
  return { column: { ...column, name, identifier: statement.shared.identifiers.of(name) }, sql };
}

/** What gives other rows, or other values, when it is worked out once more. */
const volatile = new Set(['rand', 'new_guid']);

/** Whether the input is the same, and cheap enough, to be read twice. */
function isRepeatable(plan: Plan, statement: Statement): boolean {
  for (let step = plan; ; ) {
    switch (step.op) {
      case 'scan':
        return true;
      case 'ref':
        return statement.bindings.get(step.name)?.materialized === true;
      case 'filter':
      case 'extend':
      case 'project':
      case 'sort': {
        for (const expr of expressionsOf(step)) {
          for (const part of subexpressions(expr)) {
            if (part.kind === 'scalar' || part.kind === 'membership') return false;
            if (part.kind === 'call' && volatile.has(part.fn)) return false;
          }
        }
        step = step.input;
        break;
      }
      default:
        return false;
    }
  }
}
