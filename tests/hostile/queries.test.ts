/** Queries of a hostile caller, in every language: each is told, soon, in the product's words, and nobody else notices. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { datasets } from '../../datasets/index.js';
import {
  type Batch,
  checkQuery,
  completeQuery,
  type Engines,
  prepareQuery,
  type QueryLanguage,
  reportOnQuery,
  runQuery,
} from '../../query/index.js';
import { type Bench, openBench } from '../query/harness/engines.js';
import { ingest } from '../setup/events.js';
import type { Attack } from './queries/attack.js';
import { kqlAttacks, kqlGiants } from './queries/kql.js';
import { linqAttacks } from './queries/linq.js';
import { openSearchAttacks } from './queries/opensearch.js';
import { resultAttacks } from './queries/results.js';
import { sqlAttacks, sqlGiants } from './queries/sql.js';
import { expectToldError, expectToldRows } from './queries/told.js';

const isDeep = process.env.HARBORWATCH_DEEP !== undefined;
const mebibyte = 1024 * 1024;
const events = [
  { timestamp: '2024-01-01T00:00:00Z', host: 'a', message: 'x y', bytes_in: 5, user_name: 'u', n: 1, tags: ['a'] },
  { timestamp: '2024-01-02T00:00:00Z', host: 'b', bytes_in: 7, ['a'.repeat(200)]: { b: 1 } },
];
/** What the thread that serves everybody may be at one query, its rows included. */
const maxOwnMs = 2_000;
/** A run's own bound. */
const timeoutMs = 2_000;
/** What this process may have grown by in the end, whatever was tried in it. */
const maxGrowthBytes = 1_200 * mebibyte;

let bench: Bench;
let engines: Engines;
let orgId: string;
let bytesBefore: number;

beforeAll(async () => {
  bench = await openBench();
  engines = bench.engines.get('PostgreSQL')!;
  orgId = bench.test.orgs[0].orgId;
  const { rejected } = await ingest(bench.test.platform, bench.test.orgs[0], 'logs', events);
  expect(rejected).toEqual([]);
  await prepareQuery({ language: 'KQL', text: 'print 1', datasets });
  bytesBefore = process.memoryUsage.rss();
});

afterAll(() => bench?.close());

/** Tries a text as each caller would, and expects each to be told. */
async function attempt(language: QueryLanguage, text: string): Promise<void> {
  const before = ownMs();
  const told = async (work: () => Promise<unknown>, isPlaced = false): Promise<void> => {
    try {
      await work();
    } catch (error) {
      expectToldError(error, text, { isPlaced });
    }
  };
  await told(async () => {
    const query = await prepareQuery({ language, text, datasets });
    expect(query).toMatchObject({ language, source: text });
    await told(() => checkQuery(engines, query, { orgId, timeoutMs }));
    await told(() => reportOnQuery(engines, query, { orgId, timeoutMs, sees: 'BOUNDS' }));
    await told(async () => {
      const batches: Batch[] = [];
      let rows = 0;
      for await (const batch of runQuery(engines, query, { orgId, timeoutMs })) {
        rows += batch.rows.length;
        if (rows <= 10_000) batches.push(batch);
      }
      expectToldRows(batches);
    });
  }, true);
  expect(ownMs() - before, 'ms of the thread that serves everybody').toBeLessThan(maxOwnMs);
}

/** The processor time of this thread: other threads and a busy machine do not count. */
function ownMs(): number {
  const { system, user } = process.threadCpuUsage();
  return (system + user) / 1_000;
}

const languages: [QueryLanguage, Attack[], Attack[]][] = [
  ['KQL', kqlAttacks, kqlGiants],
  ['SQL', sqlAttacks, sqlGiants],
  ['LINQ', linqAttacks, []],
  ['OPENSEARCH', openSearchAttacks, []],
];

describe.each(languages)('%s', (language, attacks, giants) => {
  it.each(isDeep ? [...attacks, ...giants] : attacks)('with %s is told', (_title, text) => attempt(language, text));

  it('is completed, or told why not, at any place of any text', async () => {
    const some = attacks.filter(([, each], index) => each.length < 5_000 && (isDeep || index % 8 === 0));
    for (const [, text] of some) {
      for (const offset of [-1, 0, text.length >> 1, text.length, text.length + 1_000]) {
        await completeQuery({ language, text, offset, datasets }).catch((error) =>
          expectToldError(error, text, { isPlaced: false }),
        );
      }
    }
  });
});

describe('a result', () => {
  it.each(resultAttacks)('with %s is told', (_title, language, text) => attempt(language, text));
});

describe('nobody else', () => {
  const pathological = `print ${'-'.repeat(300_000)}1`;
  const ordinary: [QueryLanguage, string][] = [
    ['KQL', 'logs | count'],
    ['SQL', 'SELECT count(*) FROM logs'],
    ['LINQ', 'from logs where bytes_in >= 0 select host'],
    ['OPENSEARCH', '{"size": 0}'],
  ];

  it('waits for more than a text that is given up, and all get their answers', async () => {
    const slow = prepareQuery({ language: 'KQL', text: pathological, datasets }).catch((error) => error);
    const answers = await Promise.all(
      ordinary.map(async ([language, text]) => {
        const batches: Batch[] = [];
        const query = await prepareQuery({ language, text, datasets });
        for await (const batch of runQuery(engines, query, { orgId, timeoutMs: 20_000 })) batches.push(batch);
        return batches;
      }),
    );
    expect(answers.map((batches) => batches.flatMap(({ rows }) => rows).length)).toEqual([1, 1, 2, 0]);
    expect(await slow).toMatchObject({ code: 'QUERY_NOT_SUPPORTED' });
  });

  it('finds anything changed, and nothing goes on', async () => {
    const [logs] = await bench.test.database.asSuperuser<{ count: number }>(
      'SELECT count(*)::integer AS count FROM app.logs',
    );
    expect(logs?.count).toBe(events.length);
    const running = await bench.test.database.asSuperuser<{ query: string }>(
      `SELECT query FROM pg_stat_activity
       WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid() AND usename LIKE '%query%'`,
    );
    expect(running).toEqual([]);
    expect(process.memoryUsage.rss() - bytesBefore).toBeLessThan(maxGrowthBytes);
  });
});
