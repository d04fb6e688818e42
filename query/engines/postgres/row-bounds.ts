/**
 * How many rows a plan can give, told from the organisation's own rows: the planner's figures are made of everybody's, and
 * whoever asks for a value again and again would learn from them what others have.
 */
import type { Pool } from 'pg';
import type { Join, Plan, Scan } from '../../plan/types.js';
import { stepsOf } from '../../plan/walk.js';
import { inSession } from './session.js';

/** Counting stops here. What a dataset has beyond it is not bounded. */
const maxCounted = 1_000_000;
/** What all counting may take; a dataset that takes longer is not bounded. */
const countMs = 2_000;

/**
 * The most rows of the plan, rounded up to a power of ten; undefined where there is no bound. Only the organisation and
 * the time bounds of scans are looked at: the rest follows from the plan's form.
 */
export async function boundRows(pool: Pool, plan: Plan, orgId: string): Promise<number | undefined> {
  const counts = new Map<Scan, number>();
  for (const step of stepsOf(plan)) if (step.op === 'scan') counts.set(step, await countOwn(pool, step, orgId));
  const most = new Bounds(counts).of(plan);
  return Number.isFinite(most) && most <= Number.MAX_SAFE_INTEGER ? powerOfTen(most) : undefined;
}

const powerOfTen = (rows: number): number => 10 ** Math.ceil(Math.log10(Math.max(1, rows)));

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Row security leaves the organisation's rows alone. */
async function countOwn(pool: Pool, { dataset, timeColumn, from, to }: Scan, orgId: string): Promise<number> {
  const bounds: [string, string | undefined][] = [
    ['>=', from],
    ['<', to],
  ];
  const values = bounds.flatMap(([, moment]) => (moment === undefined ? [] : [moment]));
  const conditions = bounds
    .filter(([, moment]) => moment !== undefined)
    .map(([operator], index) => `${quote(timeColumn)} ${operator} $${index + 1}::timestamptz`);
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  const text = `SELECT count(*)::integer AS rows FROM (SELECT FROM app.${quote(dataset)}${where} LIMIT ${maxCounted + 1}) AS own`;
  try {
    const { rows } = await inSession(pool, { orgId, timeoutMs: countMs }, async (client) => {
      // By the index that begins with the organisation: a scan of everything would take a time that tells of others' rows.
      await client.query('SET LOCAL enable_seqscan = off');
      return client.query<{ rows: number }>(text, values);
    });
    const count = rows[0]!.rows;
    return count > maxCounted ? Number.POSITIVE_INFINITY : count;
  } catch (error) {
    if ((error as { code?: string }).code === '57014') return Number.POSITIVE_INFINITY;
    throw error;
  }
}

class Bounds {
  constructor(
    readonly scans: ReadonlyMap<Scan, number>,
    readonly bound: ReadonlyMap<string, number> = new Map(),
  ) {}

  of(plan: Plan): number {
    switch (plan.op) {
      case 'scan':
        return this.scans.get(plan) ?? Number.POSITIVE_INFINITY;
      case 'values':
        return plan.rows.length;
      case 'outer':
        return 1;
      case 'range':
        return Number.POSITIVE_INFINITY;
      case 'ref':
        return this.bound.get(plan.name) ?? Number.POSITIVE_INFINITY;
      case 'filter':
      case 'extend':
      case 'project':
      case 'sort':
      case 'distinct':
      case 'window':
        return this.of(plan.input);
      case 'summarize':
        return plan.keys.length === 0 ? 1 : this.of(plan.input);
      case 'limit':
        return Math.min(plan.count, Math.max(0, this.of(plan.input) - plan.offset));
      case 'unnest':
        return times(this.of(plan.input), plan.limit ?? Number.POSITIVE_INFINITY);
      case 'lateral':
        return times(this.of(plan.input), this.of(plan.body));
      case 'union':
        return plan.inputs.reduce((sum, input) => sum + this.of(input), 0);
      case 'join':
        return this.#join(plan);
      case 'with': {
        const bound = new Map(this.bound);
        for (const { name, plan: relation } of plan.bindings)
          bound.set(name, new Bounds(this.scans, bound).of(relation));
        return new Bounds(this.scans, bound).of(plan.body);
      }
    }
  }

  #join({ kind, left, right }: Join): number {
    const [l, r] = [this.of(left), this.of(right)];
    switch (kind) {
      case 'LEFT_SEMI':
      case 'LEFT_ANTI':
        return l;
      case 'LEFT':
        return times(l, Math.max(1, r));
      case 'RIGHT':
        return times(Math.max(1, l), r);
      case 'FULL':
        return times(l, Math.max(1, r)) + r;
      default:
        return times(l, r);
    }
  }
}

/** No rows of what is not bounded are no rows. */
const times = (left: number, right: number): number => (left === 0 || right === 0 ? 0 : left * right);
