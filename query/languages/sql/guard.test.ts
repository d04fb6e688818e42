import { describe, expect, test } from 'vitest';
import { datasets as declared } from '../../../datasets/index.js';
import { HarborwatchError } from '../../../platform/errors.js';
import type { TimeRange } from '../../prepared-query.js';
import { refusedQueries, validQueries } from './cases.js';
import { guardSql } from './guard.js';

const datasets = [...declared];
const prepare = (text: string, range?: TimeRange) => guardSql(text, datasets, range);

async function refusal(text: string): Promise<HarborwatchError> {
  const error = await prepare(text).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(error instanceof HarborwatchError)) throw new Error(`Not refused: ${text.slice(0, 200)} (${error})`);
  return error;
}

describe('what only reads the caller’s datasets passes', () => {
  test.each(validQueries)('%s', async (text) => {
    expect((await prepare(text)).source).toBe(text);
  });
});

describe('everything else is refused, by its own code and with a position', () => {
  test.each(refusedQueries.map(([code, text]) => [code, text.slice(0, 100), text] as const))(
    '%s: %s',
    async (code, _, text) => {
      const { code: refusedBy, details } = await refusal(text);
      expect(refusedBy).toBe(code);
      expect(details.argument).toBe('query');
      if (text.length < 1_000) expect(details).toMatchObject({ line: expect.any(Number), column: expect.any(Number) });
    },
  );
});

describe('positions are lines and characters of the caller’s text', () => {
  test.each([
    ['SELECT 1 FROM nowhere', 1, 15],
    ["SELECT '😀é' FROM nowhere", 1, 18],
    ["SELECT '日本語',\n  'é' ,\n pg_sleep(1) FROM logs", 3, 2],
    ["SELECT '😀é' FROM logs logs logs", 1, 28],
    ["SELECT '😀'\nFORM é é", 2, 6],
    ['SELECT 1;\n\n  SELECT 2', 3, 3],
    ['SELECT\r\n  now(),\r\n  version()', 3, 3],
    ['SELECT EventID FROM SecurityEvent, nowhere', 1, 36],
    ['WITH a AS (SELECT 1)\nSELECT *\nFROM a,\n  b', 4, 3],
  ])('%j', async (text, line, column) => {
    expect((await refusal(text)).details).toMatchObject({ line, column });
  });
});

describe('messages say what to do', () => {
  test.each([
    ['SELECT 1 FROM logz', 'There is no dataset "logz". Did you mean "logs"?'],
    ['SELECT 1 FROM q.logs', 'Datasets are named without a schema. Write "logs".'],
    ['SELECT uper(host) FROM logs', 'The function uper() cannot be used in queries. Did you mean "upper"?'],
    ['SELECT pg_catalog.lower(host) FROM logs', 'Functions are named without a schema. Write lower(...).'],
    ['DROP TABLE logs', 'DROP is not a query. Queries only read: write one SELECT.'],
    ['SELECT 1 FROM logs WHERE', 'Syntax error at end of input.'],
    ['SELECT 1::strin', 'The type "strin" cannot be used here.'],
    ['SELECT logs.attributes.user FROM logs', "such as attributes->>'user'"],
  ])('%s', async (text, message) => {
    expect((await refusal(text)).message).toContain(message);
  });
});

describe('names become the declared ones', () => {
  test.each([
    ['SELECT eventid FROM SecurityEvent', 'SELECT "EventID" FROM "security_events" AS "securityevent"'],
    ['SELECT é.EventId FROM securityevent é', 'SELECT é."EventID" FROM "security_events" é'],
    ['SELECT EventID AS eventid FROM security_events', 'SELECT EventID AS eventid FROM security_events'],
    ['SELECT "eventid" FROM security_events', 'SELECT "eventid" FROM security_events'],
    ['SELECT * FROM "securewatch-logs-*"', 'SELECT * FROM "logs" AS "securewatch-logs-*"'],
    ['SELECT Message FROM LOGS', 'SELECT Message FROM LOGS'],
  ])('%s', async (text, expected) => {
    const { text: run, source } = await prepare(text);
    expect(run).toBe(expected);
    expect(source).toBe(text);
  });

  test('the datasets are the canonical names, once each, without WITH queries', async () => {
    const text = `WITH website_logs AS (SELECT 1 FROM SecurityEvent) SELECT 1 FROM website_logs, logs, "securewatch-logs-*" x`;
    expect((await prepare(text)).datasets).toEqual(['security_events', 'logs']);
  });

  test('a WITH query never takes the place of a dataset that was named by its alias', async () => {
    const text = `WITH logs AS (SELECT 1) SELECT * FROM "securewatch-logs-*"`;
    expect((await refusal(text)).code).toBe('QUERY_NOT_SUPPORTED');
  });

  test('a dataset that is not in the caller’s list does not exist', async () => {
    const few = guardSql('SELECT 1 FROM logs', datasets.slice(1));
    await expect(few).rejects.toMatchObject({ code: 'QUERY_UNKNOWN_TABLE' });
  });
});

describe('a time range becomes a part of the text', () => {
  const rows = (name: string, column: string) =>
    `(SELECT * FROM "${name}" WHERE "${column}" >= '2024-01-01T00:00:00Z'::timestamptz AND "${column}" < '2024-02-01T00:00:00Z'::timestamptz)`;
  const logs = rows('logs', 'timestamp');
  const events = rows('security_events', 'TimeGenerated');
  const range = { from: '2024-01-01T01:00:00+01:00', to: '2024-02-01T00:00:00.000Z' };

  test.each([
    ['SELECT * FROM logs', `SELECT * FROM ${logs} AS "logs"`],
    ['SELECT l.host FROM logs l', `SELECT l.host FROM ${logs} l`],
    ['SELECT a FROM LOGS AS l(a)', `SELECT a FROM ${logs} AS l(a)`],
    ['SELECT eventid FROM SecurityEvent', `SELECT "EventID" FROM ${events} AS "securityevent"`],
    [
      'SELECT 1 FROM "securewatch-logs-*" JOIN logs x ON true',
      `SELECT 1 FROM ${logs} AS "securewatch-logs-*" JOIN ${logs} x ON true`,
    ],
    [
      'WITH logs AS (SELECT 1 FROM logs) SELECT * FROM logs',
      `WITH logs AS (SELECT 1 FROM ${logs} AS "logs") SELECT * FROM logs`,
    ],
    ['TABLE  logs', `SELECT * FROM ${logs} AS "logs"`],
    ['SELECT 1 FROM logs * WHERE true', `SELECT 1 FROM ${logs} AS "logs" WHERE true`],
    [
      'SELECT (SELECT count(*) FROM logs) -- the table\n FROM -- a table\n logs',
      `SELECT (SELECT count(*) FROM ${logs} AS "logs") -- the table\n FROM -- a table\n ${logs} AS "logs"`,
    ],
    ['SELECT 1', 'SELECT 1'],
  ])('%s', async (text, expected) => {
    const query = await prepare(text, range);
    expect(query.text).toBe(expected);
    expect(query.source).toBe(text);
    expect(query.datasets).toEqual((await prepare(text)).datasets);
  });

  test('an end alone, or none', async () => {
    const text = async (of: TimeRange) => (await prepare('SELECT 1 FROM logs l', of)).text;
    expect(await text({ from: range.from })).toBe(
      `SELECT 1 FROM (SELECT * FROM "logs" WHERE "timestamp" >= '2024-01-01T00:00:00Z'::timestamptz) l`,
    );
    expect(await text({ to: '2024-01-01T00:00:00.0000001Z' })).toBe(
      `SELECT 1 FROM (SELECT * FROM "logs" WHERE "timestamp" < '2024-01-01T00:00:00.000001Z'::timestamptz) l`,
    );
    expect(await text({})).toBe('SELECT 1 FROM logs l');
  });

  test.each(["2024-01-01' OR true --", 'now', '', '2024-01-01', '2024-02-30T00:00:00Z'])(
    'an end must be a moment: %j',
    async (from) => {
      await expect(prepare('SELECT 1 FROM logs', { from })).rejects.toMatchObject({
        code: 'BAD_USER_INPUT',
        details: { argument: 'from' },
      });
    },
  );

  test.each([
    ['SELECT 1 FROM ONLY logs', 1, 20],
    ['TABLE /* all */ logs', 1, 17],
    [`SELECT 1 FROM U&"l\\006fgs"`, 1, 15],
  ])('where a name cannot be replaced the query is refused: %s', async (text, line, column) => {
    await expect(prepare(text, range)).rejects.toMatchObject({
      code: 'QUERY_NOT_SUPPORTED',
      details: { line, column },
    });
  });

  test('and changes nothing of what is said about the query', async () => {
    const text = 'SELECT EventId, random() FROM SecurityEvent WHERE TimeGenerated > now()';
    const { rowWise, translation, datasets: used } = await prepare(text, range);
    expect({ rowWise, used }).toEqual({
      rowWise: { ok: false, reason: 'the volatile function random()', line: 1, column: 17 },
      used: ['security_events'],
    });
    expect(translation).toMatchObject({ ok: false, line: 1, column: 17 });
  });

  test.each(validQueries)('whatever the query is, it passes: %s', async (text) => {
    await prepare(text.replace('U&"l\\006fgs"', 'logs'), range);
  });
});

describe('a row-wise query looks at one row at a time', () => {
  test.each([
    'SELECT * FROM logs',
    `SELECT host, upper(message) AS m FROM logs WHERE severity = 'high' AND timestamp > '2020-01-01'`,
    `SELECT l.host, attributes->>'a', EXTRACT(hour FROM timestamp), CASE WHEN true THEN 1 END FROM logs l ORDER BY host`,
    'SELECT e.EventID FROM SecurityEvent e',
    `SELECT message FROM logs WHERE message = 'do it now'`,
  ])('yes: %s', async (text) => {
    expect((await prepare(text)).rowWise).toEqual({ ok: true });
  });

  test.each([
    ['SELECT count(*) FROM logs', 'the aggregate count()'],
    ['SELECT host FROM logs GROUP BY host', 'GROUP BY'],
    ['SELECT DISTINCT host FROM logs', 'DISTINCT'],
    ['SELECT host FROM logs LIMIT 1', 'LIMIT'],
    ['SELECT host FROM logs OFFSET 1', 'OFFSET'],
    ['SELECT sum(1) OVER () FROM logs', 'a window'],
    ['SELECT rank() OVER w FROM logs WINDOW w AS ()', 'a window'],
    ['SELECT host FROM logs UNION SELECT host FROM logs', 'a set operation'],
    ['SELECT 1 FROM logs a, logs b', 'a join'],
    ['SELECT 1 FROM logs a JOIN logs b ON true', 'a join'],
    ['SELECT (SELECT 1) FROM logs', 'a subquery'],
    ['SELECT * FROM (SELECT * FROM logs) x', 'a subquery in FROM'],
    ['WITH a AS (SELECT 1) SELECT host FROM logs', 'a WITH query'],
    ['SELECT unnest(ARRAY[1, 2]) FROM logs', 'the set-returning function unnest()'],
    ['SELECT * FROM generate_series(1, 2)', 'a function in FROM'],
    ['SELECT now() FROM logs', 'the time-dependent function now()'],
    ['SELECT host FROM logs WHERE timestamp > CURRENT_DATE', 'the current time'],
    [`SELECT host FROM logs WHERE timestamp > 'yesterday'`, `the relative time 'yesterday'`],
    [`SELECT host FROM logs WHERE timestamp > 'now'::timestamptz`, `the relative time 'now'`],
    ['SELECT random() FROM logs', 'the volatile function random()'],
    ['SELECT l.count FROM logs l', '"count" is not a column'],
    ['SELECT JSON_ARRAYAGG(host) FROM logs', 'an aggregate'],
    ['SELECT 1', 'no dataset'],
    ['VALUES (1)', 'VALUES'],
  ])('no: %s', async (text, reason) => {
    expect((await prepare(text)).rowWise).toMatchObject({ ok: false, reason });
  });

  test('the reason has its place in the caller’s text', async () => {
    const { rowWise } = await prepare(`SELECT EventID,\n 'é', random() FROM SecurityEvent`);
    expect(rowWise).toEqual({ ok: false, reason: 'the volatile function random()', line: 2, column: 7 });
  });
});

describe('a giant text that passes is translated, or not, within two seconds', () => {
  const terms = Array.from({ length: 10_000 }, (_, i) => i).join(', ');
  test.each([
    ['a list', `SELECT host FROM logs WHERE bytes_in IN (${terms})`, true],
    [
      'a list under NOT, grouped by it',
      `SELECT ${'NOT '.repeat(300)} bytes_in IN (${terms}) FROM logs GROUP BY ${'NOT '.repeat(300)} bytes_in IN (1)`,
      false,
    ],
    [
      'terms',
      `SELECT host FROM logs WHERE ${Array.from({ length: 5_000 }, (_, i) => `bytes_in = ${i}`).join(' OR ')}`,
      true,
    ],
    ['tables', `SELECT 1 FROM ${Array.from({ length: 2_000 }, (_, i) => `logs l${i}`).join(', ')}`, false],
    ['stars', `SELECT ${'*, '.repeat(20_000)} 1 FROM logs`, false],
    [
      'stars of stars',
      `WITH a AS (SELECT * FROM logs)${Array.from({ length: 60 }, (_, i) => `, a${i} AS (SELECT x.*, x.* FROM a${i - 1 < 0 ? '' : i - 1} x)`).join('')} SELECT 1 FROM a59`,
      false,
    ],
    [
      'ranges of ranges',
      `SELECT ${'CASE WHEN '.repeat(100)}bytes_in${' BETWEEN 1 AND 2 THEN 1 ELSE 2 END'.repeat(100)} FROM logs`,
      false,
    ],
    [
      'joins',
      `SELECT 1 FROM logs l0 ${Array.from({ length: 90 }, (_, i) => `JOIN logs l${i + 1} ON l${i + 1}.host = l${i}.host`).join(' ')}`,
      true,
    ],
  ])('%s', async (_, text, isTranslated) => {
    const start = performance.now();
    expect((await prepare(text)).translation.ok).toBe(isTranslated);
    expect(performance.now() - start).toBeLessThan(2_000);
  });
});
