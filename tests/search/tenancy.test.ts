/** What is asked of OpenSearch is cut to the caller's organisation, whatever the query says. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { datasets } from '../../datasets/index.js';
import { HarborwatchError } from '../../platform/errors.js';
import type { SearchAnswer, SearchRequest } from '../../platform/search.js';
import { readAlias } from '../../query/engines/opensearch/index-names.js';
import type { OpenSearchEngine } from '../../query/engines/opensearch/run.js';
import { prepareQuery, runQuery } from '../../query/index.js';
import { inParallel } from '../isolation/doors.js';
import { queryBreakOuts } from '../isolation/query-break-outs.js';
import { ingest } from '../setup/events.js';
import { findOpenSearch } from '../setup/opensearch.js';
import { createTwoEngines, type TwoEngines } from '../setup/two-engines.js';

const openSearch = await findOpenSearch();

const mark = 'canary-ambertide';
const foreignEvents = 613;

describe.skipIf(!openSearch)('a query on OpenSearch', () => {
  let engines: TwoEngines;
  /** What was sent for the attacker's queries. */
  const sent: SearchRequest[] = [];
  /** Points in time that were opened. */
  const views = new Set<unknown>();
  let engine: OpenSearchEngine;

  beforeAll(async () => {
    engines = await createTwoEngines(openSearch!);
    const { platform, orgs } = engines.scene;
    const event = (text: string, n: number) => ({
      timestamp: new Date(Date.UTC(2026, 0, 1 + (n % 60))).toISOString(),
      host: `${text} host ${n % 3}`,
      message: `${text} message`,
      bytes_in: n,
      undeclared: text,
    });
    const events = (text: string, count: number) => Array.from({ length: count }, (_, n) => event(text, n));
    await ingest(platform, orgs[0], 'logs', events(mark, foreignEvents));
    await ingest(platform, orgs[1], 'logs', events('own', 7));
    const { search } = engines.openSearch;
    const recording: Pick<typeof search, 'request' | 'prefix'> = {
      prefix: search.prefix,
      async request<Body>(request: SearchRequest): Promise<SearchAnswer<Body>> {
        sent.push(request);
        const answer = await search.request<Body>(request);
        const { pit_id: view } = (answer.body ?? {}) as { pit_id?: unknown };
        if (view !== undefined) views.add(view);
        return answer;
      },
    };
    engine = { ...engines.openSearch, search: recording as typeof search };
  });
  afterAll(() => engines?.close());

  /** The rows and the summary as JSON, or the code of a refusal. */
  async function answerOf(orgId: string, query: { language: never; query: string; dataset?: string }): Promise<string> {
    try {
      const { language, query: text, dataset } = query;
      const prepared = await prepareQuery({ language, text, datasets, dataset });
      const found: unknown[] = [];
      const run = { postgres: engines.postgres, openSearch: engine };
      for await (const batch of runQuery(run, prepared, { orgId, timeoutMs: 20_000 }))
        found.push(batch.rows, batch.search);
      return JSON.stringify(found);
    } catch (error) {
      if (error instanceof HarborwatchError) return error.code;
      throw error;
    }
  }

  test('every search has the organisation as a filter of its own, on the dataset’s alias or a view of the same run', async () => {
    const [victim, attacker] = engines.scene.orgs;
    const [{ id, host }] = (await engines.scene.documents(victim, 'logs')) as [{ id: string; host: string }];
    const batch = { orgId: victim.orgId, mark: mark.slice(0, -4), jobId: crypto.randomUUID(), batchNo: '1' };
    const tries = [
      ...queryBreakOuts(batch, { id, host: batch.mark }, 'app.logs_y2026_m01'),
      ...more.map(([language, query]) => ({ trick: query, language, query })),
    ];
    // The owner finds what the attacker must not.
    const ids = JSON.stringify({ query: { ids: { values: [id] } } });
    const control = { language: 'OPENSEARCH' as never, query: ids };
    expect(await answerOf(victim.orgId, control)).toContain(host);

    sent.length = 0;
    views.clear();
    const faults: string[] = [];
    let answered = 0;
    await inParallel(tries, 4, async (one) => {
      const answer = await answerOf(attacker.orgId, one as never);
      if (answer.startsWith('[')) answered += 1;
      const isLeak = answer.includes(mark) || new RegExp(`[:[,]"?${foreignEvents}"?[,}\\]]`).test(answer);
      if (isLeak) faults.push(`${one.trick}: ${answer.slice(0, 500)}`);
    });
    expect(faults).toEqual([]);
    expect(answered).toBeGreaterThan(30);

    const searches = sent.filter(({ path }) => path.endsWith('/_search'));
    expect(searches.length).toBeGreaterThan(30);
    const aliases = datasets.map(({ name }) => readAlias(engine.search.prefix, name));
    const own = { term: { org_id: attacker.orgId } };
    for (const { path, body } of searches) {
      const { query, pit, ...rest } = body as Record<string, any>;
      expect(Object.keys(query)).toEqual(['bool']);
      expect(Object.keys(query.bool)).toEqual(['filter']);
      expect(query.bool.filter[0]).toEqual(own);
      if (pit === undefined) expect(aliases.map((alias) => `/${alias}/_search`)).toContain(path);
      else expect([path, views.has(pit.id)]).toEqual(['/_search', true]);
      expect(['_source', 'aggs', 'search_after', 'size', 'sort', 'timeout', 'track_total_hits']).toEqual(
        expect.arrayContaining(Object.keys(rest)),
      );
      expect(JSON.stringify(rest.aggs ?? {})).not.toMatch(
        /"(global|top_hits|significant_\w+|scripted_metric|script)":/,
      );
    }
    // Nothing else is asked than searches, and views of the same datasets.
    for (const { method, path, body } of sent.filter((one) => !searches.includes(one))) {
      if (method === 'DELETE') {
        expect(path).toBe('/_search/point_in_time');
        for (const view of (body as { pit_id: string[] }).pit_id) expect(views.has(view)).toBe(true);
      } else expect(aliases.map((alias) => `POST /${alias}/_search/point_in_time`)).toContain(`${method} ${path}`);
    }
  });

  test('every document is one of the organisation that its event is of', async () => {
    for (const identity of engines.scene.orgs) {
      const documents = await engines.scene.documents(identity, 'logs');
      expect(documents.map(({ id }) => id)).toEqual(await engines.scene.eventIds(identity, 'logs'));
      for (const { org_id: org } of documents) expect(org).toBe(identity.orgId);
    }
  });
});

/** Queries of all the forms that requests take: pages, groups, several reads of one moment. */
const more: ['KQL' | 'LINQ', string][] = [
  ['KQL', 'logs | sort by timestamp desc | take 3'],
  ['KQL', 'logs | where bytes_in > 1 or host == "x" | sort by bytes_in asc nulls first'],
  ['KQL', 'logs | summarize count(), sum(bytes_in), min(timestamp) by host, bin(timestamp, 1d)'],
  ['KQL', 'logs | summarize n = count(), m = countif(host == "x")'],
  ['KQL', 'logs | where isempty(host) or not(host == "a")'],
  ['KQL', 'logs | join kind=leftouter (logs | summarize n = count() by host) on host | project host, n'],
  ['KQL', 'union (logs | where host == "a"), (logs | where host != "a") | count'],
  ['KQL', 'logs | where host !in ("a", "b") and message !contains "c"'],
  ['LINQ', 'from logs where bytes_in > 1 group every 1d by host select count() as n, sum(bytes_in) as s'],
];
