/** `npm run bench -- query`: KQL beside SQL that somebody wrote for the same rows of the same PostgreSQL. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import pg from 'pg';
import { datasets } from '../../datasets/index.js';
import { beginReadOnly } from '../../query/engines/postgres/session.js';
import { planStatement } from '../../query/engines/postgres/statement.js';
import { type JsonValue, type PreparedQuery, prepareQuery, runQuery } from '../../query/index.js';
import type { Floor } from '../floors.js';
import { type Bench, type BenchOptions, type BenchReport, median } from '../frame.js';
import { fill } from './events.js';
import { type Hunt, hunts } from './queries.js';
import { startServer } from './server.js';

const events = Number(process.env.BENCH_EVENTS ?? 5_000_000);
const rounds = 7;
const translationRounds = 20;
const securityEvents = Math.floor(events * 0.8);
const streamedRows = Math.min(1_000_000, securityEvents);
const run = { orgId: '00000000-0000-4000-8000-000000000001', timeoutMs: 600_000 };

const floors: readonly Floor[] = [
  {
    name: 'kqlVsSqlMedian',
    at: 'most',
    value: 1.1,
    what: 'the time of KQL over that of hand-written SQL, the query in the middle',
  },
  { name: 'kqlVsSqlWorst', at: 'most', value: 1.5, what: 'the same, the query that compares worst' },
  { name: 'translationMs', at: 'most', value: 10, what: 'from the text to SQL when warm, the slowest query' },
  { name: 'streamGrowthMb', at: 'most', value: 150, what: 'memory while a million rows stream' },
];

export const query: Bench = {
  name: 'query',
  about: 'KQL beside hand-written SQL, twelve hunts in five million events (BENCH_EVENTS)',
  parts: hunts.map(({ name }) => name),
  async run(options) {
    const directory = await mkdtemp(join(tmpdir(), 'harborwatch-bench-'));
    // Under root PostgreSQL runs as another user, who has to enter it.
    await chmod(directory, 0o755);
    try {
      const server = await startServer(directory);
      try {
        options.say(`Storing ${events} events`);
        await fill(server.superuserUrl, run.orgId, { securityEvents, logs: events - securityEvents });
        const pool = new pg.Pool({ connectionString: server.queryUrl, max: 2 });
        pool.on('error', () => {});
        try {
          return await measure(pool, options);
        } finally {
          await pool.end();
        }
      } finally {
        await server.stop();
      }
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
};

async function measure(pool: pg.Pool, { say, only }: BenchOptions): Promise<BenchReport> {
  const chosen = only.length === 0 ? hunts : hunts.filter(({ name }) => only.includes(name));
  const figures: Record<string, number> = {};
  const ratios: Record<string, number> = {};
  for (const hunt of chosen) {
    const { kqlMs, sqlMs, ratio } = await compare(pool, hunt);
    figures[`${hunt.name}KqlMs`] = kqlMs;
    figures[`${hunt.name}SqlMs`] = sqlMs;
    ratios[hunt.name] = ratio;
    say(`${hunt.name}: KQL ${Math.round(kqlMs)} ms, SQL ${Math.round(sqlMs)} ms, ${ratio.toFixed(2)}`);
  }
  const all = Object.values(ratios);
  const translations: number[] = [];
  for (const { kql } of chosen) translations.push(await translation(kql));
  return {
    figures: {
      ...figures,
      translationMs: Math.max(...translations),
      streamGrowthMb: await streamGrowth(pool),
    },
    ratios: { kqlVsSqlMedian: median(all), kqlVsSqlWorst: Math.max(...all), ...ratios },
    floors,
    scale: { events, rounds, streamedRows, cache: 'warm' },
    versions: {
      postgres: (await pool.query<{ server_version: string }>('SHOW server_version')).rows[0]!.server_version,
    },
  };
}

const prepare = (text: string): Promise<PreparedQuery> => prepareQuery({ language: 'KQL', text, datasets });

interface Timed {
  ms: number;
  rows: JsonValue[][];
}

async function timed(work: () => Promise<JsonValue[][]>): Promise<Timed> {
  const startedAt = performance.now();
  const rows = await work();
  return { ms: performance.now() - startedAt, rows };
}

/** From the prepared query to the last row, as the product runs it: bound, optimised, compiled and streamed. */
const kqlRun = (pool: pg.Pool, prepared: PreparedQuery) =>
  timed(async () => {
    const rows: JsonValue[][] = [];
    for await (const batch of runQuery({ postgres: pool }, prepared, run)) rows.push(...batch.rows);
    return rows;
  });

/** The text as it is, in a transaction with the same role and settings; all rows at once, as drivers give them. */
const sqlRun = (pool: pg.Pool, text: string) =>
  timed(async () => {
    const client = await pool.connect();
    try {
      await beginReadOnly(client, run);
      const { rows } = await client.query<JsonValue[]>({ text, rowMode: 'array' });
      await client.query('ROLLBACK');
      return rows;
    } finally {
      client.release();
    }
  });

/** By turns, so that a machine that is slower for a while is so for both; the first run of each warms the cache. */
async function compare(pool: pg.Pool, { name, kql, sql }: Hunt) {
  // Once, as when a query is submitted; what it takes is a figure of its own.
  const prepared = await prepare(kql);
  const answers = { kql: await kqlRun(pool, prepared), sql: await sqlRun(pool, sql) };
  if (!isDeepStrictEqual(comparable(answers.kql.rows), comparable(answers.sql.rows))) {
    throw new Error(`${name}: KQL and SQL give different answers.`);
  }
  const measured: { kqlMs: number; sqlMs: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const first = round % 2 === 0 ? await kqlRun(pool, prepared) : undefined;
    const { ms: sqlMs } = await sqlRun(pool, sql);
    const { ms: kqlMs } = first ?? (await kqlRun(pool, prepared));
    measured.push({ kqlMs, sqlMs });
  }
  return {
    kqlMs: median(measured.map(({ kqlMs }) => kqlMs)),
    sqlMs: median(measured.map(({ sqlMs }) => sqlMs)),
    ratio: median(measured.map(({ kqlMs, sqlMs }) => kqlMs / sqlMs)),
  };
}

/** Rows in a fixed order and in one spelling: drivers give large numbers as texts, and KQL has no missing texts. */
const comparable = (rows: JsonValue[][]): string[] => rows.map((row) => JSON.stringify(row.map(spelled))).sort();

function spelled(value: unknown): unknown {
  if (value === null) return '';
  if (value instanceof Date) return value.getTime();
  if (Array.isArray(value)) return value.map(spelled);
  if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT.*Z$/.test(value)) return Date.parse(value);
  return typeof value === 'object' ? value : String(value);
}

/** The median time from the text to SQL. */
async function translation(text: string): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < translationRounds; round++) {
    const startedAt = performance.now();
    const prepared = await prepare(text);
    if (prepared.form === 'PLAN') planStatement(prepared.plan, {});
    times.push(performance.now() - startedAt);
  }
  return median(times);
}

/** How much memory this process takes more while rows stream through it that nobody keeps. */
async function streamGrowth(pool: pg.Pool): Promise<number> {
  const rows = await prepare(`SecurityEvent | take ${streamedRows}`);
  const before = process.memoryUsage().rss;
  let highest = before;
  let seen = 0;
  for await (const batch of runQuery({ postgres: pool }, rows, run)) {
    seen += batch.rows.length;
    highest = Math.max(highest, process.memoryUsage().rss);
  }
  if (seen !== streamedRows) throw new Error(`The stream gave ${seen} rows.`);
  return (highest - before) / 2 ** 20;
}
