/** Columns that depend on a row's neighbours. */
import type { Window, WindowColumn } from '../../../plan/types.js';
import { compileAggregate } from './aggregates.js';
import { sqlTypes } from './expression.js';
import type { Relation } from './relation.js';
import { same, settled, settledOrder } from './rows.js';
import { type Statement, select } from './statement.js';

/** Where the step names no order, the rows are in that of the input. */
export function window(plan: Window, input: Relation, statement: Statement): Relation {
  const needed = statement.needed(plan);
  const added = plan.added.filter(({ name }) => needed.has(name));
  if (added.length === 0) return input;
  const { input: keyed, order } = statement.keyed(input, plan.orderBy);
  const rowOrder = plan.orderBy.length === 0 ? input.order : order;
  const { name } = keyed.step;
  const partition = plan.partitionBy.map((expr) => statement.expression(expr, keyed));
  const partitionBy = partition.length === 0 ? '' : `PARTITION BY ${partition.join(', ')}`;
  const orderBy = statement.orderBy(rowOrder, name);
  const passed = statement.passedOn({ ...keyed, order: input.order }, needed);
  const list = added.map((each) => {
    const { identifier } = statement.column(each.name, each.type);
    return `${windowColumn(each, keyed, statement, { partitionBy, orderBy })} AS ${identifier}`;
  });
  const columns = [...passed.map(settled), ...added.map((each) => statement.column(each.name, each.type))];
  const body = select([...same(passed, name), ...list], name);
  return statement.step('window', body, columns, [keyed], settledOrder(input.order, columns));
}

interface Over {
  partitionBy: string;
  orderBy: string;
}

function windowColumn(
  { fn, args, type, name }: WindowColumn,
  input: Relation,
  statement: Statement,
  over: Over,
): string {
  const { partitionBy, orderBy } = over;
  const inOrder = `OVER (${[partitionBy, orderBy].filter(Boolean).join(' ')})`;
  const value = (index: number): string => statement.expression(args[index]!, input);
  const ranking = (call: string): string => `${call} ${inOrder}`;
  switch (fn) {
    case 'row_number':
      return args.length === 0 ? ranking('row_number()') : `(${ranking('row_number()')} + ${value(0)} - 1)`;
    case 'rank':
    case 'dense_rank':
      return ranking(`${fn}()`);
    case 'prev':
    case 'next': {
      const neighbour = [value(0), args[1] === undefined ? '1' : `(${value(1)})::integer`];
      const shifted = args[2] === undefined ? neighbour : [...neighbour, value(2)];
      return ranking(`${fn === 'prev' ? 'lag' : 'lead'}(${shifted.join(', ')})`);
    }
    case 'row_cumsum': {
      const running = `OVER (${[partitionBy, orderBy, 'ROWS UNBOUNDED PRECEDING'].filter(Boolean).join(' ')})`;
      return `(sum(${value(0)}) ${running})::${sqlTypes[type]}`;
    }
    default: {
      const scope = statement.scope({ qualifier: input.step.name, columns: input.columns });
      const aggregate = { kind: 'aggregate', name, fn, args, type } as const;
      return compileAggregate(aggregate, scope, '', `OVER (${partitionBy})`).sql;
    }
  }
}
