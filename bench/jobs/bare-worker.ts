/** What the throughput of jobs is measured against: a bare BullMQ worker that runs the query through pg and keeps nothing. */
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';

const [redisUrl, databaseUrl, queue, concurrency] = process.argv.slice(2) as [string, string, string, string];

const pool = new pg.Pool({ connectionString: databaseUrl, max: Number(concurrency) });
const connection = new Redis(redisUrl, { maxRetriesPerRequest: null });
const worker = new Worker<{ query: string }>(
  queue,
  async ({ data }) => {
    const { rows } = await pool.query(data.query);
    return rows;
  },
  { connection, concurrency: Number(concurrency) },
);

let done = 0;
let wanted = 0;
const tell = () => {
  if (wanted === 0 || done < wanted) return;
  done = 0;
  wanted = 0;
  process.send?.({ result: true });
};
worker.on('completed', () => {
  done += 1;
  tell();
});
process.on('message', ({ jobs }: { jobs: number }) => {
  wanted = jobs;
  tell();
});
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
await worker.waitUntilReady();
process.send?.({ ready: true });
