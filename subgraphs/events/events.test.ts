import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { datasets, findDataset } from '../../datasets/index.js';
import type { FeedRow } from '../../platform/feed.js';
import { createTestPlatform, type TestPlatform } from '../../tests/setup/database.js';
import { ingest } from '../../tests/setup/events.js';
import { toEventRow } from './validation.js';

let test: TestPlatform;
beforeAll(async () => {
  test = await createTestPlatform();
});
afterAll(() => test.close());

const at = '2026-02-03T04:05:06.123456Z';
const read = <Row>(sql: string, parameters?: unknown[], org = 0) =>
  test.platform.postgres.withOrg(test.orgs[org]!, (tx) => tx.query<Row>(sql, parameters));

describe('ingest', () => {
  it('keeps what a dataset does not declare in attributes, and microseconds', async () => {
    await ingest(test.platform, test.orgs[0], 'logs', [
      { timestamp: at, message: 'kept', colour: 'blue', attributes: { deep: [1] } },
    ]);
    const [row] = await read<any>("SELECT timestamp, severity, attributes FROM logs WHERE message = 'kept'");
    expect(row).toEqual({ timestamp: at, severity: 'info', attributes: { colour: 'blue', deep: [1] } });
  });

  it('maps other systems’ severities and keeps the original', async () => {
    const severities = ['EMERGENCY', 'ERROR', 'WARN', 'notice', 'debug', 3, 'high'];
    await ingest(
      test.platform,
      test.orgs[0],
      'logs',
      severities.map((severity) => ({ timestamp: at, message: 'severity', severity })),
    );
    const rows = await read<any>(
      "SELECT severity, attributes->'original_severity' AS original FROM logs WHERE message = 'severity' ORDER BY id",
    );
    expect(rows.map(({ severity }) => severity)).toEqual(['critical', 'high', 'medium', 'low', 'info', 'high', 'high']);
    expect(rows[0].original).toBe('EMERGENCY');
    expect(rows.at(-1).original).toBeNull();
  });

  it('takes a word that names a property of every object as any other unknown severity', async () => {
    await ingest(test.platform, test.orgs[0], 'logs', [{ timestamp: at, message: 'odd', severity: 'constructor' }]);
    const [row] = await read<any>("SELECT severity, attributes FROM logs WHERE message = 'odd'");
    expect(row).toEqual({ severity: 'info', attributes: { original_severity: 'constructor' } });
  });

  it('stores the good events of a batch whatever the refused ones hold', async () => {
    const receipt = await ingest(test.platform, test.orgs[0], 'logs', [
      { timestamp: at, message: 'good' },
      { timestamp: '🦀'.repeat(100) },
      { timestamp: at, 'nul \u0000': 1 },
      { timestamp: at, 'half \ud800': 1 },
    ]);
    expect(receipt.accepted).toBe(1);
    expect(receipt.rejected.map(({ field }) => field)).toEqual(['timestamp', 'nul \ufffd', 'half \ufffd']);
  });

  it('stores a batch once whatever how often and how concurrently it is sent', async () => {
    const events = Array.from({ length: 50 }, () => ({ timestamp: at, message: 'once' }));
    const receipts = await Promise.all(
      Array.from({ length: 10 }, () => ingest(test.platform, test.orgs[0], 'logs', events, 'once')),
    );
    expect(receipts.filter((receipt) => !receipt.duplicate).length).toBe(1);
    expect(receipts.every((receipt) => receipt.accepted === 50)).toBe(true);
    expect(await read("SELECT count(*)::int AS n FROM logs WHERE message = 'once'")).toEqual([{ n: 50 }]);
  });

  it('lets two organisations use the same batch id, and neither see the other’s events', async () => {
    await ingest(test.platform, test.orgs[0], 'logs', [{ timestamp: at, message: 'private' }], 'shared-id');
    const other = await ingest(
      test.platform,
      test.orgs[1],
      'logs',
      [{ timestamp: at, message: 'private' }],
      'shared-id',
    );
    expect(other.duplicate).toBe(false);
    for (const org of [0, 1])
      expect(await read("SELECT count(*)::int AS n FROM logs WHERE message = 'private'", [], org)).toEqual([{ n: 1 }]);
  });

  it('writes one feed row with the batch, which names its minutes and its range', async () => {
    const times = ['2026-02-03T04:05:06.9Z', '2026-02-03T04:05:59.999999Z', '2027-03-03T00:00:00Z'];
    await ingest(
      test.platform,
      test.orgs[0],
      'website_logs',
      times.map((request_timestamp) => ({ request_timestamp })),
      'feed',
    );
    const [row] = await read<FeedRow>(
      `SELECT f.dataset, f.minutes, f.row_count AS "rowCount", f.min_time AS "minTime", f.max_time AS "maxTime"
         FROM change_feed f JOIN ingest_batches b USING (batch_no) WHERE b.batch_id = 'feed'`,
    );
    expect(row).toMatchObject({
      dataset: 'website_logs',
      rowCount: 3,
      minutes: ['2026-02-03T04:05:00Z', '2027-03-03T00:00:00Z'],
    });
    expect(Date.parse(row!.minTime)).toBeLessThanOrEqual(Date.parse('2026-02-03T04:05:06.9Z'));
    expect(Date.parse(row!.maxTime)).toBeGreaterThanOrEqual(Date.parse('2027-03-03T00:00:00Z'));
  });

  it('leaves pages by time to the primary key, read backward and without a sort', async () => {
    const plan = await test.platform.postgres.withOrg(test.orgs[0], async (tx) => {
      await tx.query('SET LOCAL enable_seqscan = off');
      return tx.query<Record<string, string>>(
        'EXPLAIN SELECT id FROM website_logs ORDER BY request_timestamp DESC, id DESC LIMIT 10',
      );
    });
    const text = plan.map((line) => line['QUERY PLAN']).join('\n');
    expect(text).toMatch(/Index (Only )?Scan Backward using website_logs_y\w+_pkey/);
    expect(text).not.toContain('Sort');
  });

  it('refuses an unknown dataset and a batch id that is none, and stores nothing of a wholly rejected batch but its receipt', async () => {
    await expect(ingest(test.platform, test.orgs[0], 'nope', [])).rejects.toMatchObject({
      code: 'UNKNOWN_DATASET',
      details: { argument: 'input.dataset' },
    });
    for (const batchId of ['x'.repeat(201), 'half \ud800']) {
      await expect(ingest(test.platform, test.orgs[0], 'logs', [], batchId)).rejects.toMatchObject({
        code: 'BAD_USER_INPUT',
      });
    }
    const first = await ingest(test.platform, test.orgs[0], 'logs', [{ message: 'no time' }, 5], 'rejected');
    const again = await ingest(test.platform, test.orgs[0], 'logs', [{ message: 'no time' }, 5], 'rejected');
    expect(first.rejected.map(({ index, field }) => [index, field])).toEqual([
      [0, 'timestamp'],
      [1, undefined],
    ]);
    expect(again).toEqual({ ...first, rejected: again.rejected, duplicate: true });
  });
});

describe('validation', () => {
  const logs = findDataset('logs')!;
  const rejected: [string, unknown, string][] = [
    ['a missing time', { message: 'x' }, 'timestamp'],
    ['a time that does not exist', { timestamp: '2026-02-30T00:00:00Z' }, 'timestamp'],
    ['a time out of range', { timestamp: '2150-01-01T00:00:00Z' }, 'timestamp'],
    ['a port that is text', { timestamp: at, source_port: 'https' }, 'source_port'],
    ['a port over 32 bits', { timestamp: at, source_port: 2 ** 31 }, 'source_port'],
    ['a broken address', { timestamp: at, source_ip: '300.1.1.1' }, 'source_ip'],
    ['an object where text belongs', { timestamp: at, message: { a: 1 } }, 'message'],
    ['a NUL character', { timestamp: at, message: 'a\u0000b' }, 'message'],
    ['half a surrogate pair in an undeclared field', { timestamp: at, other: '\ud800' }, 'other'],
    ['bytes over 64 bits', { timestamp: at, bytes_in: '9223372036854775808' }, 'bytes_in'],
  ];
  it.each(rejected)('refuses %s and names the field', (_what, event, field) => {
    expect(toEventRow(logs, event, 262_144)).toMatchObject({ code: 'EVENT_INVALID', field });
  });

  it('refuses an event that is nested too deeply to be stored', () => {
    const deep = JSON.parse('['.repeat(10_000) + ']'.repeat(10_000));
    for (const event of [deep, { timestamp: at, other: deep }]) {
      expect(toEventRow(logs, event, 262_144)).toMatchObject({
        code: 'EVENT_INVALID',
        message: expect.stringContaining('levels'),
      });
    }
  });

  it('reads times as RFC 3339, without an offset as UTC, and as epoch seconds or milliseconds', () => {
    const time = (timestamp: unknown) => (toEventRow(logs, { timestamp }, 262_144) as { timeMs: number }).timeMs;
    const ms = Date.UTC(2026, 1, 3, 4, 5, 6);
    expect([time('2026-02-03T06:05:06+02:00'), time('2026-02-03 04:05:06'), time(ms / 1000), time(ms)]).toEqual([
      ms,
      ms,
      ms,
      ms,
    ]);
  });

  it('takes any JSON object with a time without throwing, and loses no field', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (fields) => {
        const row = toEventRow(logs, { ...fields, timestamp: at }, 262_144);
        if ('code' in row) return;
        const declared = new Set([...logs.columns.map(({ name }) => name), 'attributes', '@timestamp']);
        const kept = JSON.parse(row.attributes);
        for (const key of Object.keys(fields)) if (!declared.has(key)) expect(Object.hasOwn(kept, key)).toBe(true);
      }),
    );
  });
});

describe('the datasets', () => {
  it('have unique names and aliases, and a declared time column', () => {
    const names = datasets.flatMap(({ name, aliases }) => [name, ...aliases]);
    expect(new Set(names).size).toBe(names.length);
    for (const { columns, timeColumn } of datasets) {
      expect(columns.find(({ name }) => name === timeColumn)?.type).toBe('DATETIME');
      expect(new Set(columns.map(({ name }) => name)).size).toBe(columns.length);
    }
  });

  const capture = '../shared/data/windows_rubeus_capture.ndjson.gz';
  it.skipIf(!existsSync(capture))(
    'give a real Windows capture its known answers (skipped where the capture is not at hand)',
    async () => {
      const events = gunzipSync(readFileSync(capture))
        .toString('utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      const receipt = await ingest(test.platform, test.orgs[1], 'SecurityEvent', events);
      expect([receipt.accepted, receipt.rejected]).toEqual([1_179, []]);
      const rows = await read(
        'SELECT "Account", count(*)::int AS n FROM security_events WHERE "EventID" = 4624 GROUP BY 1 ORDER BY 2 DESC',
        [],
        1,
      );
      expect(rows).toHaveLength(2);
      expect(rows).toMatchObject([
        { Account: expect.stringMatching(/\\MORDORDC\$$/), n: 6 },
        { Account: expect.stringMatching(/\\WEC\$$/), n: 1 },
      ]);
    },
  );
});
