/** Large, slow and broken-off runs on OpenSearch: bounded in memory and time, and nothing stays behind. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect as connectTo, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../platform/config.js';
import type { Identity } from '../../../platform/identity.js';
import { connectSearch, type Search } from '../../../platform/search.js';
import { ingest } from '../../../tests/setup/events.js';
import { findOpenSearch } from '../../../tests/setup/opensearch.js';
import {
  ask,
  createTwoEngines,
  eventsOf,
  onPostgres,
  outcomeOf,
  planOf,
  type Table,
  type TwoEngines,
  unordered,
} from '../../../tests/setup/two-engines.js';
import { eventually } from '../../../tests/setup/until.js';
import { Declined } from './declined.js';
import { readAlias } from './index-names.js';
import { Indexes } from './indexes.js';
import { type NativeRows, nativeOf } from './native.js';
import { Requests } from './request.js';
import { readRows } from './rows.js';
import type { OpenSearchEngine } from './run.js';

const openSearch = await findOpenSearch();
const isDeep = process.env.HARBORWATCH_DEEP !== undefined;
/** More than fit into memory at once in a deep run. */
const events = isDeep ? 130_000 : 12_000;

/** A way to the server that can be cut. */
async function startWay(target: string): Promise<{ url: string; cut(): void }> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const server: Server = createServer((near) => {
    const far = connectTo(Number(port), hostname);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => other.destroy());
      socket.pipe(other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

describe.skipIf(!openSearch)('a run on OpenSearch', () => {
  let engines: TwoEngines;
  let one: Identity;
  let alias: string;
  let indexes: Indexes;
  beforeAll(async () => {
    engines = await createTwoEngines(openSearch!, { OPENSEARCH_WAIT_MS: '600000' });
    const { scene } = engines;
    one = scene.orgs[0];
    alias = readAlias(scene.search.prefix, 'website_logs');
    indexes = new Indexes(scene.search);
    await insertMany();
    // All of them are indexed.
    const count = await planOf('KQL', 'website_logs | count');
    expect(await outcomeOf(ask(engines.alone, count, one, { timeoutMs: 600_000 }))).toMatchObject({ rows: [[events]] });
  }, 900_000);
  afterAll(() => engines?.close());

  /** Many events at few moments, with figures and texts of which no two are alike. */
  async function insertMany(): Promise<void> {
    const { asSuperuser } = engines.scene.database;
    for (const month of ['2026-09-01', '2026-10-01']) {
      await asSuperuser(`SELECT app.ensure_partition('website_logs', $1::date)`, [month]);
    }
    await asSuperuser(
      `WITH batch AS (
         INSERT INTO app.ingest_batches (org_id, dataset, batch_id, accepted, rejected)
         VALUES ($1, 'website_logs', 'many', $2, '[]') RETURNING batch_no
       ), event AS (
         INSERT INTO app.website_logs (org_id, batch_no, request_timestamp, url, username, status_code, response_time)
         SELECT $1, batch_no, '2026-09-30T23:00:00Z'::timestamptz + n % 5 * interval '30 minutes',
                repeat('all-about-' || n || '-', 60), 'user ' || n, n % 700, n FROM batch, generate_series(1, $2) AS n
       )
       INSERT INTO app.change_feed (org_id, dataset, batch_no, min_time, max_time, minutes, row_count, bytes)
       SELECT $1, 'website_logs', batch_no, '2026-09-30T23:00:00Z', '2026-10-01T01:00:00Z', '{}', $2, 1 FROM batch`,
      [one.orgId, events],
    );
  }

  const contexts = () => indexes.openSearches(alias);
  /** Texts that OpenSearch has to look at one by one, for many patterns: an index knows three letters in a row. */
  const slowPlan = () => {
    const words = Array.from(
      { length: 30 },
      (_, n) => `url contains "b${'is'[n % 2]}t${n % 10}${'is'.repeat(1 + (n % 3))}z"`,
    );
    return planOf('KQL', `website_logs | where ${words.join(' or ')}`);
  };
  const tasks = async (): Promise<{ cancelled: boolean }[]> => {
    const { nodes } = await openSearch!.request('GET', '/_tasks?actions=indices:data/read/search*&detailed');
    return Object.values<any>(nodes)
      .flatMap(({ tasks: running }) => Object.values<any>(running))
      .filter(({ description }) => description.includes(alias));
  };
  const expectNoTask = async () => {
    await eventually(async () => expect((await tasks()).filter(({ cancelled }) => !cancelled)).toEqual([]), 2_000);
    await eventually(async () => expect(await tasks()).toEqual([]));
  };

  it('gives each row of a large result once, page by page, though many are of one moment', async () => {
    const seen = new Set<unknown>();
    const growth = new Growth();
    for await (const { rows } of ask(engines.alone, eventsOf('website_logs', [{ name: 'url', type: 'string' }]), one)) {
      expect(rows.length).toBeLessThanOrEqual(1_000);
      for (const [id] of rows) seen.add(id);
      growth.look();
    }
    expect(seen.size).toBe(events);
    // All of it at once would be about 100 MB, in a deep run.
    expect(growth.mebibytes).toBeLessThan(150);
    expect(await contexts()).toBe(0);
  });

  it('gives the rows of an order in that order over many pages', async () => {
    const text = `website_logs | sort by status_code desc, response_time asc | take ${Math.min(events, 9_000)} | project status_code, response_time`;
    const plan = await planOf('KQL', text);
    expect(await outcomeOf(ask(engines.alone, plan, one))).toEqual(await onPostgres(engines, plan, one));
  });

  it('gives all groups over many pages', async () => {
    for (const by of ['response_time', 'username', 'status_code, bin(request_timestamp, 30m)']) {
      const plan = await planOf(
        'KQL',
        `website_logs | summarize n = count(), s = sum(response_time) by ${by} | where n != 2`,
      );
      const wanted = unordered(await onPostgres(engines, plan, one)) as Table;
      expect(wanted.rows.length).toBeGreaterThan(0);
      expect(unordered(await outcomeOf(ask(engines.alone, plan, one)))).toEqual(wanted);
    }
    expect(await contexts()).toBe(0);
  });

  it('reads no faster than its rows are taken, and an early leave lets go of everything', async () => {
    const rows = ask(engines.alone, await planOf('KQL', 'website_logs | project url'), one, { batchRows: 10 });
    await rows.next();
    expect(await contexts()).toBeGreaterThan(0);
    expect(await contexts()).toBeGreaterThan(0);
    await rows.return();
    expect(await contexts()).toBe(0);
  });

  it('refuses a part that is too large before it reads it', async () => {
    const native = nativeOf(await planOf('KQL', 'website_logs')) as NativeRows;
    const requests = new Requests(engines.scene.search, { orgId: one.orgId, timeoutMs: 60_000 });
    await expect(readRows(requests, native, events - 1).next()).rejects.toBeInstanceOf(Declined);
    const pages = readRows(requests, native, events);
    expect((await pages.next()).value!.rows.length).toBeGreaterThan(0);
    await requests.close();
  });

  it.runIf(isDeep)('is run in PostgreSQL where a part is too large for memory', async () => {
    const plan = await planOf(
      'KQL',
      'website_logs | sort by strlen(username) desc, response_time asc | take 5 | project username',
    );
    const wanted = await onPostgres(engines, plan, one);
    expect(await outcomeOf(ask(engines.openSearch, plan, one))).toEqual(wanted);
    expect(await outcomeOf(ask(engines.alone, plan, one))).toMatchObject({ rows: [] });
  });

  it('ends within a second when it is cancelled, and its search ends in OpenSearch', async () => {
    const plan = await slowPlan();
    const abort = new AbortController();
    const run = outcomeOf(ask(engines.alone, plan, one, { signal: abort.signal }));
    await eventually(async () => expect(await tasks()).not.toEqual([]));
    const cancelledAt = performance.now();
    abort.abort();
    expect(await run).toEqual({ error: 'QUERY_CANCELLED' });
    expect(performance.now() - cancelledAt).toBeLessThan(1_000);
    await expectNoTask();
    expect(await contexts()).toBe(0);
  });

  it('ends at its timeout, and its search ends in OpenSearch', async () => {
    const plan = await slowPlan();
    const begun = performance.now();
    expect(await outcomeOf(ask(engines.alone, plan, one, { timeoutMs: 300 }))).toEqual({ error: 'QUERY_TIMEOUT' });
    expect(performance.now() - begun).toBeLessThan(5_000);
    await expectNoTask();
  });

  it('is cancelled before it begins', async () => {
    const plan = await planOf('KQL', 'website_logs | count');
    const signal = AbortSignal.abort();
    expect(await outcomeOf(ask(engines.alone, plan, one, { signal }))).toEqual({ error: 'QUERY_CANCELLED' });
  });

  it('is cancelled, and ends at its timeout, while it waits for the indexer', async () => {
    const { scene, alone } = engines;
    const [, two] = scene.orgs;
    const plan = await planOf('KQL', 'website_logs | count');
    // As a rebuild does for a moment: the indexer waits.
    const release = await scene.database.hold(
      `SELECT pg_advisory_xact_lock(hashtextextended('search-index:website_logs', 0))`,
    );
    try {
      await ingest(scene.platform, two, 'website_logs', [{ request_timestamp: '2026-11-21T00:00:00Z' }]);
      expect(await outcomeOf(ask(alone, plan, two, { timeoutMs: 200 }))).toEqual({ error: 'QUERY_TIMEOUT' });
      const signal = AbortSignal.timeout(200);
      const begun = performance.now();
      expect(await outcomeOf(ask(alone, plan, two, { signal }))).toEqual({ error: 'QUERY_CANCELLED' });
      expect(performance.now() - begun).toBeLessThan(1_200);
    } finally {
      await release();
    }
    expect(await outcomeOf(ask(alone, plan, two))).toMatchObject({ rows: [[1]] });
  });

  it('fails with SERVICE_UNAVAILABLE when OpenSearch dies in the middle', async () => {
    const way = await startWay(openSearch!.url);
    const search: Search = connectSearch(loadConfig({ ...engines.scene.env, OPENSEARCH_URL: way.url }))!;
    const engine: OpenSearchEngine = { ...engines.alone, search };
    try {
      const rows = ask(engine, await planOf('KQL', 'website_logs | project url'), one);
      await rows.next();
      way.cut();
      expect(await outcomeOf(rows)).toEqual({ error: 'SERVICE_UNAVAILABLE' });
      const plan = await planOf('KQL', 'website_logs | count');
      expect(await outcomeOf(ask(engine, plan, one))).toEqual({ error: 'SERVICE_UNAVAILABLE' });
    } finally {
      way.cut();
      await search.close();
    }
  });

  it('sees what was committed before it began', async () => {
    const plan = await planOf('KQL', 'web_activity | summarize count(), sum(status)');
    for (let batch = 1; batch <= 8; batch++) {
      await ingest(engines.scene.platform, one, 'web_activity', [{ eventdate: '2026-11-21T00:00:00Z', status: 200 }]);
      const asked = await Promise.all([ask(engines.alone, plan, one), ask(engines.alone, plan, one)].map(outcomeOf));
      for (const outcome of asked) expect(outcome).toMatchObject({ rows: [[batch, 200 * batch]] });
    }
  });
});

/** How much more memory the process holds than at the beginning. */
class Growth {
  readonly #first = process.memoryUsage().rss;
  #most = 0;
  look(): void {
    this.#most = Math.max(this.#most, process.memoryUsage().rss - this.#first);
  }
  get mebibytes(): number {
    return this.#most / 1024 / 1024;
  }
}
