/**
 * Nothing that a query names or says becomes SQL: random plans whose names and texts are all hostile are compiled, and what
 * stands outside of quotes in the SQL is taken apart. The names change no answer either.
 */
import { loadModule, parseSync } from 'libpg-query';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compilePlan } from '../../query/engines/postgres/compile/compile.js';
import { column, literal, project, scan, summarize, values } from '../../query/plan/build.js';
import { aggregate, aggregates, CallMismatch, call, functions } from '../../query/plan/functions/index.js';
import type { ParameterType } from '../../query/plan/functions/signatures.js';
import { optimize } from '../../query/plan/optimize/index.js';
import type { CallExpr, Expr, LiteralExpr, Plan, PlanColumn, ScalarType } from '../../query/plan/types.js';
import type { JsonValue } from '../../query/result.js';
import { randomPlan } from '../query/random/plans.js';
import { Random } from '../query/random/random.js';
import { createQueryRows, type QueryRows } from '../setup/query-rows.js';

const plans = process.env.HARBORWATCH_DEEP ? 20_000 : 500;
/** How many of them are run as well. */
const runs = process.env.HARBORWATCH_DEEP ? 2_000 : 100;

/** In every hostile text, and in nothing else. */
const mark = `zq${crypto.randomUUID().replaceAll('-', '')}`;

const hostile = [
  `${mark}`,
  `"${mark}`,
  `${mark}"; DROP TABLE app.logs; --`,
  `'${mark}`,
  `${mark}' OR ''='`,
  `\\'${mark}`,
  `${mark}\\`,
  `$$${mark}$$`,
  `$q$${mark}`,
  `$1${mark}$2`,
  `/* ${mark}`,
  `*/ ${mark}`,
  `${mark}\n; SELECT 1`,
  `${mark}\r\n-- `,
  `${mark}\u2028;`,
  `\t${mark}`,
  `U&"${mark}`,
  `E'${mark}\\''`,
  `%s${mark}%I`,
  `{"${mark}": "}"}`,
  `{${mark},"a"}`,
  `${mark}::app.logs`,
  `~1${mark}`,
  `${mark.repeat(4)}`,
  `(?:${mark}')`,
  `[${mark}"]`,
  `${mark}){2}`,
  `${mark} 日本 \u{1f600}`,
  `\u202e${mark}`,
];

/** No text has these characters; names may. */
const hostileNames = [...hostile, `\0${mark}\0`, `\ud800${mark}`, `\udc00${mark}`, `\x01${mark}`];

interface Taken {
  /** What stands outside of quotes. */
  bare: string;
  identifiers: string[];
  constants: string[];
}

/** The parts of an SQL text, by PostgreSQL's rules with standard_conforming_strings. */
function takeApart(sql: string): Taken {
  const taken: Taken = { bare: '', identifiers: [], constants: [] };
  for (const [part] of sql.matchAll(/"(?:[^"]|"")*"|'(?:[^']|'')*'|[^"']+|["']/g)) {
    const inner = part.slice(1, -1);
    if (part.length === 1 || !/^["']/.test(part)) taken.bare += part;
    else if (part.startsWith('"')) taken.identifiers.push(inner.replaceAll('""', '"'));
    else taken.constants.push(inner.replaceAll("''", "'"));
    if (part.length > 1 && /^["']/.test(part)) taken.bare += part[0];
  }
  return taken;
}

/** What is wrong with the SQL of a plan in which only these names are. */
function faultsIn(sql: string, names: ReadonlySet<string>): string[] {
  const { bare, identifiers, constants } = takeApart(sql);
  const faults: string[] = [];
  const [strange] = /[^\x20-\x7e\n]|;|--|\/\*|\$(?!\d)|\b(?:E|U&|B|X|N)['"]|["']{2}/i.exec(bare) ?? [];
  if (strange !== undefined) faults.push(`${JSON.stringify(strange)} outside of quotes`);
  if (bare.includes(mark)) faults.push('a text of the query outside of quotes');
  for (const one of constants) if (one.includes(mark)) faults.push(`a text of the query as a constant: ${one}`);
  for (const one of identifiers)
    if (one.includes(mark) && !names.has(one)) faults.push(`an identifier that is no name: ${one}`);
  const { stmts } = parseSync(sql) as { stmts: { stmt: object }[] };
  if (stmts.length !== 1) faults.push(`${stmts.length} statements`);
  for (const { stmt } of stmts) if (!('SelectStmt' in stmt)) faults.push(`a statement ${Object.keys(stmt).join()}`);
  return faults.map((fault) => `${fault} in ${sql.slice(0, 2_000)}`);
}

/** Hostile names and texts in the place of a plan's own. */
class Disguise {
  readonly names = new Map<string, string>();

  constructor(
    readonly random: Random,
    readonly changesTexts: boolean,
  ) {}

  /** The same name for the same name. */
  name(name: string): string {
    const known = this.names.get(name) ?? `${this.random.one(hostileNames)}${this.names.size}`;
    this.names.set(name, known);
    return known;
  }

  plan(plan: Plan): Plan {
    return this.#value(plan) as Plan;
  }

  #value(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((one) => this.#value(one));
    if (typeof value !== 'object' || value === null) return value;
    const node = value as Record<string, unknown>;
    if (node.op === 'scan') return this.#scan(node as unknown as Plan);
    if (node.op === 'values') return { ...node, columns: this.#value(node.columns) };
    if (node.kind === 'literal') return this.#literal(node as unknown as LiteralExpr);
    const entries = Object.entries(node).map(([key, one]): [string, unknown] => {
      if ((key === 'name' || key === 'index') && typeof one === 'string') return [key, this.name(one)];
      if (key === 'kept' && node.op === 'lateral') return [key, (one as string[]).map((each) => this.name(each))];
      return [key, this.#value(one)];
    });
    const changed = Object.fromEntries(entries);
    return node.kind === 'call' ? this.#call(node as unknown as CallExpr, changed as unknown as CallExpr) : changed;
  }

  /** A scan's columns have names of their own: they are given others right above it. */
  #scan(plan: Plan): Plan {
    return project(
      plan,
      plan.columns.map((each) => ({ name: this.name(each.name), value: column(each) })),
    );
  }

  #literal(expr: LiteralExpr): LiteralExpr {
    if (!this.changesTexts || expr.value === null) return expr;
    const text = this.random.one(hostile);
    if (expr.type === 'string') return { ...expr, value: text };
    return expr.type === 'dynamic' ? { ...expr, value: { [text]: [text, 1], [mark]: text } } : expr;
  }

  /** What a function does not take as a text stays what it was: a pattern, a part of a moment. */
  #call(before: CallExpr, after: CallExpr): CallExpr {
    try {
      call(after.fn, after.args);
      return after;
    } catch (error) {
      if (!(error instanceof CallMismatch)) throw error;
      return { ...after, args: after.args.map((arg, index) => (arg.kind === 'literal' ? before.args[index]! : arg)) };
    }
  }
}

let rows: QueryRows;

beforeAll(async () => {
  await loadModule();
  rows = await createQueryRows();
});
afterAll(() => rows?.drop());

describe('what a query names and says', () => {
  test('the SQL of a plan is one SELECT, with the plan’s names in quotes and its texts nowhere', () => {
    const faults: string[] = [];
    for (let seed = 0; seed < plans; seed++) {
      const random = new Random(seed);
      const disguise = new Disguise(random, true);
      const plan = disguise.plan(randomPlan(random));
      const names = new Set(disguise.names.values());
      for (const each of [plan, optimize(plan)]) {
        faults.push(
          ...faultsIn(compilePlan(each, { ingestBatch: '7' }).text, names).map((fault) => `${seed}: ${fault}`),
        );
      }
    }
    expect(faults.slice(0, 5)).toEqual([]);
  });

  test('a plan gives the same rows under hostile names', async () => {
    const faults: string[] = [];
    for (let seed = 0; seed < runs; seed++) {
      const plain = randomPlan(new Random(seed));
      const disguise = new Disguise(new Random(seed + 1_000_000), false);
      const [first, second] = [await answerOf(plain), await answerOf(disguise.plan(plain))];
      if (first !== second) faults.push(`${seed}: ${first.slice(0, 500)} / ${second.slice(0, 500)}`);
    }
    expect(faults.slice(0, 5)).toEqual([]);
  });

  test('no function or aggregate writes an argument into its SQL', () => {
    const faults: string[] = [];
    const compiled = new Set<string>();
    const look = (name: string, plan: Plan) => {
      compiled.add(name);
      faults.push(...faultsIn(compilePlan(plan).text, new Set(columnNames)).map((fault) => `${name}: ${fault}`));
    };
    for (const name of Object.keys(functions)) {
      const parameters = functions[name]!.signatures.map((each) => [
        ...each.parameters,
        ...(each.rest === undefined ? [] : [each.rest, each.rest]),
      ]);
      for (const args of [...argumentsFor(parameters), ...(particular[name]?.() ?? [])]) {
        const expr = accepted(() => call(name, args));
        if (expr !== undefined) look(name, project(source, [{ name: columnNames[0]!, value: expr }]));
      }
    }
    for (const name of Object.keys(aggregates)) {
      for (const args of argumentsFor(aggregates[name]!.signatures.map(({ parameters }) => parameters))) {
        const made = accepted(() => aggregate(name, args));
        if (made !== undefined) {
          look(name, summarize(source, [], [{ kind: 'aggregate', name: columnNames[0]!, ...made }]));
        }
      }
    }
    expect(faults.slice(0, 5)).toEqual([]);
    const all = [...Object.keys(functions), ...Object.keys(aggregates)];
    expect(all.filter((name) => !compiled.has(name)).sort()).toEqual(onlyWithKnownTexts);
  });

  test('a part of a moment that is none is not written, even where nothing looked at it before', () => {
    const moment = literal('datetime', '2024-01-01T00:00:00Z');
    for (const text of hostile) {
      const part = literal('string', text);
      const calls: CallExpr[] = [
        { kind: 'call', fn: 'datetime_part', args: [part, moment], type: 'long' },
        { kind: 'call', fn: 'datetime_add', args: [part, literal('long', 1), moment], type: 'datetime' },
        { kind: 'call', fn: 'datetime_diff', args: [part, moment, moment], type: 'long' },
      ];
      for (const value of calls) {
        expect(() => compilePlan(project(values([], [[]]), [{ name: 'x', value }]))).toThrow('is no part of a moment');
      }
    }
  });

  test('a dataset or column that is none is not written', () => {
    const time = { name: 'timestamp', type: 'datetime' } as const;
    for (const text of hostile) {
      const dataset = scan({ dataset: text, timeColumn: 'timestamp', columns: [time], nullStrings: false });
      const missing = scan({
        dataset: 'logs',
        timeColumn: 'timestamp',
        columns: [{ ...time, name: text }],
        nullStrings: false,
      });
      for (const plan of [dataset, missing]) expect(() => compilePlan(plan)).toThrow(/no dataset|no column/);
      const elsewhere = scan({
        dataset: 'logs',
        timeColumn: text,
        columns: [time],
        nullStrings: false,
        from: text,
        to: text,
      });
      expect(faultsIn(compilePlan(elsewhere).text, new Set())).toEqual([]);
    }
  });
});

/** Arguments for functions that are particular about them. */
const text = (value: string) => literal('string', value);
const particular: Record<string, () => Expr[][]> = {
  case: () => hostile.map((each) => [own('bool'), text(each), text(each)]),
  countof: () => ['normal', 'regex'].map((kind) => [own('string'), text(`${mark}'`), text(kind)]),
  extract_all: () => [
    [text(`(${mark}')`), own('string')],
    [text(`(?P<${mark}>"')`), literal('dynamic', [mark]), own('string')],
  ],
  extract_json: () => [`$.${mark}`, `$['${mark}"']`, `$["${mark}'"]`].map((path) => [text(path), own('string')]),
};

/** Functions of which every text must be one that is known, so that none of the hostile ones is taken. */
const onlyWithKnownTexts = ['datetime_add', 'datetime_diff', 'datetime_part', 'format_datetime', 'format_timespan'];

const types: ScalarType[] = ['string', 'dynamic', 'long', 'real', 'decimal', 'bool', 'datetime', 'timespan', 'guid'];
const columnNames = types.map((type, index) => `${hostile[index * 2 + 1]}${type}`);
const source = values(
  types.map((type, index): PlanColumn => ({ name: columnNames[index]!, type })),
  [types.map(() => null)],
);

const plainValues: Record<Exclude<ScalarType, 'string' | 'dynamic'>, JsonValue> = {
  long: 1,
  real: 0.5,
  decimal: '1.5',
  bool: true,
  datetime: '2024-01-01T00:00:00Z',
  timespan: 1_000_000,
  guid: '00000000-0000-4000-8000-000000000001',
};

const own = (type: ScalarType): Expr => column({ name: columnNames[types.indexOf(type)]!, type });

/** Literals of a type, hostile as far as it can be; then a column. */
function valuesOf(type: ScalarType): Expr[] {
  if (type === 'string') return [...hostile.map(text), own(type)];
  if (type === 'dynamic') {
    return [literal(type, hostile), ...hostile.map((each) => literal(type, { [each]: [each] })), own(type)];
  }
  return [literal(type, plainValues[type]), own(type)];
}

/** Arguments for each signature: the same hostile text in all of its places, and all of its columns. */
function* argumentsFor(signatures: readonly (readonly ParameterType[])[]): Generator<Expr[]> {
  for (const parameters of signatures) {
    const chosen = parameters.map((type) =>
      valuesOf(type === 'any' ? 'string' : typeof type === 'string' ? type : type[0]!),
    );
    const most = Math.max(1, ...chosen.map(({ length }) => length));
    for (let index = 0; index < most; index++) {
      yield chosen.map((each) => each[Math.min(index, each.length - 1)]!);
      // A column, where only some of the places want a literal.
      yield chosen.map((each, place) => (place === 0 ? each.at(-1)! : each[Math.min(index, each.length - 2)]!));
      yield chosen.map((each, place) =>
        place === chosen.length - 1 ? each.at(-1)! : each[Math.min(index, each.length - 2)]!,
      );
    }
  }
}

function accepted<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof CallMismatch) return undefined;
    throw error;
  }
}

/** Rows in an order of their own, or what the caller hears instead. */
async function answerOf(plan: Plan): Promise<string> {
  try {
    const { rows: found } = await rows.runPlan(plan);
    return found
      .map((row) => JSON.stringify(row))
      .sort()
      .join('\n');
  } catch (error) {
    return String(error);
  }
}
