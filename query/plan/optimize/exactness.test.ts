/** Random plans on real PostgreSQL: what the optimizer makes of a plan gives the same rows in the same order. */
import fc, { type GeneratorValue } from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../tests/setup/database.js';
import { compilePlan } from '../../engines/postgres/compile/compile.js';
import { inSession } from '../../engines/postgres/session.js';
import { resultTypes } from '../../engines/postgres/values.js';
import type { JsonValue } from '../../result.js';
import {
  column,
  distinct,
  extend,
  filter,
  join,
  limit,
  literal,
  project,
  scan,
  sort,
  summarize,
  union,
  unnest,
  values,
  window,
} from '../build.js';
import { aggregate, call } from '../functions/index.js';
import { orderOf } from '../order.js';
import { printPlan } from '../print.js';
import type { Aggregate, Expr, NamedExpr, Pick, Plan, PlanColumn, ScalarType, SortKey } from '../types.js';
import { optimize } from './index.js';

const orgId = '00000000-0000-4000-8000-000000000001';
const plans = process.env.HARBORWATCH_DEEP ? 5_000 : 150;

let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  await database.asSuperuser(`SELECT app.ensure_partition('logs', '2024-01-01')`);
  await database.asSuperuser(
    `INSERT INTO app.logs (org_id, batch_no, timestamp, severity, user_name, bytes_in, source_port)
     SELECT $1, 1, '2024-01-01'::timestamptz + (n % 7) * interval '1 hour', (array['high', 'low', NULL, ''])[1 + n % 4],
            (array['ann', 'Bob', NULL])[1 + n % 3], nullif(n % 5, 0), nullif(n % 2, 0)
       FROM generate_series(1, 40) n`,
    [orgId],
  );
  pool = new pg.Pool({ connectionString: database.url('query'), max: 1 });
});

afterAll(async () => {
  await pool?.end();
  await database?.drop();
});

async function run(plan: Plan, shown: string): Promise<JsonValue[][]> {
  const query = { ...compilePlan(plan), rowMode: 'array' as const, types: resultTypes };
  const { rows } = await inSession(pool, { orgId, timeoutMs: 20_000 }, (client) =>
    client.query<JsonValue[]>(query).catch((error: Error) => {
      throw new Error(`${error.message}\n${shown}`);
    }),
  );
  return rows;
}

const scanned: PlanColumn[] = [
  { name: 'timestamp', type: 'datetime' },
  { name: 'severity', type: 'string' },
  { name: 'user_name', type: 'string' },
  { name: 'bytes_in', type: 'long' },
  { name: 'source_port', type: 'long' },
];
const moments = ['2024-01-01T00:00:00Z', '2024-01-01T03:00:00Z', '2024-01-01T05:30:00.000001Z'];
const samples: Partial<Record<ScalarType, JsonValue[]>> = {
  long: [0, 1, 2, 3, null],
  string: ['', 'high', 'low', 'ann', 'HIGH'],
  datetime: moments,
  bool: [true, false, null],
};
const types = Object.keys(samples) as ScalarType[];

/** Makes plans whose answer is told by the plan alone: what a limit takes is ordered by every column. */
class Maker {
  #names = 0;

  constructor(readonly g: GeneratorValue) {}

  #one<T>(of: readonly T[]): T {
    return of[this.g(fc.nat, { max: of.length - 1 })]!;
  }

  #some<T>(of: readonly T[]): T[] {
    const chosen = this.g(fc.subarray<T>, [...of], { minLength: 1 });
    return chosen;
  }

  #upTo(max: number): number {
    return this.g(fc.nat, { max });
  }

  #name(): string {
    return `c${++this.#names}`;
  }

  plan(depth: number): Plan {
    if (depth === 0) return this.#leaf();
    const input = () => this.plan(depth - 1);
    switch (this.#upTo(14)) {
      case 0:
        return this.#leaf();
      case 1:
      case 2:
      case 3:
        return this.#filter(input());
      case 4:
        return this.#extend(input());
      case 5:
        return this.#project(input());
      case 6:
        return this.#sort(input());
      case 7:
        return this.#limit(input());
      case 8:
        return distinct(input());
      case 9:
        return this.#summarize(input());
      case 10:
      case 11:
        return this.#union(input(), input());
      case 12:
        return this.#join(input(), input());
      case 13:
        return this.#unnest(input());
      default:
        return this.#upTo(1) === 0 ? this.#with(input()) : this.#window(input());
    }
  }

  #leaf(): Plan {
    if (this.#upTo(3) === 0) {
      const columns = this.#some(types).map((type) => ({ name: this.#name(), type }));
      const rows = Array.from({ length: this.#upTo(4) }, () => columns.map(({ type }) => this.#one(samples[type]!)));
      return values(columns, rows);
    }
    return scan({
      dataset: 'logs',
      timeColumn: 'timestamp',
      nullStrings: this.#upTo(2) === 0,
      columns: this.#some(scanned),
      ...(this.#upTo(4) === 0 && { from: this.#one(moments) }),
      ...(this.#upTo(4) === 0 && { to: this.#one(moments) }),
    });
  }

  #filter(input: Plan): Plan {
    return filter(input, this.#expr('bool', input.columns, 2));
  }

  #extend(input: Plan): Plan {
    return extend(input, this.#named(input));
  }

  #named(input: Plan): NamedExpr[] {
    return Array.from({ length: 1 + this.#upTo(1) }, () => ({
      name: this.#name(),
      value: this.#expr(this.#one(types), input.columns, 2),
    }));
  }

  #project(input: Plan): Plan {
    const kept = this.#some(input.columns).map((item) => ({
      name: this.#upTo(2) === 0 ? this.#name() : item.name,
      value: column(item),
    }));
    return project(input, this.#upTo(1) === 0 ? kept : [...kept, ...this.#named(input)]);
  }

  #key(value: Expr): SortKey {
    return { value, descending: this.#upTo(1) === 0, nullsFirst: this.#upTo(1) === 0 };
  }

  #sort(input: Plan): Plan {
    return sort(
      input,
      this.#some(input.columns).map((item) => this.#key(column(item))),
    );
  }

  /** Rows that are alike in every column can stand for each other. */
  #total(input: Plan): SortKey[] {
    const computed = this.#upTo(3) === 0 ? [this.#key(this.#expr('long', input.columns, 1))] : [];
    return [...computed, ...input.columns.map((item) => this.#key(column(item)))];
  }

  #limit(input: Plan): Plan {
    const sorted = sort(input, this.#total(input));
    const between = [() => sorted, () => this.#extend(sorted), () => this.#project(sorted), () => this.#filter(sorted)];
    return limit(this.#one(between)(), this.#upTo(6), this.#upTo(2));
  }

  #summarize(input: Plan): Plan {
    const keys = this.#upTo(3) === 0 ? [] : this.#named(input).slice(0, 1 + this.#upTo(1));
    const own =
      this.#upTo(1) === 0 ? input.columns.slice(0, 1).map((item) => ({ name: item.name, value: column(item) })) : [];
    const aggregates: (Aggregate | Pick)[] = Array.from({ length: this.#upTo(2) }, () => this.#aggregate(input));
    const all = [...own, ...keys];
    return all.length + aggregates.length === 0
      ? summarize(input, [], [this.#count()])
      : summarize(input, all, aggregates);
  }

  #count(): Aggregate {
    return { kind: 'aggregate', name: this.#name(), ...aggregate('count', []) };
  }

  #aggregate(input: Plan): Aggregate | Pick {
    const where = this.#upTo(3) === 0 ? { where: this.#expr('bool', input.columns, 1) } : {};
    const fn = this.#one(['count', 'sum', 'min', 'max', 'dcount', 'make_set', 'arg_max']);
    if (fn === 'count') return { ...this.#count(), ...where };
    if (fn === 'arg_max') {
      // Picks by what it gives, so that any of the greatest rows will do.
      const by = this.#expr('long', input.columns, 1);
      return { kind: 'pick', by, which: 'GREATEST', columns: [{ name: this.#name(), value: by }] };
    }
    const type = fn === 'sum' ? 'long' : this.#one(['long', 'datetime', 'string'] as const);
    return {
      kind: 'aggregate',
      name: this.#name(),
      ...aggregate(fn, [this.#expr(type, input.columns, 1)]),
      ...where,
    };
  }

  #union(left: Plan, right: Plan): Plan {
    const shape = this.#some(types).map((type) => ({ name: this.#name(), type }));
    const side = (plan: Plan) =>
      project(
        plan,
        shape.map(({ name, type }) => ({ name, value: this.#expr(type, plan.columns, 0) })),
      );
    return union([side(left), side(right), ...(this.#upTo(2) === 0 ? [values(shape, [])] : [])]);
  }

  #join(left: Plan, other: Plan): Plan {
    const right = project(
      other,
      other.columns.map((item) => ({ name: this.#name(), value: column(item) })),
    );
    const type = this.#one(types);
    const [ours, theirs] = [left, right].map(({ columns }) => columns.filter((item) => item.type === type));
    const canPair = ours!.length > 0 && theirs!.length > 0;
    const kind = canPair
      ? this.#one(['INNER', 'LEFT', 'RIGHT', 'FULL', 'LEFT_SEMI', 'LEFT_ANTI', 'CROSS'] as const)
      : 'CROSS';
    const pair = () => ({ left: column(this.#one(ours!)), right: column(this.#one(theirs!)) });
    // Few rows on each side, or three joins are a million rows.
    const few = (plan: Plan) => limit(sort(plan, this.#total(plan)), 6);
    const isSmall = this.#upTo(1) === 0 || kind === 'CROSS';
    return join(kind, isSmall ? few(left) : left, few(right), kind === 'CROSS' ? [] : [pair()]);
  }

  #unnest(input: Plan): Plan {
    const array = literal('dynamic', this.#one<JsonValue>([[1, 2], [], [null, 3]]));
    return unnest(input, [{ name: this.#name(), value: array, type: 'long' }], { keepEmpty: this.#upTo(1) === 0 });
  }

  #with(bound: Plan): Plan {
    const name = this.#name();
    const ref: Plan = { op: 'ref', name, columns: bound.columns };
    const body = this.#project(this.#upTo(1) === 0 ? union([this.#filter(ref), ref]) : this.#filter(ref));
    const bindings = [{ name, plan: bound, materialized: this.#upTo(1) === 0 }];
    return { op: 'with', columns: body.columns, bindings, body };
  }

  #window(input: Plan): Plan {
    const numbered = window(input, { partitionBy: [], orderBy: this.#total(input) }, [
      { name: this.#name(), fn: 'row_number', args: [], type: 'long' },
    ]);
    return this.#upTo(1) === 0 ? numbered : this.#project(numbered);
  }

  #expr(type: ScalarType, columns: PlanColumn[], depth: number): Expr {
    const own = columns.filter((item) => item.type === type);
    const shape = this.#upTo(depth === 0 ? 3 : 7);
    if (shape <= 2 && own.length > 0) return column(this.#one(own));
    if (shape <= 3) return literal(type, this.#one(samples[type]!));
    const of = (operand: ScalarType) => this.#expr(operand, columns, depth - 1);
    switch (type) {
      case 'bool': {
        const operand = this.#one(['long', 'string', 'datetime'] as const);
        const build = this.#one([
          () => call('and', [of('bool'), of('bool')]),
          () => call('or', [of('bool'), of('bool'), of('bool')]),
          () => call('not', [of('bool')]),
          () => call(this.#one(['==', '!=', '<', '<=', '>', '>=', '=', '<>']), [of(operand), of(operand)]),
          () => call('in', [of(operand), of(operand), of(operand)]),
          () => call('between', [of('datetime'), of('datetime'), of('datetime')]),
          () => call(this.#one(['has', 'contains', 'startswith', '!=', '=~']), [of('string'), of('string')]),
          () => call('isnull', [of('long')]),
          () => call('isempty', [of('string')]),
        ]);
        return build();
      }
      case 'long':
        return this.#upTo(1) === 0
          ? call('+', [of('long'), of('long')])
          : call('iff', [of('bool'), of('long'), of('long')]);
      case 'string':
        return this.#upTo(1) === 0 ? call('strcat', [of('string'), of('string')]) : call('tostring', [of('long')]);
      default:
        return this.#upTo(1) === 0
          ? call('bin', [of('datetime'), literal('timespan', 7_200_000_000)])
          : call('iff', [of('bool'), of('datetime'), of('datetime')]);
    }
  }
}

const asBag = (rows: JsonValue[][]): string[] => rows.map((row) => JSON.stringify(row)).toSorted();

test(`an optimised plan gives the rows of the plain one, in its order: ${plans} random plans`, {
  timeout: 600_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.gen(), async (g) => {
      const plain = new Maker(g).plan(5);
      const better = optimize(plain);
      const shown = `${printPlan(plain)}\n---\n${printPlan(better)}`;
      expect(better.columns, shown).toEqual(plain.columns);
      const [expected, found] = [await run(plain, shown), await run(better, shown)];
      expect(asBag(found), shown).toEqual(asBag(expected));
      const keys = (orderOf(plain) ?? []).map(({ value }) =>
        plain.columns.findIndex((item) => value.kind === 'column' && item.name === value.name),
      );
      const inOrder = (rows: JsonValue[][]) => rows.map((row) => keys.map((place) => row[place]));
      if (!keys.includes(-1)) expect(inOrder(found), shown).toEqual(inOrder(expected));
      expect(optimize(better), shown).toEqual(better);
    }),
    { numRuns: plans },
  );
});
