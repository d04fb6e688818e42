import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findDataset } from '../../datasets/index.js';
import type { Identity } from '../../platform/identity.js';
import { Freshness } from '../../query/engines/opensearch/freshness.js';
import { Indexer } from '../../query/engines/opensearch/indexer.js';
import { rebuildIndex } from '../../query/engines/opensearch/rebuild.js';
import type { Plan } from '../../query/plan/types.js';
import { ingest } from '../setup/events.js';
import { findOpenSearch } from '../setup/opensearch.js';
import { ask, createTwoEngines, onPostgres, outcomeOf, planOf, type TwoEngines } from '../setup/two-engines.js';

const openSearch = await findOpenSearch();
const logs = findDataset('logs')!;

describe.skipIf(!openSearch)('an event that OpenSearch refuses', () => {
  let engines: TwoEngines;
  let one: Identity;
  let two: Identity;
  let indexer: Indexer;
  let plan: Plan;
  beforeAll(async () => {
    engines = await createTwoEngines(openSearch!);
    const { platform, search, orgs } = engines.scene;
    [one, two] = orgs;
    indexer = new Indexer(platform.postgres, search, platform.logger);
    plan = await planOf('KQL', 'logs | summarize n = count() by message | sort by message asc');
    // A month whose indexes take numbers alone as messages.
    await openSearch!.request('PUT', `/_index_template/${search.prefix}odd`, {
      index_patterns: [`${search.prefix}securewatch-logs-2001.01-g*`],
      priority: 500,
      template: { mappings: { properties: { message: { type: 'long' } } } },
    });
    for (const org of orgs) await ingest(platform, org, 'logs', [{ timestamp: '2026-01-01T00:00:00Z', message: 'm' }]);
    const messages = ['1', 'first', '2', 'second'];
    await ingest(
      platform,
      one,
      'logs',
      messages.map((message) => ({ timestamp: '2001-01-01T00:00:00Z', message })),
    );
  });
  afterAll(() => engines?.close());

  const gaps = () =>
    engines.scene.database.asSuperuser('SELECT org_id AS "orgId", dataset, generation FROM app.search_gaps');
  /** That the events of its organisation's dataset are read in PostgreSQL. */
  const expectFromPostgres = async () => {
    const wanted = await onPostgres(engines, plan, one);
    expect(wanted).toMatchObject({
      rows: [
        ['1', 1],
        ['2', 1],
        ['first', 1],
        ['m', 1],
        ['second', 1],
      ],
    });
    expect(await outcomeOf(ask(engines.openSearch, plan, one))).toEqual(wanted);
    expect(await outcomeOf(ask(engines.alone, plan, one))).toMatchObject({ rows: [] });
  };

  it('is in no answer missing: its organisation’s queries on that dataset run in PostgreSQL', async () => {
    await expectFromPostgres();
    expect(await gaps()).toEqual([{ orgId: one.orgId, dataset: 'logs', generation: 1 }]);
  });

  it('leaves other organisations and datasets in OpenSearch', async () => {
    expect(await outcomeOf(ask(engines.alone, plan, two))).toMatchObject({ rows: [['m', 1]] });
    await ingest(engines.scene.platform, one, 'website_logs', [{ request_timestamp: '2026-01-01T00:00:00Z' }]);
    const other = await planOf('KQL', 'website_logs | count');
    expect(await outcomeOf(ask(engines.alone, other, one))).toMatchObject({ rows: [[1]] });
  });

  it('is known to a process that starts later', async () => {
    const { platform, search } = engines.scene;
    const freshness = new Freshness(platform.postgres, search, 60_000);
    expect(await freshness.reach(one.orgId, 'logs')).toBe(false);
    expect(await freshness.reach(two.orgId, 'logs')).toBe(true);
  });

  it('is not forgotten by a rebuild that cannot take it either', async () => {
    await rebuildIndex(indexer, logs, { graceMs: 0 });
    expect(await gaps()).toEqual([{ orgId: one.orgId, dataset: 'logs', generation: 2 }]);
    await expectFromPostgres();
  });

  it('is found in OpenSearch after a rebuild that takes it', async () => {
    await openSearch!.request('DELETE', `/_index_template/${engines.scene.search.prefix}odd`);
    await rebuildIndex(indexer, logs, { graceMs: 0 });
    expect(await gaps()).toEqual([]);
    expect(await outcomeOf(ask(engines.alone, plan, one))).toEqual(await onPostgres(engines, plan, one));
  });
});
