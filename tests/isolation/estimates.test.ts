/** What a dry run tells of a query depends on the caller's own rows alone, whatever other organisations have. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { datasets } from '../../datasets/index.js';
import { HarborwatchError } from '../../platform/errors.js';
import { prepareQuery, type QueryLanguage, reportOnQuery } from '../../query/index.js';
import { createTestPlatform, type TestPlatform } from '../setup/database.js';
import { ingest } from '../setup/events.js';
import { eventually } from '../setup/until.js';

const own = 30;
/** Enough that the planner would count on them, and that a bound over all rows would be another power of ten. */
const foreign = 4_000;

/** With `x` in the place of a host: one that nobody has, that the other organisation has, and one's own. */
const queries: [QueryLanguage, (x: string) => string][] = [
  ['KQL', (x) => `logs | where host == "${x}"`],
  ['KQL', (x) => `logs | where host has "${x}" | summarize count() by host, bin(timestamp, 1d)`],
  ['KQL', (x) => `logs | where attributes.tag == "${x}" | project host`],
  ['KQL', (x) => `logs | join kind=inner (logs | where host == "${x}") on host`],
  ['KQL', (x) => `logs | where host == "${x}" | count`],
  ['KQL', (x) => `union logs, website_logs | where host == "${x}" | take 5000`],
  ['KQL', (x) => `let n = toscalar(logs | where host == "${x}" | count); logs | where source_port == n`],
  ['SQL', (x) => `SELECT host FROM logs WHERE host = '${x}'`],
  ['SQL', (x) => `SELECT host, row_number() OVER (ORDER BY timestamp) FROM logs WHERE host LIKE '${x}%'`],
  ['SQL', (x) => `SELECT host FROM logs WHERE host ~ '^${x}' AND bytes_in > 7 GROUP BY GROUPING SETS ((host), ())`],
  ['LINQ', (x) => `from logs where host = "${x}" group by user_name select count() as n`],
  ['OPENSEARCH', (x) => JSON.stringify({ query: { term: { host: x } }, aggs: { a: { terms: { field: 'host' } } } })],
  ['OPENSEARCH', (x) => JSON.stringify({ query: { prefix: { host: x } }, size: 10_000 })],
];

let scene: TestPlatform;

beforeAll(async () => {
  scene = await createTestPlatform();
  const { platform, orgs } = scene;
  const events = (host: string, count: number) =>
    Array.from({ length: count }, (_, n) => ({
      timestamp: '2026-01-15T10:00:00Z',
      host,
      bytes_in: n,
      tag: host,
      message: host,
    }));
  await ingest(platform, orgs[1], 'logs', events('mine', own));
  await scene.database.asSuperuser('ANALYZE');
});
afterAll(() => scene?.close());

/** What somebody of the organisation is told, with the name that was asked for taken out. */
async function told(orgId: string, sees: 'BOUNDS' | 'EVERYTHING', name: string): Promise<string[]> {
  const engines = { postgres: scene.platform.postgres.queryPool };
  return Promise.all(
    queries.map(async ([language, write]) => {
      try {
        const query = await prepareQuery({ language, text: write(name), datasets });
        const report = await reportOnQuery(engines, query, { orgId, sees });
        return JSON.stringify(report).replaceAll(name, '<name>');
      } catch (error) {
        if (error instanceof HarborwatchError) return `${error.code} ${error.message}`.replaceAll(name, '<name>');
        throw error;
      }
    }),
  );
}

describe('a dry run', () => {
  test('tells the same for values that another organisation has and for those that nobody has, before and after it has them', async () => {
    const [theirs, mine] = scene.orgs;
    const before = await told(mine.orgId, 'BOUNDS', 'theirs');
    expect(before.filter((one) => one.includes('estimatedRows'))).toHaveLength(queries.length);
    const events = Array.from({ length: foreign }, (_, n) => ({
      timestamp: '2026-01-15T10:00:00Z',
      host: 'theirs',
      bytes_in: n,
      tag: 'theirs',
      message: 'theirs',
    }));
    for (let from = 0; from < foreign; from += 1_000) {
      await ingest(scene.platform, theirs, 'logs', events.slice(from, from + 1_000));
    }
    await scene.database.asSuperuser('ANALYZE');
    expect(await told(mine.orgId, 'BOUNDS', 'theirs')).toEqual(before);
    expect(await told(mine.orgId, 'BOUNDS', 'nobody')).toEqual(before);
    // What the planner itself says does tell, which is why it is for platform administrators alone.
    expect(await told(mine.orgId, 'EVERYTHING', 'theirs')).not.toEqual(await told(mine.orgId, 'EVERYTHING', 'nobody'));
  });

  test('tells nothing of the engine: no cost, no index, no table of it', async () => {
    const texts = await told(scene.orgs[1].orgId, 'BOUNDS', 'theirs');
    for (const text of texts) {
      expect(text).not.toMatch(/Seq Scan|Index Scan|cost=|app\.|org_id|_y\d{4}|current_setting|InitPlan/);
      expect(JSON.parse(text)).toMatchObject({ estimatedCost: null, indexesUsed: [], recommendations: [] });
    }
  });

  test('reads no row of another organisation on its way, so that how long it takes tells nothing either', async () => {
    const figures = async () => {
      const [row] = await scene.database.asSuperuser<{ rows: number; scans: number }>(
        `SELECT sum(seq_tup_read)::int AS rows, sum(idx_scan)::int AS scans
           FROM pg_stat_user_tables WHERE relname LIKE 'logs\\_%'`,
      );
      return row!;
    };
    const before = await figures();
    const pool = new pg.Pool({ connectionString: scene.database.url('query'), max: 1 });
    const query = await prepareQuery({ language: 'KQL', text: 'logs | where message has "x"', datasets });
    const { orgId } = scene.orgs[1];
    await reportOnQuery({ postgres: pool }, query, { orgId, sees: 'BOUNDS' });
    // What a connection has read is counted when it ends.
    await pool.end();
    await eventually(async () => expect((await figures()).scans).toBeGreaterThan(before.scans));
    expect((await figures()).rows).toBe(before.rows);
  });
});
