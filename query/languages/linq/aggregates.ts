/** LINQ's aggregates: what is worked out for each group. Nulls are left out, except that `first` and `last` take them. */
import { literal } from '../../plan/build.js';
import { aggregate, call } from '../../plan/functions/index.js';
import type { Aggregate, Expr, Pick } from '../../plan/types.js';

/** The aggregate or pick, without its name. `time` is the moment of the rows, for `first` and `last`. */
interface LinqAggregate {
  arity: readonly [number, number];
  needsTime?: boolean;
  make(args: Expr[], name: string, time: Expr | undefined): Aggregate | Pick;
}

const number = (value: Expr): Expr => (value.type === 'dynamic' ? call('todouble', [value]) : value);
const real = (value: Expr): Expr => (value.type === 'real' ? value : call('todouble', [value]));

const plain = (
  fn: string,
  prepare: (value: Expr) => Expr = (value) => value,
  arity: readonly [number, number] = [1, 1],
) => ({
  arity,
  make: (args: Expr[], name: string): Aggregate => ({ kind: 'aggregate', name, ...aggregate(fn, args.map(prepare)) }),
});

const atPercent = (percent: number): LinqAggregate => ({
  arity: [1, 1],
  make: ([value], name) => ({
    kind: 'aggregate',
    name,
    ...aggregate('percentile_cont', [real(value!), literal('real', percent)]),
  }),
});

/** With `others` rows whose value is null are taken only where all are. */
const pick = (which: Pick['which'], others: boolean): LinqAggregate => ({
  arity: [1, 1],
  needsTime: true,
  make: ([value], name, time) => ({
    kind: 'pick',
    by: others ? call('iff', [call('sql_isnull', [value!]), literal('datetime', null), time!]) : time!,
    which,
    columns: [{ name, value: value! }],
  }),
});

const distinct = plain('dcount');

/** Devo's percentiles lie between two values where that is exact, and HyperLogLog's figures are exact here. */
const linqAggregates: Readonly<Record<string, LinqAggregate>> = {
  count: plain('count', undefined, [0, 1]),
  sum: {
    arity: [1, 1],
    make: ([value], name) => {
      const figure = number(value!);
      if (figure.type === 'timespan') return { kind: 'aggregate', name, ...aggregate('sum', [figure]) };
      return { kind: 'aggregate', name, ...aggregate(figure.type === 'long' ? 'sql_sum_long' : 'sql_sum', [figure]) };
    },
  },
  avg: plain('sql_avg', real),
  nnavg: plain('sql_avg', real),
  min: plain('min', number),
  max: plain('max', number),
  first: pick('LEAST', false),
  last: pick('GREATEST', false),
  nnfirst: pick('LEAST', true),
  nnlast: pick('GREATEST', true),
  countdistinct: distinct,
  sizedistinct: distinct,
  hllpp: distinct,
  hllppcount: distinct,
  collectdistinct: plain('make_set'),
  stdev: plain('stdev', real),
  stddev: plain('stdevp', real),
  ustddev: plain('stdev', real),
  nnstddev: plain('stdevp', real),
  nnustddev: plain('stdev', real),
  var: plain('variancep', real),
  uvar: plain('variance', real),
  median: atPercent(50),
  percentile: {
    arity: [2, 2],
    make: ([value, percent], name) => ({
      kind: 'aggregate',
      name,
      ...aggregate('percentile_cont', [real(value!), percent!]),
    }),
  },
  ...Object.fromEntries([5, 10, 25, 75, 90, 95].map((percent) => [`percentile${percent}`, atPercent(percent)])),
};

export const aggregateNames: ReadonlyMap<string, LinqAggregate> = new Map(Object.entries(linqAggregates));
