/** When a run is cut into slices, and that its answer stays what it is in one piece, on both engines. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { datasets } from '../datasets/index.js';
import { createTestPlatform, type TestPlatform } from '../tests/setup/database.js';
import { ingest } from '../tests/setup/events.js';
import { findOpenSearch } from '../tests/setup/opensearch.js';
import { createTwoEngines, type TwoEngines } from '../tests/setup/two-engines.js';
import {
  type Engines,
  type JsonValue,
  prepareQuery,
  type QueryLanguage,
  type RunState,
  runQueryInSlices,
  type SlicingRule,
} from './index.js';

const openSearch = await findOpenSearch();
const soon = { quickMs: 1, longCost: 0 };
const never = { quickMs: 60_000, longMs: 120_000 };

/** A few hundred events over a month. */
const events = Array.from({ length: 400 }, (_, n) => ({
  timestamp: new Date(Date.parse('2026-05-01T00:00:00Z') + n * 97 * 60_000).toISOString(),
  severity: ['high', 'low'][n % 2],
  host: `host ${n % 13}`,
  bytes_in: n * 1_000_003,
  message: `a message about ${n}`,
}));
/** True of every event, after some time: the run is not over before it is looked at. */
const slowly = 'strlen(strrep(message, 10000)) > 0';

async function* states(
  engines: Engines,
  orgId: string,
  [language, text]: [QueryLanguage, string],
  slicing: SlicingRule,
): AsyncGenerator<RunState, void> {
  const query = await prepareQuery({ language, text, datasets });
  yield* runQueryInSlices(engines, query, { orgId, timeoutMs: 60_000, slicing });
}

async function answer(...args: Parameters<typeof states>) {
  let rows: JsonValue[][] = [];
  let isSliced = false;
  let columns: RunState['columns'] = [];
  for await (const state of states(...args)) {
    rows = state.mode === 'REPLACE' ? state.rows : [...rows, ...state.rows];
    isSliced ||= state.covered !== undefined;
    columns = state.columns;
  }
  return {
    isSliced,
    table: { columns, rows: rows.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) },
  };
}

const questions: [QueryLanguage, string][] = [
  ['KQL', `logs | where ${slowly} | summarize n = count(), sum(bytes_in), avg(bytes_in) by host`],
  ['KQL', `logs | where ${slowly} and severity == "high" | project timestamp, host | sort by timestamp desc`],
  ['LINQ', `from logs where length(message) > 3 group by severity select severity, count() as n`],
  ['SQL', `SELECT host, max(timestamp) AS last FROM logs WHERE message LIKE '%about%' GROUP BY host`],
];

describe('on PostgreSQL', () => {
  let t: TestPlatform;
  let engines: Engines;
  beforeAll(async () => {
    t = await createTestPlatform();
    engines = { postgres: t.platform.postgres.queryPool };
    await ingest(t.platform, t.orgs[0], 'logs', events);
  });
  afterAll(() => t?.close());

  test('a query that is over soon uses one connection once', async () => {
    let acquired = 0;
    const count = () => {
      acquired += 1;
    };
    engines.postgres.on('acquire', count);
    try {
      const { isSliced } = await answer(engines, t.orgs[0].orgId, ['SQL', 'SELECT count(*) FROM logs'], {
        quickMs: 30_000,
      });
      expect({ isSliced, acquired }).toEqual({ isSliced: false, acquired: 1 });
    } finally {
      engines.postgres.off('acquire', count);
    }
  });

  test('one that goes on is cut where the planner expects much, or when it goes on for long', async () => {
    const slow: [QueryLanguage, string] = ['KQL', `logs | where ${slowly.replace('10000', '60000')} | count`];
    const isSliced = async (slicing: SlicingRule) => (await answer(engines, t.orgs[0].orgId, slow, slicing)).isSliced;
    expect(await isSliced({ quickMs: 1, longCost: 0, longMs: 120_000 })).toBe(true);
    expect(await isSliced({ quickMs: 1, longCost: 1e12, longMs: 20 })).toBe(true);
    expect(await isSliced({ quickMs: 1, longCost: 1e12, longMs: 120_000 })).toBe(false);
  }, 60_000);

  test('all slices see the same events, whatever is taken in meanwhile', async () => {
    const text = `logs | where ${slowly} | summarize n = count()`;
    let last: JsonValue[][] = [];
    let isFirst = true;
    for await (const state of states(engines, t.orgs[0].orgId, ['KQL', text], soon)) {
      if (state.rows.length === 0) continue;
      last = state.rows;
      if (isFirst) await ingest(t.platform, t.orgs[0], 'logs', [{ ...events[0], message: 'a message that is late' }]);
      isFirst = false;
    }
    expect(last).toEqual([[400]]);
    expect((await answer(engines, t.orgs[0].orgId, ['KQL', 'logs | count'], never)).table.rows).toEqual([[401]]);
  }, 60_000);
});

describe.skipIf(!openSearch)('on OpenSearch', () => {
  let two: TwoEngines;
  beforeAll(async () => {
    two = await createTwoEngines(openSearch!, { OPENSEARCH_WAIT_MS: '120000' });
    await ingest(two.scene.platform, two.scene.orgs[0], 'logs', events);
  }, 300_000);
  afterAll(() => two?.close());

  test.each(questions)(
    'slices put together are the answer of one piece: %s %s',
    async (...question) => {
      const engines = { postgres: two.postgres, openSearch: two.openSearch };
      const { orgId } = two.scene.orgs[0];
      const whole = await answer(engines, orgId, question, never);
      const sliced = await answer(engines, orgId, question, soon);
      expect(whole.isSliced).toBe(false);
      expect(sliced.table).toEqual(whole.table);
      expect(whole.table).toEqual((await answer({ postgres: two.postgres }, orgId, question, never)).table);
    },
    120_000,
  );
});
