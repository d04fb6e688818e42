/** The same events in PostgreSQL and in an index of OpenSearch as its users would map it, and the same search of both. */
import { findDataset } from '../../datasets/index.js';
import type { Identity } from '../../platform/identity.js';
import { runQuery } from '../../query/index.js';
import { prepareSearch } from '../../query/languages/opensearch/search.js';
import { createTestPlatform } from './database.js';
import { ingest } from './events.js';
import type { findOpenSearch } from './opensearch.js';

export type Answer = any;

export type SearchBench = Awaited<ReturnType<typeof openSearchBench>>;

/** A platform whose first organisation has these events in `logs`; and a native index of the same, where there is OpenSearch. */
export async function openSearchBench(
  openSearch: Awaited<ReturnType<typeof findOpenSearch>>,
  events: Record<string, unknown>[],
) {
  const platform = await createTestPlatform();
  const postgres = platform.platform.postgres.queryPool;
  const [org] = platform.orgs;
  await ingest(platform.platform, org, 'logs', events);

  /** What this product answers. @param asks who asks, and what `now` is then */
  async function ours(search: unknown, asks: { org?: Identity; now?: string } = {}): Promise<Answer> {
    const prepared = prepareSearch(JSON.stringify(search), findDataset('logs')!);
    const { orgId } = asks.org ?? org;
    const options = { orgId, timeoutMs: 20_000, ...(asks.now === undefined ? {} : { now: asks.now }) };
    const answer: Answer = { hits: [] };
    for await (const { columns, rows, search: summary } of runQuery({ postgres }, prepared, options)) {
      for (const row of rows) answer.hits.push(Object.fromEntries(columns.map(({ name }, at) => [name, row[at]])));
      Object.assign(answer, summary);
    }
    return answer;
  }

  const index = openSearch && `${openSearch.settings.OPENSEARCH_PREFIX}native`;
  if (openSearch !== undefined) {
    await openSearch.request('PUT', `/${index}`, nativeIndex);
    const all = await ours({ size: events.length });
    const lines = all.hits.flatMap(({ _id, _source }: Answer) => [{ index: { _id } }, _source]);
    const body = `${lines.map((line: Answer) => JSON.stringify(line)).join('\n')}\n`;
    await openSearch.request('POST', `/${index}/_bulk?refresh=true`, body);
  }

  return {
    platform: platform.platform,
    orgs: platform.orgs,
    ours,
    /** What OpenSearch answers. */
    native: (search: unknown): Promise<Answer> => openSearch!.request('POST', `/${index}/_search`, search),
    async close() {
      await platform.close();
      await openSearch?.drop();
    },
  };
}

const keyword = { type: 'keyword' };
const nativeIndex = {
  settings: {
    number_of_shards: 1,
    number_of_replicas: 0,
    analysis: {
      analyzer: { words: { type: 'custom', tokenizer: 'words', filter: ['lowercase'] } },
      tokenizer: { words: { type: 'pattern', pattern: '[^\\p{L}\\p{N}]+' } },
    },
  },
  mappings: {
    properties: {
      timestamp: { type: 'date' },
      source_ip: { type: 'ip' },
      source_port: { type: 'long' },
      bytes_in: { type: 'long' },
      message: { type: 'text', analyzer: 'words', fields: { keyword } },
      severity: keyword,
      event_type: keyword,
      host: keyword,
      source_id: keyword,
    },
  },
};

/** What the two can agree on: without names of indexes, and with the figures that OpenSearch writes for no figure. */
export function comparable(answer: Answer): Answer {
  const text = JSON.stringify(answer, (key, value) => {
    if (key === '_index' || key === 'meta' || (key === '_source' && value === null)) return undefined;
    if (typeof value !== 'number') return value;
    if (Math.abs(value) === 2 ** 63) return null;
    return Number.isInteger(value) ? value : Number(value.toPrecision(12));
  });
  return JSON.parse(text);
}
