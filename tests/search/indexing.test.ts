import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { datasets, findDataset } from '../../datasets/index.js';
import type { Worker } from '../../platform/subgraph.js';
import { Freshness } from '../../query/engines/opensearch/freshness.js';
import { indexName, monthAlias, readAlias } from '../../query/engines/opensearch/index-names.js';
import { Indexes } from '../../query/engines/opensearch/indexes.js';
import { startIndexWorker } from '../../subgraphs/events/worker.js';
import { ingest } from '../setup/events.js';
import { findOpenSearch } from '../setup/opensearch.js';
import { createSearchScene, type SearchScene } from '../setup/search.js';
import { eventually } from '../setup/until.js';

const openSearch = await findOpenSearch();

describe.skipIf(!openSearch)('events in OpenSearch', () => {
  let scene: SearchScene;
  let worker: Worker | undefined;
  const startWorker = () => {
    worker = startIndexWorker(scene.platform.postgres, scene.search, scene.platform.logger);
  };
  const stopWorker = async () => {
    await worker?.stop(5_000);
    worker = undefined;
  };
  beforeAll(async () => {
    scene = await createSearchScene(openSearch!);
  });
  afterEach(stopWorker);
  afterAll(() => scene.close());

  /** An event of a time that ingest would refuse, with its partition and its feed row. */
  const insertAt = async (time: string, month: string) => {
    const [{ orgId }] = scene.orgs;
    const { asSuperuser } = scene.database;
    await asSuperuser(`SELECT app.ensure_partition('logs', $1::date)`, [month]);
    await asSuperuser(
      `WITH batch AS (
         INSERT INTO app.ingest_batches (org_id, dataset, batch_id, accepted, rejected)
         VALUES ($1, 'logs', $2, 1, '[]') RETURNING batch_no
       ), event AS (
         INSERT INTO app.logs (org_id, batch_no, "timestamp", message) SELECT $1, batch_no, $2::timestamptz, $2 FROM batch
       )
       INSERT INTO app.change_feed (org_id, dataset, batch_no, min_time, max_time, minutes, row_count, bytes)
       SELECT $1, 'logs', batch_no, $2::timestamptz, $2::timestamptz, ARRAY[$2::timestamptz], 1, 1 FROM batch`,
      [orgId, time],
    );
  };

  it('a dataset without events can be searched once the indexer has run', async () => {
    startWorker();
    await eventually(async () => {
      for (const { name } of datasets) {
        const { hits } = await openSearch!.request('GET', `/${readAlias(scene.search.prefix, name)}/_search`);
        expect(hits.total.value).toBe(0);
      }
    });
  });

  it('a document holds its row: every column, every digit, and no column that is null', async () => {
    startWorker();
    const [one] = scene.orgs;
    await ingest(scene.platform, one, 'logs', [
      {
        timestamp: '2026-11-21T10:05:03.123456Z',
        message: 'Ünïcode 😀 \u0001 "quoted"',
        source_ip: '2001:DB8::1',
        destination_ip: '10.0.0.1',
        source_port: 443,
        bytes_in: '9223372036854775807',
        bytes_out: 12,
        severity: 'HIGH',
        nested: { list: [1, { deep: null }], big: 5 },
      },
    ]);
    const [document] = await scene.documents(one, 'logs');
    const [row] = await scene.database.asSuperuser<{ attributes: string }>(
      'SELECT id, batch_no::text, attributes::text FROM app.logs WHERE org_id = $1',
      [one.orgId],
    );
    expect(document).toEqual({
      org_id: one.orgId,
      ...row,
      _time_us: '1795255503123456',
      timestamp: '2026-11-21T10:05:03.123456Z',
      severity: 'high',
      message: 'Ünïcode 😀 \u0001 "quoted"',
      source_ip: '2001:db8::1',
      destination_ip: '10.0.0.1',
      source_port: 443,
      bytes_in: '9223372036854775807',
      bytes_out: 12,
    });
    expect(JSON.parse(row!.attributes)).toMatchObject({ nested: { list: [1, { deep: null }], big: 5 } });
  });

  it('events of every dataset arrive, those of another organisation under its own id alone', async () => {
    startWorker();
    const events = {
      security_events: { EventID: 4624 },
      website_logs: { url: '/a' },
      web_activity: { action: 'query' },
    };
    for (const [name, event] of Object.entries(events)) {
      const { timeColumn } = findDataset(name)!;
      for (const [index, org] of scene.orgs.entries()) {
        const time = `2026-0${index + 1}-15T12:00:00Z`;
        await ingest(scene.platform, org, name, [
          { ...event, [timeColumn]: time },
          { ...event, [timeColumn]: time },
        ]);
        const documents = await scene.documents(org, name);
        expect(documents.map(({ id }) => id)).toEqual(await scene.eventIds(org, name));
        expect(new Set(documents.map(({ org_id }) => org_id))).toEqual(new Set([org.orgId]));
      }
    }
  });

  it('a query sees every batch that was committed before it began', async () => {
    startWorker();
    const [, two] = scene.orgs;
    const before = (await scene.eventIds(two, 'logs')).length;
    for (let batch = 1; batch <= 10; batch++) {
      await ingest(scene.platform, two, 'logs', [{ timestamp: `2026-11-${10 + batch}T00:00:00Z` }]);
      expect(await scene.documents(two, 'logs')).toHaveLength(before + batch);
    }
  });

  it('a query does not answer without the newest batch: it ends with SERVICE_UNAVAILABLE where nobody indexes', async () => {
    const [one] = scene.orgs;
    await ingest(scene.platform, one, 'web_activity', [{ eventdate: '2026-11-21T00:00:00Z' }]);
    const impatient = new Freshness(scene.platform.postgres, scene.search, 50);
    await expect(impatient.reach(one.orgId, 'web_activity')).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringContaining('not caught up'),
    });
  });

  it('any time has its month and its microseconds, from the year 1 to 9999', async () => {
    startWorker();
    const [one] = scene.orgs;
    const times: [string, string, string][] = [
      ['0001-01-01T00:00:00.000001Z', '0001.01', '-62135596799999999'],
      ['1969-12-31T23:59:59.999999Z', '1969.12', '-1'],
      ['1970-01-01T00:00:00Z', '1970.01', '0'],
      ['2262-04-11T23:47:16.854776Z', '2262.04', '9223372036854776'],
      ['9999-12-31T23:59:59.999999Z', '9999.12', '253402300799999999'],
    ];
    for (const [time, month] of times) await insertAt(time, `${month.replace('.', '-')}-01`);
    const documents = await scene.documents(one, 'logs');
    for (const [time, month, micros] of times) {
      expect(documents.find(({ message }) => message === time)).toMatchObject({ timestamp: time, _time_us: micros });
      const { hits } = await openSearch!.request('POST', `/${monthAlias(scene.search.prefix, 'logs', month)}/_search`, {
        query: { range: { _time_us: { gte: micros, lte: micros } } },
      });
      expect(hits.total.value).toBe(1);
    }
  });

  it('a text of any length is kept whole, and its document says that no keyword has it', async () => {
    startWorker();
    const [one] = scene.orgs;
    const longest = '\uFFFD'.repeat(10_922);
    const long = `${'x'.repeat(100_000)} needle ${'y'.repeat(100_000)}`;
    await ingest(scene.platform, one, 'logs', [
      { timestamp: '2026-11-21T00:00:00Z', source_id: 'long', message: long, host: long.slice(0, 20_000) },
      { timestamp: '2026-11-21T00:00:00Z', source_id: 'longest', message: longest },
    ]);
    const documents = await scene.documents(one, 'logs');
    const byId = (source: string) => documents.find(({ source_id }) => source_id === source)!;
    expect(byId('long')).toMatchObject({ message: long, _long: ['host', 'message'] });
    expect(byId('longest')).toMatchObject({ message: longest });
    expect(byId('longest')).not.toHaveProperty('_long');
    const count = async (query: object) =>
      (await openSearch!.request('POST', `/${readAlias(scene.search.prefix, 'logs')}/_count`, { query })).count;
    expect(await count({ term: { _long: 'message' } })).toBe(1);
    expect(await count({ wildcard: { 'message.parts': '* needle *' } })).toBe(1);
    expect(await count({ term: { message: longest } })).toBe(1);
  });

  it('events that OpenSearch never takes are passed over; the others of their batch arrive', async () => {
    startWorker();
    const [one] = scene.orgs;
    const { prefix } = scene.search;
    await scene.documents(one, 'logs'); // The worker is at work.
    const generation = (await new Indexes(scene.search).generation(findDataset('logs')!))!;
    // A month whose index takes numbers alone as messages.
    const odd = indexName(prefix, 'logs', '2001.01', generation);
    await openSearch!.request('PUT', `/${odd}`, {
      aliases: { [monthAlias(prefix, 'logs', '2001.01')]: {}, [readAlias(prefix, 'logs')]: {} },
      mappings: { properties: { message: { type: 'long' } } },
    });
    const time = '2001-01-01T00:00:00Z';
    const messages = ['1', 'first', '2', 'second', '3'];
    await ingest(
      scene.platform,
      one,
      'logs',
      messages.map((message) => ({ timestamp: time, message })),
    );
    const arrived = (await scene.documents(one, 'logs')).filter(({ timestamp }) => timestamp === time);
    expect(arrived.map(({ message }) => message).sort()).toEqual(['1', '2', '3']);

    // The index has other types than it should: the next start builds it anew, and all of them are there.
    await stopWorker();
    startWorker();
    await eventually(async () => {
      expect((await scene.documents(one, 'logs')).map(({ id }) => id)).toEqual(await scene.eventIds(one, 'logs'));
    });
  });

  it('indexes that were lost are built again from PostgreSQL', async () => {
    const [one] = scene.orgs;
    await openSearch!.request('DELETE', `/${scene.search.prefix}*?expand_wildcards=all`);
    startWorker();
    await eventually(async () => {
      expect((await scene.documents(one, 'logs')).map(({ id }) => id)).toEqual(await scene.eventIds(one, 'logs'));
    });
  });

  it('a template is the committed one, under the prefix of the installation', async () => {
    startWorker();
    const { index_templates: templates } = await eventually(() =>
      openSearch!.request('GET', `/_index_template/${readAlias(scene.search.prefix, 'logs')}`),
    );
    expect(templates[0].index_template.template.mappings.properties.org_id).toEqual({ type: 'keyword' });
  });
});
