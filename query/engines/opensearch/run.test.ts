/** Answers of plans on OpenSearch are those of PostgreSQL, and come from where they should. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Identity } from '../../../platform/identity.js';
import { ingest } from '../../../tests/setup/events.js';
import { findOpenSearch } from '../../../tests/setup/opensearch.js';
import {
  ask,
  createTwoEngines,
  eventsOf,
  onPostgres,
  outcomeOf,
  planOf,
  type TwoEngines,
  unordered,
} from '../../../tests/setup/two-engines.js';
import { distinct } from '../../plan/build.js';
import { orderOf } from '../../plan/order.js';
import type { Plan } from '../../plan/types.js';

const openSearch = await findOpenSearch();

const longText = 'x'.repeat(10_923);
const longest = `${'ab'.repeat(5_461)}`;

/** Texts in which everything stands that a pattern, a query or an index might stumble upon. */
const texts = [
  'alice',
  'ALICE',
  'Bob',
  '',
  null,
  'C:\\Windows\\System32\\cmd.exe /c *.* ?',
  '100% of größe_日本',
  'GRÖSSE',
  'stra\u00dfe',
  '\u212Aelvin',
  'kelvin',
  '\u0130stanbul',
  'istanbul',
  '\u017Fweet',
  'sweet',
  '\u212Bngstr\u00f6m',
  '\u00e5ngstr\u00f6m',
  'a*b',
  'a?b',
  'a\\b',
  'axb',
  'emoji 😀 end',
  'line\nbreak',
  'tab\tand "quotes" and \'single\'',
  'word another-word third_word',
  'wordanother',
  longest,
  longText,
  `needle ${longText}`,
];

const figures = [
  null,
  0,
  -3,
  100,
  100,
  9_000_000_000,
  '9007199254740991',
  '9007199254740993',
  '-9007199254740993',
  '9223372036854775807',
  '-9223372036854775808',
];

const hour = 3_600_000;
const begin = Date.parse('2026-10-31T20:00:00Z');

function someLogs(): Record<string, unknown>[] {
  return Array.from({ length: 120 }, (_, n) => ({
    // Some at the same moment, over two months.
    timestamp: new Date(begin + Math.floor(n / 3) * hour)
      .toISOString()
      .replace('.000Z', n % 4 === 0 ? '.123456Z' : 'Z'),
    severity: ['high', 'low', 'medium', undefined][n % 4],
    event_type: ['login', 'logout', ''][n % 3],
    source_ip: ['10.0.0.1', '2001:db8::1', undefined, '8.8.8.8'][n % 4],
    source_port: [22, 443, undefined, 65535][n % 4],
    bytes_in: figures[n % figures.length],
    bytes_out: n,
    user_name: texts[n % texts.length],
    host: `web-${n % 7}`,
    message: texts[(n * 7) % texts.length],
    nested: { n, list: [n, { deep: 1.5 }], big: n === 5 ? 12345678901234 : null },
  }));
}

describe.skipIf(!openSearch)('a plan on OpenSearch', () => {
  let engines: TwoEngines;
  let one: Identity;
  beforeAll(async () => {
    engines = await createTwoEngines(openSearch!);
    const { scene } = engines;
    one = scene.orgs[0];
    await ingest(scene.platform, one, 'logs', someLogs());
    await ingest(scene.platform, scene.orgs[1], 'logs', someLogs().slice(0, 40));
    await ingest(
      scene.platform,
      one,
      'web_activity',
      Array.from({ length: 30 }, (_, n) => ({
        eventdate: new Date(begin + n * hour).toISOString(),
        username: texts[n % texts.length],
        url: `/path/${n % 3}`,
        status: [200, 404, null][n % 3],
        response_ms: [1.5, null, 1e300, -0.25][n % 4],
      })),
    );
    await insertFarTimes();
  });
  afterAll(() => engines?.close());

  /** Events of times that ingest refuses. */
  async function insertFarTimes(): Promise<void> {
    const { asSuperuser } = engines.scene.database;
    for (const time of ['1960-02-03T04:05:06.789012Z', '1969-12-31T23:59:59.999999Z']) {
      await asSuperuser(`SELECT app.ensure_partition('web_activity', date_trunc('month', $1::timestamptz)::date)`, [
        time,
      ]);
      await asSuperuser(
        `WITH batch AS (
           INSERT INTO app.ingest_batches (org_id, dataset, batch_id, accepted, rejected)
           VALUES ($1, 'web_activity', $2, 1, '[]') RETURNING batch_no
         ), event AS (
           INSERT INTO app.web_activity (org_id, batch_no, eventdate, username)
           SELECT $1, batch_no, $2::timestamptz, 'far' FROM batch
         )
         INSERT INTO app.change_feed (org_id, dataset, batch_no, min_time, max_time, minutes, row_count, bytes)
         SELECT $1, 'web_activity', batch_no, $2::timestamptz, $2::timestamptz, ARRAY[$2::timestamptz], 1, 1 FROM batch`,
        [one.orgId, time],
      );
    }
  }

  /** @param from where the events have to be read */
  async function expectSame(plan: Plan, from: 'OPENSEARCH' | 'POSTGRES'): Promise<void> {
    const wanted = await onPostgres(engines, plan, one);
    const inOrder = orderOf(plan) === undefined ? unordered : <T>(same: T) => same;
    const engine = from === 'OPENSEARCH' ? engines.alone : engines.openSearch;
    expect(inOrder(await outcomeOf(ask(engine, plan, one)))).toEqual(inOrder(wanted));
    if (from === 'POSTGRES') {
      expect(unordered(await outcomeOf(ask(engines.alone, plan, one)))).not.toEqual(unordered(wanted));
    }
  }

  it.each([
    ['all rows and columns', 'logs'],
    ['a filter on a text', 'logs | where user_name == "alice"'],
    ['upper and lower case', 'logs | where user_name =~ "ALICE"'],
    ['capitals beyond ASCII', 'logs | where user_name =~ "kelvin" or user_name =~ "istanbul" or user_name =~ "sweet"'],
    ['capitals beyond ASCII, in the literal', 'logs | where user_name =~ "\\u212aELVIN" or user_name contains "GRÖ"'],
    ['a ring that is a unit', 'logs | where user_name startswith "ångs"'],
    ['a text that is none', 'logs | where user_name == ""'],
    ['a text that is one', 'logs | where user_name != ""'],
    ['isempty', 'logs | where isempty(user_name) | project user_name, message'],
    ['isnotempty', 'logs | where isnotempty(message) and isnotempty(source_ip) and isempty(severity)'],
    ['isnull of strings and figures', 'logs | where isnull(bytes_in) and isnotnull(host) or isnull(user_name)'],
    ['texts apart from one', 'logs | where user_name != "alice" and severity != "high"'],
    ['the longest text of an index', `logs | where user_name == "${longest}"`],
    ['a text longer than an index takes', `logs | where user_name == "${longText}"`],
    ['anything but a long text', `logs | where user_name != "${longText}" | project user_name`],
    ['the beginning of long texts', 'logs | where user_name startswith "xxxx" or message startswith "needle"'],
    ['a word in a long text', 'logs | where message has "needle" or user_name has_cs "needle"'],
    ['an address', 'logs | where source_ip == "2001:db8::1" or source_ip == ""'],
    ['backslashes', 'logs | where user_name contains "\\\\Windows\\\\" or user_name contains_cs @"C:\\W"'],
    ['backslashes in free text', 'logs | where message contains "\\\\Windows\\\\"'],
    ['stars', 'logs | where user_name contains "a*b" or user_name startswith "a*"'],
    ['question marks', 'logs | where user_name endswith_cs "?b" or user_name endswith "?"'],
    ['stars in free text', 'logs | where message startswith "a*" or message has "a?b"'],
    ['the same text with a star in it', 'logs | where user_name == "a*b" or user_name in ("a?b", "a\\\\b")'],
    ['line breaks and quotes', 'logs | where user_name contains "\\n" or user_name has "\\"quotes\\""'],
    ['beyond the basic plane', 'logs | where user_name contains "😀 e"'],
    ['terms', 'logs | where message has "another" or message hasprefix "wor" and message hassuffix "er"'],
    ['several terms', 'logs | where message has_any ("another", "nothing") or message has_all ("word", "third_word")'],
    ['what is not contained', 'logs | where message !contains "word" and user_name !startswith "a"'],
    ['a regular expression', 'logs | where message matches regex "wor.*an"'],
    ['one of several', 'logs | where user_name in ("alice", "", "kelvin")'],
    ['none of several', 'logs | where user_name !in ("alice", "", "kelvin") | project user_name'],
    ['one of several, upper and lower case alike', 'logs | where user_name in~ ("ALICE", "SWEET")'],
    ['figures', 'logs | where source_port == 22 or source_port in (443, 1)'],
    ['figures apart from one', 'logs | where source_port != 22'],
    ['figures not apart', 'logs | where not(source_port == 22) and not(source_port > 443)'],
    [
      'not of both',
      'logs | where not(source_port == 22 and severity == "high") and not(host == "web-1" or bytes_out < 9)',
    ],
    ['figures between', 'logs | where bytes_out between (10 .. 20)'],
    ['literals on the left', 'logs | where 100 > bytes_out and 22 == source_port and 3 <= bytes_out'],
    ['huge figures', 'logs | where bytes_in == 9223372036854775807 or bytes_in < -9007199254740992'],
    ['huge figures next to each other', 'logs | where bytes_in > 9007199254740991 and bytes_in <= 9007199254740993'],
    ['a figure against a real', 'logs | where bytes_out < 7.5'],
    ['reals', 'web_activity | where response_ms > 1.0 or isnull(response_ms)'],
    ['undeclared fields', 'logs | where attributes.nested.n > 100 | project attributes.nested'],
    ['undeclared figures of many digits', 'logs | where bytes_out == 5 | project attributes'],
    ['a moment', 'logs | where timestamp == datetime(2026-10-31T20:00:00.123456Z)'],
    ['not that moment', 'logs | where timestamp != datetime(2026-10-31T20:00:00.123456Z) and bytes_out < 9'],
    ['moments between', 'logs | where timestamp between (datetime(2026-11-01) .. 6h)'],
    ['before a moment', 'web_activity | where eventdate < datetime(1970-01-01)'],
    ['since a while', 'logs | where timestamp > ago(20d)'],
    ['a literal', 'logs | where true and bytes_out < 3'],
    ['nothing', 'logs | where bytes_out < 3 and false'],
    ['a column that is compared with another', 'logs | where bytes_in == bytes_out and severity == "high"'],
    [
      'computed columns',
      'logs | where severity == "high" | extend l = strlen(user_name) | where l > 3 | project l, host',
    ],
    ['the first rows', 'logs | sort by bytes_out desc | take 7'],
    ['the first rows by time', 'logs | sort by timestamp asc, bytes_out asc | take 50 | project timestamp, bytes_out'],
    [
      'the first rows with nulls',
      'logs | where bytes_in between (-5 .. 9007199254740993) or isnull(bytes_in) | sort by bytes_in asc nulls first, bytes_out asc | take 40',
    ],
    ['the last rows with nulls', 'logs | sort by source_port desc nulls last, bytes_out asc | take 100'],
    ['the first texts', 'logs | sort by user_name asc, bytes_out asc | take 30'],
    ['top', 'logs | top 5 by bytes_out asc'],
    ['the first rows of a superset', 'logs | where user_name contains "l" | top 5 by bytes_out desc'],
    ['any rows', 'logs | take 5 | count'],
    ['a count', 'logs | count'],
    ['a count of what is filtered', 'logs | where severity == "high" and message has "word" | count'],
    [
      'figures over everything',
      'logs | summarize count(), sum(bytes_out), min(bytes_out), max(source_port), min(timestamp), max(timestamp)',
    ],
    [
      'figures over nothing',
      'logs | where host == "no" | summarize count(), sum(bytes_out), min(bytes_out), max(timestamp)',
    ],
    ['groups of nothing', 'logs | where host == "no" | summarize count() by severity'],
    ['groups', 'logs | summarize count(), sum(bytes_out) by severity, event_type'],
    [
      'groups of null and empty texts',
      'logs | summarize n = count(), s = sum(bytes_out), m = min(source_port) by event_type, source_port',
    ],
    ['groups by an address', 'logs | summarize count() by source_ip'],
    ['groups by huge figures', 'logs | summarize count() by bytes_in'],
    ['groups by time', 'logs | summarize count() by bin(timestamp, 1h)'],
    ['groups by time and text', 'logs | summarize count(), max(timestamp) by bin(timestamp, 1d), severity'],
    ['groups by times before 1970', 'web_activity | summarize count() by bin(eventdate, 5m)'],
    ['groups by weeks', 'logs | summarize count() by bin(timestamp, 7d)'],
    [
      'figures of a part',
      'logs | summarize a = countif(severity == "high"), b = sumif(bytes_out, source_port > 22), c = maxif(bytes_out, host == "no") by event_type',
    ],
    ['figures of an inexact part', 'logs | summarize a = countif(user_name contains "a") by event_type'],
    ['other figures', 'logs | summarize avg(bytes_out), dcount(host), make_set(severity) by event_type'],
    ['the row of a greatest figure', 'logs | summarize arg_max(bytes_out, host, timestamp) by severity'],
    [
      'groups of groups',
      'logs | summarize n = count() by host, severity | summarize sum(n), count() by severity | sort by severity asc',
    ],
    ['different rows', 'logs | distinct severity, source_port'],
    [
      'a join of two scans',
      'logs | where bytes_out < 9 | join kind=inner (web_activity | where status == 404) on $left.user_name == $right.username | project host, url',
    ],
    [
      'a scan joined with itself',
      'logs | where bytes_out < 20 | join kind=leftouter (logs | summarize n = count() by host) on host | project bytes_out, n',
    ],
    [
      'two scans one after the other',
      'union withsource=T (logs | where bytes_out < 3 | project user = user_name), (web_activity | where status == 404 | project user = username)',
    ],
    [
      'a plan in an expression',
      'let most = toscalar(logs | summarize max(bytes_out)); logs | where bytes_out > most - 3 | project bytes_out, most',
    ],
    ['a list of another scan', 'logs | where user_name in ((web_activity | where status == 404 | project username))'],
    [
      'a shared part',
      'let m = materialize(logs | where severity == "high"); union (m | count), (m | where bytes_out < 50 | count)',
    ],
    ['rows of rows', 'logs | where bytes_out < 5 | mv-expand item = attributes.nested.list | project bytes_out, item'],
    [
      'neighbours',
      'logs | sort by bytes_out asc | extend before = prev(bytes_out), n = row_number() | where n between (10 .. 15)',
    ],
    [
      'a series',
      'logs | make-series count() on timestamp from datetime(2026-11-01) to datetime(2026-11-02) step 6h by severity',
    ],
    ['no scan at all', 'print a = 1, b = "x"'],
    ['everything but the first', 'logs | sort by bytes_out asc | extend r = row_number() | where r > 117'],
  ])('%s comes from OpenSearch', async (_title, text) => {
    await expectSame(await planOf('KQL', text), 'OPENSEARCH');
  });

  it.each([
    ['IS NULL', 'SELECT bytes_out, user_name FROM logs WHERE user_name IS NULL'],
    ['an empty text', `SELECT bytes_out FROM logs WHERE user_name = ''`],
    ['an empty text or another', `SELECT bytes_out FROM logs WHERE user_name IN ('', 'alice')`],
    ['not one of several', `SELECT bytes_out FROM logs WHERE user_name NOT IN ('alice', 'Bob')`],
    ['different', `SELECT bytes_out FROM logs WHERE user_name <> 'alice' AND source_port <> 22`],
    ['LIKE', `SELECT bytes_out FROM logs WHERE user_name LIKE 'a_b' OR message ILIKE '%WORD%'`],
    ['OR with nulls', `SELECT bytes_out FROM logs WHERE NOT (source_port = 22 OR severity = 'high')`],
    [
      'groups with nulls',
      'SELECT severity, event_type, count(*), count(source_port), sum(bytes_out), max(bytes_out) FROM logs GROUP BY 1, 2',
    ],
    ['an offset', 'SELECT bytes_out, host FROM logs ORDER BY bytes_out LIMIT 10 OFFSET 95'],
    ['an offset beyond the end', 'SELECT bytes_out FROM logs ORDER BY bytes_out OFFSET 500 LIMIT 10'],
    [
      'an order by nulls',
      'SELECT source_port, bytes_out FROM logs ORDER BY source_port NULLS FIRST, bytes_out LIMIT 50',
    ],
  ])('SQL’s %s comes from OpenSearch', async (_title, text) => {
    await expectSame(await planOf('SQL', text), 'OPENSEARCH');
  });

  it.each([
    ['groups by texts that are too long for an index', 'logs | summarize count() by user_name'],
    ['sums beyond 2^53', 'logs | where bytes_in > 0 and bytes_in < 9007199254740993 | summarize sum(bytes_in)'],
    ['the greatest of huge figures', 'logs | summarize max(bytes_in), min(bytes_in)'],
    [
      'an order of figures at the end of 64 bits, and nulls',
      'logs | sort by bytes_in asc nulls last, bytes_out asc | take 100',
    ],
    [
      'terms that are too many for a search',
      `logs | where ${Array.from({ length: 290 }, (_, n) => `(user_name == "w${n}" and host == "h" and severity == "s" and event_type == "e")`).join(' or ')} or host == "web-1"`,
    ],
  ])('%s come from PostgreSQL', async (_title, text) => {
    await expectSame(await planOf('KQL', text), 'POSTGRES');
  });

  it('a plan of thousands of steps is answered, or refused as in PostgreSQL', async () => {
    for (const steps of [900, 3_000]) {
      let plan = await planOf('KQL', 'logs | where bytes_out < 5 | project bytes_out');
      for (let step = 0; step < steps; step++) plan = distinct(plan);
      const wanted = unordered(await onPostgres(engines, plan, one));
      expect(unordered(await outcomeOf(ask(engines.openSearch, plan, one)))).toEqual(wanted);
    }
  });

  it('a sum that overflows is the same error', async () => {
    const plan = await planOf('KQL', 'logs | where bytes_in > 9007199254740993 | summarize sum(bytes_in), n = count()');
    const wanted = await onPostgres(engines, plan, one);
    expect(wanted).toEqual({ error: 'QUERY_FAILED' });
    expect(await outcomeOf(ask(engines.openSearch, plan, one))).toEqual(wanted);
  });

  it('a dataset of which the organisation has nothing is empty', async () => {
    for (const text of ['website_logs', 'website_logs | count', 'website_logs | summarize count() by url']) {
      await expectSame(await planOf('KQL', text), 'OPENSEARCH');
    }
  });

  it('another organisation’s rows are never seen', async () => {
    const [, two] = engines.scene.orgs;
    const plan = eventsOf('logs');
    const ids = new Set(await engines.scene.eventIds(two, 'logs'));
    expect(ids.size).toBe(40);
    const given = (await outcomeOf(ask(engines.alone, await planOf('KQL', 'logs | count'), two))) as { rows: unknown };
    expect(given.rows).toEqual([[40]]);
    const rows = (await outcomeOf(ask(engines.alone, plan, one))) as { rows: string[][] };
    expect(rows.rows.filter(([id]) => ids.has(id!))).toEqual([]);
  });
});
