/**
 * Random plans over random events: every engine gives what a naive evaluator gives, and the optimised plan means what the
 * plan does. `HARBORWATCH_SEED=7` runs one plan again, `HARBORWATCH_SEED=100-199` a hundred.
 */
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compilePlan } from '../../query/engines/postgres/compile/compile.js';
import { beginReadOnly } from '../../query/engines/postgres/session.js';
import { planColumns } from '../../query/engines/postgres/statement.js';
import { resultTypes } from '../../query/engines/postgres/values.js';
import type { PreparedQuery } from '../../query/index.js';
import { optimize } from '../../query/plan/optimize/index.js';
import { orderOf } from '../../query/plan/order.js';
import { printPlan } from '../../query/plan/print.js';
import type { Plan } from '../../query/plan/types.js';
import { findOpenSearch } from '../setup/opensearch.js';
import { evaluate, valueIn } from './evaluator/evaluate.js';
import { compareByKeys, type Row } from './evaluator/rows.js';
import { Overflow, toJson } from './evaluator/values.js';
import { type Given, linesThatDiffer, tableOf } from './harness/answers.js';
import { answerOf, type Bench, openBench, orgWith } from './harness/engines.js';
import { type Events, randomEvents } from './random/events.js';
import { randomPlan } from './random/plans.js';
import { Random } from './random/random.js';
import { shrink } from './random/shrink.js';

const openSearch = await findOpenSearch();
const plans = process.env.HARBORWATCH_DEEP ? 20_000 : 500;
/** How many plans share an organisation with the same events. */
const plansPerOrg = 50;
const events = 24;
const timeoutMs = 30_000;
/** How many wrong answers are made small and shown. */
const maxExplained = 5;

interface World {
  orgId: string;
  stored: Map<string, Events>;
}

/** Something that answers plans. */
interface Way {
  name: string;
  answer(plan: Plan, world: World): Promise<Given>;
}

let bench: Bench;
let pool: pg.Pool;
let ways: Way[];

beforeAll(async () => {
  bench = await openBench(openSearch);
  pool = new pg.Pool({ connectionString: bench.test.env.DATABASE_QUERY_URL!, max: 1 });
  const engines = [...bench.engines].map(
    ([name, each]): Way => ({
      name,
      answer: (plan, { orgId }) => answerOf(each, async () => asQuery(plan), { orgId, timeoutMs }),
    }),
  );
  ways = [
    { name: 'the optimised plan', answer: async (plan, { stored }) => evaluated(optimize(plan), stored) },
    { name: 'PostgreSQL without the optimiser', answer: (plan, { orgId }) => plainly(plan, orgId) },
    ...engines,
  ];
});
afterAll(async () => {
  await pool?.end();
  await bench?.close();
});

const asQuery = (plan: Plan): PreparedQuery => ({
  form: 'PLAN',
  language: 'KQL',
  source: '',
  datasets: ['logs', 'web_activity'],
  knownColumns: [],
  rowWise: { ok: false, reason: '', line: 1, column: 1 },
  plan,
});

function evaluated(plan: Plan, stored: World['stored']): Given & { kind: 'ROWS' } {
  const rows = evaluate(plan, stored).map((row) => plan.columns.map(({ name, type }) => toJson(row.get(name)!, type)));
  return { kind: 'ROWS', columns: planColumns(plan), rows };
}

/** PostgreSQL's answer to the plan as it stands. */
async function plainly(plan: Plan, orgId: string): Promise<Given> {
  const client = await pool.connect();
  try {
    await beginReadOnly(client, { orgId, timeoutMs });
    const { text, values } = compilePlan(plan);
    const { rows } = await client.query({ text, values, rowMode: 'array', types: resultTypes });
    return { kind: 'ROWS', columns: planColumns(plan), rows };
  } catch (error) {
    return { kind: 'ERROR', code: 'database', message: String(error) };
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

async function makeWorld(seed: number): Promise<World> {
  const made = randomEvents(new Random(seed), events);
  const org = await orgWith(bench, new Map([...made].map(([dataset, { sent }]) => [dataset, sent])));
  return { orgId: org.orgId, stored: new Map([...made].map(([dataset, { stored }]) => [dataset, stored])) };
}

/** Whether the plan's order leaves no two of its rows alike. */
function hasFullOrder(plan: Plan, rows: Row[], { stored }: World): boolean {
  const keys = orderOf(plan);
  if (keys === undefined) return false;
  const values = rows.map((row) => keys.map((key) => valueIn(key.value, row, { datasets: stored, bound: new Map() })));
  return values.every((each, at) => at === 0 || compareByKeys(values[at - 1]!, each, keys) < 0);
}

/** What comes instead of the right answer; undefined where that comes. */
async function difference(plan: Plan, way: Way, world: World): Promise<string | undefined> {
  const { columns, rows } = evaluated(plan, world.stored);
  const isOrdered = hasFullOrder(plan, evaluate(plan, world.stored), world);
  const wanted = tableOf(columns, rows, isOrdered);
  const given = await way.answer(plan, world);
  const answer =
    given.kind === 'ROWS' ? tableOf(given.columns, given.rows, isOrdered) : `${given.code}: ${given.message}`;
  return answer === wanted ? undefined : linesThatDiffer(wanted, answer);
}

/** Plans in which a whole number leaves its range are no question: engines refuse them. */
function overflows(plan: Plan, world: World): boolean {
  try {
    evaluate(plan, world.stored);
    return false;
  } catch (error) {
    if (error instanceof Overflow) return true;
    throw error;
  }
}

async function wrongWay(plan: Plan, world: World): Promise<Way | undefined> {
  for (const way of ways) if ((await difference(plan, way, world)) !== undefined) return way;
  return undefined;
}

async function explain(seed: number, plan: Plan, way: Way, world: World): Promise<string> {
  const isWrong = async (candidate: Plan) =>
    !overflows(candidate, world) && (await difference(candidate, way, world)) !== undefined;
  const smallest = await shrink(plan, isWrong);
  const fault = await difference(smallest, way, world);
  return `${way.name}, seed ${seed}:\n${printPlan(smallest)}\n\noptimised:\n${printPlan(optimize(smallest))}\n\n${fault}`;
}

it(`${plans} random plans are answered by every engine as by the evaluator`, async () => {
  const only = process.env.HARBORWATCH_SEED;
  const [first = 0, last = first] = (only ?? `0-${plans - 1}`).split('-').map(Number);
  let world: World | undefined;
  let answered = 0;
  let faults = 0;
  const explained: string[] = [];
  for (let seed = first; seed <= last; seed++) {
    if (world === undefined || seed % plansPerOrg === 0) world = await makeWorld(Math.floor(seed / plansPerOrg));
    const plan = randomPlan(new Random(seed));
    if (overflows(plan, world)) continue;
    answered++;
    const wrong = await wrongWay(plan, world);
    if (wrong === undefined) continue;
    faults++;
    if (explained.length < maxExplained) explained.push(await explain(seed, plan, wrong, world));
  }
  if (faults > 0) expect.fail(`${faults} of ${answered} plans:\n\n${explained.join('\n\n')}`);
  if (only === undefined) expect(answered).toBeGreaterThan(plans * 0.9);
}, 3_600_000);
