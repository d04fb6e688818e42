import { describe, expect, test } from 'vitest';
import { datasets } from '../datasets/index.js';
import { describeQuery, prepareQuery, type QueryLanguage, type TimeRange } from './index.js';

const now = '2026-03-10T12:00:00Z';
const nowMs = Date.parse(now);

async function about(language: QueryLanguage, text: string, range: TimeRange = {}) {
  const query = await prepareQuery({ language, text, datasets, range });
  return describeQuery(query, range, nowMs);
}

describe('what a query reads', () => {
  test('is the times that its filters leave, in every language', async () => {
    const march = { from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z' };
    const texts: [QueryLanguage, string][] = [
      ['KQL', 'logs | where timestamp >= datetime(2026-03-01) and timestamp < datetime(2026-03-02) | count'],
      [
        'LINQ',
        `from logs where timestamp >= "2026-03-01T00:00:00Z" and timestamp < "2026-03-02T00:00:00Z" select host`,
      ],
      [
        'SQL',
        `SELECT count(*) FROM logs WHERE timestamp >= '2026-03-01T00:00:00Z' AND timestamp < '2026-03-02T00:00:00Z'`,
      ],
      [
        'OPENSEARCH',
        JSON.stringify({
          query: { range: { timestamp: { gte: '2026-03-01T00:00:00Z', lt: '2026-03-02T00:00:00Z' } } },
          aggs: { hosts: { terms: { field: 'host' } } },
        }),
      ],
    ];
    for (const [language, text] of texts) {
      expect([language, await about(language, text)]).toEqual([
        language,
        { datasets: ['logs'], range: march, class: 'HISTORICAL', isRepeatable: true },
      ]);
    }
  });

  test('is all datasets of it, with the times that any of them is read of', async () => {
    const query = `union (logs | where timestamp between (datetime(2026-03-01) .. datetime(2026-03-02)) | project host),
      (website_logs | where request_timestamp between (datetime(2026-02-01) .. datetime(2026-02-02)) | project host = url)`;
    expect(await about('KQL', query)).toMatchObject({
      datasets: ['logs', 'website_logs'],
      range: { from: '2026-02-01T00:00:00Z', to: '2026-03-02T00:00:00.000001Z' },
    });
    const inside = `logs | where timestamp < datetime(2026-01-01) and host in ((SecurityEvent | project Computer))`;
    const { datasets: read, range } = await about('KQL', inside);
    expect([read.toSorted(), range]).toEqual([['logs', 'security_events'], {}]);
  });

  test('is open at an end that moves with the clock, whatever the clock says', async () => {
    for (const [language, text] of [
      ['KQL', 'logs | where timestamp between (ago(30d) .. ago(10d)) | count'],
      ['SQL', `SELECT count(*) FROM logs WHERE timestamp < now() - interval '10 days'`],
      ['SQL', `SELECT count(*) FROM logs WHERE timestamp < 'yesterday'`],
      ['OPENSEARCH', JSON.stringify({ query: { range: { timestamp: { gte: 'now-30d', lt: 'now-10d' } } } })],
    ] as const) {
      expect([text, await about(language, text)]).toMatchObject([text, { range: {}, class: 'SIMPLE' }]);
    }
  });

  test('is the given range where the text has no plan', async () => {
    const range = { from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z' };
    const text = 'SELECT host, regexp_match(message, host) FROM logs';
    expect(await about('SQL', text, range)).toMatchObject({ datasets: ['logs'], range });
    expect(await about('SQL', text)).toMatchObject({ datasets: ['logs'], range: {} });
    expect(await about('SQL', 'SELECT 1')).toMatchObject({ datasets: [], range: {} });
  });
});

describe('the class of a query', () => {
  test('is COMPLEX with a join, a union, a window or more than one summarize', async () => {
    const complex: [QueryLanguage, string][] = [
      ['KQL', 'logs | join kind=inner (logs | summarize count() by host) on host'],
      ['KQL', 'union logs, website_logs'],
      ['KQL', 'logs | sort by timestamp asc | extend before = prev(host)'],
      ['KQL', 'logs | summarize n = count() by host | summarize max(n)'],
      ['SQL', 'SELECT a.host FROM logs a JOIN logs b ON a.host = b.host'],
      ['SQL', 'SELECT a.host, regexp_match(a.message, b.host) FROM logs a, logs b'],
      ['SQL', `SELECT regexp_match(host, 'a') FROM logs UNION ALL SELECT regexp_match(host, 'b') FROM logs`],
      ['SQL', 'SELECT host, ntile(4) OVER (ORDER BY timestamp) FROM logs'],
    ];
    for (const [language, text] of complex)
      expect([text, (await about(language, text)).class]).toEqual([text, 'COMPLEX']);
    const simple: [QueryLanguage, string][] = [
      ['KQL', 'logs | where host has "a" | summarize count() by host | top 5 by count_'],
      ['SQL', 'SELECT host, count(*) FROM logs GROUP BY host ORDER BY 2 DESC LIMIT 5'],
      ['SQL', `SELECT regexp_match(host, 'a') FROM logs`],
      ['OPENSEARCH', JSON.stringify({ query: { match_all: {} }, size: 3, sort: [{ timestamp: 'desc' }] })],
    ];
    for (const [language, text] of simple)
      expect([text, (await about(language, text)).class]).toEqual([text, 'SIMPLE']);
  });

  test('is HISTORICAL once its times are over for a day, and never where it reads the clock', async () => {
    const until = (to: string) => about('SQL', 'SELECT count(*) FROM logs', { to });
    expect((await until('2026-03-09T12:00:00Z')).class).toBe('HISTORICAL');
    expect((await until('2026-03-09T12:00:00.000001Z')).class).toBe('SIMPLE');
    expect((await about('SQL', 'SELECT count(*), now() FROM logs', { to: '2026-01-01T00:00:00Z' })).class).toBe(
      'SIMPLE',
    );
    const aged = `SELECT age(max(timestamp)) FROM logs`;
    expect((await about('SQL', aged, { to: '2026-01-01T00:00:00Z' })).class).toBe('SIMPLE');
  });
});

test('what hangs on chance is not repeatable', async () => {
  for (const text of [
    'SELECT random()',
    'SELECT gen_random_uuid()',
    'SELECT host FROM logs ORDER BY random() LIMIT 3',
  ]) {
    expect([text, (await about('SQL', text)).isRepeatable]).toEqual([text, false]);
  }
  for (const text of ['SELECT host FROM logs LIMIT 3', 'SELECT now()']) {
    expect([text, (await about('SQL', text)).isRepeatable]).toEqual([text, true]);
  }
});

describe('an equal text', () => {
  const text = 'SELECT host, count(*) FROM logs GROUP BY host';

  test('is prepared once, and anew with another range, dataset or language', async () => {
    const [first, second] = await Promise.all([1, 2].map(() => prepareQuery({ language: 'SQL', text, datasets })));
    expect(second).toBe(first);
    expect(await prepareQuery({ language: 'SQL', text, datasets, range: {} })).toBe(first);
    const cut = await prepareQuery({ language: 'SQL', text, datasets, range: { to: '2026-01-01T00:00:00Z' } });
    expect(cut).not.toEqual(first);
    const search = JSON.stringify({ query: { match_all: {} } });
    const searches = ['logs', 'website_logs'].map((dataset) =>
      prepareQuery({ language: 'OPENSEARCH', text: search, datasets, dataset }),
    );
    expect((await Promise.all(searches)).map(({ datasets: read }) => read)).toEqual([['logs'], ['website_logs']]);
  });

  test('is refused each time that it is wrong', async () => {
    for (let n = 0; n < 2; n++) {
      const wrong = prepareQuery({ language: 'SQL', text: 'SELECT FROM nosuch', datasets });
      await expect(wrong).rejects.toMatchObject({ code: 'QUERY_UNKNOWN_TABLE' });
    }
  });
});
