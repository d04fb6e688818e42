/** Random plans. What leaves an answer open (rows without an order cut off, ties) is made only where one answer is right. */
import * as build from '../../../query/plan/build.js';
import { aggregate, call } from '../../../query/plan/functions/index.js';
import type { Aggregate, Expr, NamedExpr, Pick, Plan, PlanColumn, SortKey } from '../../../query/plan/types.js';
import { sources, times } from './events.js';
import { Expressions, randomLiteral, types } from './expressions.js';
import type { Random } from './random.js';

interface Made {
  plan: Plan;
  /** Columns that have a value of their own in every row. */
  unique: string[];
  /** Whether the rows stand in one order alone. */
  isOrdered: boolean;
}

const keyTypes = ['long', 'string', 'bool', 'datetime'] as const;

/** The plan of a seed. */
export const randomPlan = (random: Random): Plan => new Plans(random).grown(random.between(1, 5)).plan;

class Plans {
  #names = 0;
  /** Relations that a `ref` may name. */
  #bound: { name: string; made: Made }[] = [];
  #joins = 0;

  constructor(readonly random: Random) {}

  /** A leaf with so many steps over it. */
  grown(steps: number): Made {
    const { random } = this;
    if (this.#bound.length === 0 && steps > 1 && random.chance(0.08)) return this.#with(steps);
    let made = this.#leaf();
    for (let step = 0; step < steps; step++) made = this.#step(made);
    return made;
  }

  #name(): string {
    return `c${this.#names++}`;
  }

  #leaf(): Made {
    const { random } = this;
    if (this.#bound.length > 0 && random.chance(0.5)) {
      const { name, made } = random.one(this.#bound);
      return { plan: { op: 'ref', name, columns: made.plan.columns }, unique: made.unique, isOrdered: false };
    }
    if (random.chance(0.08)) return this.#range();
    if (random.chance(0.12)) return this.#values();
    const { dataset, timeColumn, columns, unique } = random.one(sources);
    const bounds = random.chance(0.2) ? { from: random.one(times.slice(0, 3)), to: random.one(times.slice(3)) } : {};
    const plan = build.scan({ dataset, timeColumn, columns: [...columns], nullStrings: false, ...bounds });
    return { plan, unique: [unique], isOrdered: false };
  }

  #range(): Made {
    const name = this.#name();
    const from = this.random.between(-3, 3);
    const limits = [from, from + this.random.between(-1, 9), this.random.between(1, 3)].map((n) =>
      build.literal('long', n),
    );
    return { plan: build.rangeRows(name, limits[0]!, limits[1]!, limits[2]!), unique: [name], isOrdered: false };
  }

  #values(): Made {
    const { random } = this;
    const columns = random.times(random.between(1, 4), () => ({ name: this.#name(), type: random.one(types) }));
    const id = { name: this.#name(), type: 'long' as const };
    const rows = random.times(random.between(0, 6), (n) => [
      ...columns.map(({ type }) => randomLiteral(random, type).value),
      n,
    ]);
    return { plan: build.values([...columns, id], rows), unique: [id.name], isOrdered: false };
  }

  #with(steps: number): Made {
    const { random } = this;
    const bound = { name: 'bound', made: this.grown(random.between(1, 2)) };
    this.#bound = [bound];
    const body = this.grown(steps);
    this.#bound = [];
    const plan: Plan = {
      op: 'with',
      columns: body.plan.columns,
      bindings: [{ name: bound.name, plan: bound.made.plan, materialized: random.chance(0.5) }],
      body: body.plan,
    };
    return { ...body, plan };
  }

  #step(made: Made): Made {
    const steps = [
      this.#filter,
      this.#filter,
      this.#filter,
      this.#extend,
      this.#extend,
      this.#project,
      this.#project,
      this.#summarize,
      this.#summarize,
      this.#join,
      this.#union,
      this.#unnest,
      this.#sort,
      this.#sort,
      this.#limit,
      this.#limit,
      this.#distinct,
      this.#window,
      this.#lateral,
    ];
    return this.random.one(steps).call(this, made);
  }

  #over(made: Made): Expressions {
    return new Expressions(this.random, made.plan.columns);
  }

  #named(made: Made, count: number): NamedExpr[] {
    return this.random.times(count, () => ({
      name: this.#name(),
      value: this.#over(made).of(this.random.one(types), 3),
    }));
  }

  #filter(made: Made): Made {
    const { random } = this;
    const predicate = random.chance(0.1) ? this.#subquery(made) : this.#over(made).of('bool', 3);
    return { ...made, plan: build.filter(made.plan, predicate) };
  }

  /** A comparison with another relation: one of its values, or the only value that it has. */
  #subquery(made: Made): Expr {
    const { random } = this;
    const { dataset, timeColumn, columns } = random.one(sources);
    const scan = build.scan({ dataset, timeColumn, columns: [...columns], nullStrings: false });
    const type = random.one(['long', 'string'] as const);
    const of = columns.find((each) => each.type === type)!;
    if (type === 'long' && random.chance(0.5)) {
      const name = this.#name();
      const plan = build.summarize(scan, [], [{ kind: 'aggregate', name, ...aggregate('max', [build.column(of)]) }]);
      return call('<=', [this.#over(made).of('long', 1), { kind: 'scalar', plan, type: 'long' }]);
    }
    const plan = build.project(scan, [{ name: this.#name(), value: build.column(of) }]);
    const value = this.#over(made).of(type, 1);
    return { kind: 'membership', value, plan, ignoreCase: type === 'string' && random.chance(0.5), type: 'bool' };
  }

  #extend(made: Made): Made {
    return { ...made, plan: build.extend(made.plan, this.#named(made, this.random.between(1, 2))) };
  }

  #project(made: Made): Made {
    const { random } = this;
    const kept = random.some(made.plan.columns, random.between(1, made.plan.columns.length));
    const same = kept.map((each) => ({ name: each.name, value: build.column(each) }));
    const unique = made.unique.filter((name) => kept.some((each) => each.name === name));
    return { ...made, unique, plan: build.project(made.plan, [...same, ...this.#named(made, random.between(0, 2))]) };
  }

  #summarize(made: Made): Made {
    const { random } = this;
    const keys = random.times(random.between(0, 2), () => ({
      name: this.#name(),
      value: this.#over(made).of(random.one(keyTypes), 2),
    }));
    const items = random.times(random.between(keys.length === 0 ? 1 : 0, 3), () => this.#aggregate(made));
    const plan = build.summarize(made.plan, keys, items);
    const sets = items.flatMap((item) => (item.kind === 'aggregate' && item.fn === 'make_set' ? [item.name] : []));
    const unique = keys.length === 1 ? [keys[0]!.name] : [];
    return { plan: this.#inOrder(plan, sets), unique, isOrdered: false };
  }

  /** Sets come in any order: they are sorted before anybody looks. */
  #inOrder(plan: Plan, sets: string[]): Plan {
    if (sets.length === 0) return plan;
    const kept = plan.columns.map((each) => {
      const value = build.column(each);
      return { name: each.name, value: sets.includes(each.name) ? call('array_sort_asc', [value]) : value };
    });
    return build.project(plan, kept);
  }

  #aggregate(made: Made): Aggregate | Pick {
    const { random } = this;
    const name = this.#name();
    const over = this.#over(made);
    if (random.chance(0.12)) return this.#pick(made, name);
    const where = random.chance(0.25) ? { where: over.of('bool', 2) } : {};
    const make = (fn: string, ...args: Expr[]): Aggregate => ({
      kind: 'aggregate',
      name,
      ...aggregate(fn, args),
      ...where,
    });
    const maker = random.one([
      () => make('count'),
      () => make('count'),
      () => make('sum', over.of(random.one(['long', 'real', 'timespan']), 2)),
      () => make('avg', over.of(random.one(['long', 'real']), 2)),
      () => make(random.one(['min', 'max']), over.of(random.one(['long', 'real', 'datetime', 'timespan']), 2)),
      () => make('dcount', over.of(random.one(keyTypes), 2)),
      () => make('make_set', this.#element(over)),
      () =>
        make(
          'percentile',
          over.of(random.one(['long', 'datetime']), 2),
          build.literal('long', random.one([0, 10, 50, 90, 100])),
        ),
      () => (made.isOrdered ? make('make_list', over.of(random.one(['long', 'string', 'bool']), 2)) : make('count')),
    ]);
    return maker();
  }

  /** Great numbers are texts in the JSON of an answer, which has them in the order of texts. */
  #element(over: Expressions): Expr {
    const value = over.of(this.random.one(['long', 'string']), 2);
    return value.type === 'long' ? call('%', [value, build.literal('long', 1_000_000)]) : value;
  }

  /** The columns hang on what decides alone, or on what no two rows share. */
  #pick(made: Made, name: string): Pick {
    const { random } = this;
    const which = random.one(['GREATEST', 'LEAST'] as const);
    const decisive = made.plan.columns.find((each) => made.unique.includes(each.name) && each.type === 'long');
    const by = decisive === undefined ? this.#over(made).of('long', 1) : build.column(decisive);
    const other = random.one(made.plan.columns);
    const columns = [
      { name, value: by },
      ...(decisive === undefined ? [] : [{ name: this.#name(), value: build.column(other) }]),
    ];
    return { kind: 'pick', by, which, columns };
  }

  #join(made: Made): Made {
    const { random } = this;
    if (this.#joins++ > 1) return this.#filter(made);
    const other = this.#renamed(this.grown(random.between(0, 1)));
    const type = random.one(['long', 'string', 'datetime'] as const);
    const on = random.times(random.between(1, 2), () => ({
      left: this.#over(made).of(type, 1),
      right: this.#over(other).of(type, 1),
    }));
    const kind = random.one(['INNER', 'LEFT', 'RIGHT', 'FULL', 'LEFT_SEMI', 'LEFT_ANTI'] as const);
    const plan = build.join(kind, made.plan, other.plan, on);
    const keepsRows = kind === 'LEFT_SEMI' || kind === 'LEFT_ANTI';
    return {
      plan: keepsRows ? plan : withoutNullStrings(plan),
      unique: keepsRows ? made.unique : [],
      isOrdered: false,
    };
  }

  /** Two sides of a join have no names in common. */
  #renamed(made: Made): Made {
    const names = new Map(made.plan.columns.map(({ name }) => [name, this.#name()]));
    const kept = made.plan.columns.map((each) => ({ name: names.get(each.name)!, value: build.column(each) }));
    return { ...made, unique: made.unique.map((name) => names.get(name)!), plan: build.project(made.plan, kept) };
  }

  #union(made: Made): Made {
    const { random } = this;
    const other = this.grown(random.between(0, 1));
    const wanted = random.some(made.plan.columns, 4);
    const shaped = (of: Made): Plan =>
      build.project(
        of.plan,
        wanted.map(({ name, type }) => ({ name, value: this.#like(of, { name, type }) })),
      );
    return { plan: build.union([shaped(made), shaped(other)]), unique: [], isOrdered: false };
  }

  #like(of: Made, wanted: PlanColumn): Expr {
    const same = of.plan.columns.filter(({ type }) => type === wanted.type);
    const exact = same.find(({ name }) => name === wanted.name) ?? same[0];
    return exact === undefined
      ? randomLiteral(this.random, wanted.type as (typeof types)[number])
      : build.column(exact);
  }

  #unnest(made: Made): Made {
    const { random } = this;
    const elements = random.times(random.between(1, 2), () =>
      random.chance(0.5)
        ? { name: this.#name(), value: this.#over(made).strings(1), type: 'string' as const }
        : { name: this.#name(), value: this.#over(made).array(2), type: 'dynamic' as const },
    );
    const index = random.chance(0.5) ? { index: this.#name() } : {};
    const plan = build.unnest(made.plan, elements, { ...index, keepEmpty: random.chance(0.5) });
    return { plan: withoutNullStrings(plan), unique: [], isOrdered: false };
  }

  #keys(made: Made): SortKey[] {
    const { random } = this;
    return random.times(random.between(0, 2), () => ({
      value: this.#over(made).of(random.one(['long', 'string', 'datetime', 'real', 'bool']), 1),
      descending: random.chance(0.5),
      nullsFirst: random.chance(0.5),
    }));
  }

  /** Keys that leave no two rows alike, where there is a column for it. */
  #fullKeys(made: Made): SortKey[] | undefined {
    const unique = made.plan.columns.find(({ name }) => made.unique.includes(name));
    if (unique === undefined) return undefined;
    return [
      ...this.#keys(made),
      { value: build.column(unique), descending: this.random.chance(0.5), nullsFirst: this.random.chance(0.5) },
    ];
  }

  #sort(made: Made): Made {
    const full = this.#fullKeys(made);
    const keys = full ?? this.#keys(made);
    return keys.length === 0 ? made : { ...made, plan: build.sort(made.plan, keys), isOrdered: full !== undefined };
  }

  #limit(made: Made): Made {
    const ordered = made.isOrdered ? made : this.#sort(made);
    if (!ordered.isOrdered) return ordered;
    return { ...ordered, plan: build.limit(ordered.plan, this.random.between(0, 8), this.random.one([0, 0, 0, 2])) };
  }

  #distinct(made: Made): Made {
    const { random } = this;
    const kept = random
      .some(made.plan.columns, random.between(1, 2))
      .map((each) => ({ name: each.name, value: build.column(each) }));
    // Bags and arrays have no order.
    const unique = kept.length === 1 && kept[0]!.value.type !== 'dynamic' ? [kept[0]!.name] : [];
    return { plan: build.distinct(build.project(made.plan, kept)), unique, isOrdered: false };
  }

  #window(made: Made): Made {
    const { random } = this;
    const orderBy = this.#fullKeys(made);
    if (orderBy === undefined) return this.#filter(made);
    const over = this.#over(made);
    const name = this.#name();
    const value = () => over.of(random.one(['long', 'string', 'datetime']), 1);
    const added = random.one([
      () => ({ name, fn: 'row_number', args: [], type: 'long' as const }),
      () => ({ name, fn: random.one(['rank', 'dense_rank']), args: [], type: 'long' as const }),
      () => {
        const item = value();
        const fallback = item.type === 'string' ? [build.literal('string', '')] : [];
        return {
          name,
          fn: random.one(['prev', 'next']),
          args: [item, build.literal('long', random.between(1, 2)), ...fallback],
          type: item.type,
        };
      },
      () => ({
        name,
        fn: 'row_cumsum',
        args: [
          call('%', [call('coalesce', [over.of('long', 1), build.literal('long', 0)]), build.literal('long', 1000)]),
        ],
        type: 'long' as const,
      }),
      () => ({ name, ...aggregate('max', [over.of('long', 1)]) }),
    ])();
    const partitionBy = random.times(random.between(0, 1), () => over.of(random.one(keyTypes), 1));
    return { ...made, plan: build.window(made.plan, { partitionBy, orderBy }, [added]) };
  }

  /** For each row, something about the elements of one of its arrays. */
  #lateral(made: Made): Made {
    const { random } = this;
    const name = this.#name();
    const outer: Plan = { op: 'outer', columns: made.plan.columns };
    const element = { name, value: this.#over(made).strings(1), type: 'string' as const };
    const elements = build.unnest(outer, [element], { keepEmpty: false });
    const text = build.column({ name, type: 'string' });
    const total: Aggregate = {
      kind: 'aggregate',
      name: this.#name(),
      ...aggregate(random.one(['count', 'dcount']), random.chance(0.5) ? [text] : [text]),
    };
    const best: Aggregate = { kind: 'aggregate', name: this.#name(), ...aggregate('max', [call('strlen', [text])]) };
    const kept = random.some(made.plan.columns, 3).map((each) => each.name);
    const body = build.summarize(elements, [], [total, best]);
    return {
      plan: build.lateral(made.plan, kept, body),
      unique: made.unique.filter((each) => kept.includes(each)),
      isOrdered: false,
    };
  }
}

/** Kusto's strings are never null: what a step leaves open becomes empty, as its translation does it. */
function withoutNullStrings(plan: Plan): Plan {
  const kept = plan.columns.map((each) => {
    const value = build.column(each);
    return { name: each.name, value: each.type === 'string' ? call('tostring', [value]) : value };
  });
  return build.project(plan, kept);
}
