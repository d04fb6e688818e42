/** Who runs jobs: Harborwatch's own worker process, and the bare BullMQ worker beside it. */
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import type { Child, ChildOptions } from '../children.js';
import type { JobsSubgraph } from './subgraph.js';

/** The query that every job runs. */
export const trivialQuery = 'SELECT 1 AS one';
/** How many jobs a worker runs at once. */
export const workerSlots = 64;
/** How many submissions are on their way at once. */
const submitters = 32;

export interface Contender {
  /** Submits the jobs and answers when the last one has ended. */
  run(count: number): Promise<void>;
  close(): Promise<void>;
}

type Start = (options: ChildOptions) => Child;

/** Runs `work` for each of `count`, as many at once as there are submitters. */
async function inParallel(count: number, work: () => Promise<unknown>): Promise<void> {
  let left = count;
  const submitter = async () => {
    while (left > 0) {
      left -= 1;
      await work();
    }
  };
  await Promise.all(Array.from({ length: submitters }, submitter));
}

/** Rows in, BullMQ, pg, and nothing else. */
export async function startBare(start: Start, redisUrl: string, databaseUrl: string): Promise<Contender> {
  const name = 'bench-bare';
  const child = start({
    core: 'measured',
    script: new URL('./bare-worker.js', import.meta.url),
    args: [redisUrl, databaseUrl, name, String(workerSlots)],
  });
  const connection = new Redis(redisUrl, { maxRetriesPerRequest: null });
  const queue = new Queue(name, { connection });
  return {
    run: async (count) => {
      const ended = child.ask({ jobs: count });
      await inParallel(count, () =>
        queue.add('query', { query: trivialQuery }, { removeOnComplete: true, removeOnFail: true }),
      );
      await ended;
    },
    close: async () => {
      await queue.close();
      connection.disconnect();
    },
  };
}

const pollMs = 20;

/** The product's worker process; jobs are submitted through the subgraph's own schema, and each is a new run. */
export function startOurs(start: Start, subgraph: JobsSubgraph, orgId: string, env: Record<string, string>): Contender {
  start({
    core: 'measured',
    script: new URL('../../subgraphs/work.js', import.meta.url),
    env: { ...env, WORKER_CONCURRENCY: String(workerSlots) },
  });
  const pool = new pg.Pool({ connectionString: env.DATABASE_SYSTEM_URL!, max: 1 });
  const unended = `SELECT 1 FROM app.jobs WHERE org_id = $1 AND status IN ('PENDING', 'RUNNING') LIMIT 1`;
  return {
    run: async (count) => {
      await inParallel(count, () => subgraph.submit(trivialQuery));
      while ((await pool.query(unended, [orgId])).rows.length > 0) {
        await new Promise((resolve) => setTimeout(resolve, pollMs));
      }
    },
    close: () => pool.end(),
  };
}
