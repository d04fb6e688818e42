/** LINQ over the rows of tests/setup/query-rows.ts, with its answers, and LINQ that is refused. */
import type { ErrorCode } from '../../../platform/errors.js';
import type { JsonValue } from '../../result.js';

interface Case {
  linq: string;
  /** Names of the columns; left out where all of a dataset come. */
  columns?: string[];
  rows: JsonValue[][];
}

const activity = 'from siem.logtrust.web.activity';
const at = (time: string) => `2024-01-01T${time}Z`;

export const answered: Case[] = [
  // Where and select: a pipeline; select adds to what is shown
  { linq: `${activity} where status = 500 select username`, columns: ['username'], rows: [['bob']] },
  { linq: 'from web_activity where status = 500 select username', rows: [['bob']] },
  { linq: `${activity}All where status = 500 select username`, rows: [['bob']] },
  { linq: 'from `siem.logtrust.web.activity` where status = 500 select username', rows: [['bob']] },
  {
    linq: `${activity} where username = "alice", action != "query" select eventdate select action, status`,
    columns: ['eventdate', 'action', 'status'],
    rows: [[at('00:03:00'), 'mutation', 200]],
  },
  {
    linq: `${activity} select response_ms * 2 as twice where twice > 4 select twice, action as what`,
    columns: ['twice', 'what'],
    rows: [
      [5, 'mutation'],
      [80, 'ingest'],
    ],
  },
  {
    linq: `${activity} where status = 500 select status + 1, username`,
    columns: ['status + 1', 'username'],
    rows: [[501, 'bob']],
  },
  {
    linq: `${activity} where status = 500 select status as \`the status\` select username as 'who'`,
    columns: ['the status', 'who'],
    rows: [[500, 'bob']],
  },
  {
    linq: `${activity} select username as who where who = "bob" select * // all of them`,
    columns: [
      'who',
      'eventdate',
      'domain',
      'username',
      'action',
      'operation',
      'url',
      'status',
      'response_ms',
      'ip',
      'user_agent',
      'attributes',
    ],
    rows: [['bob', at('00:06:00'), 'acme', 'bob', 'query', null, '/graphql', 500, null, null, null, {}]],
  },
  { linq: `${activity} where action = "ingest" select eventdate limit 10`, rows: [[at('02:00:00')]] },
  { linq: `${activity} select eventdate limit 2`, rows: [[at('00:00:10')], [at('00:03:00')]] },
  // The time column of every dataset is its eventdate
  {
    linq: 'from logs where eventdate >= "2024-02-01" select eventdate, timestamp',
    columns: ['eventdate', 'timestamp'],
    rows: [['2024-02-10T08:30:00Z', '2024-02-10T08:30:00Z']],
  },
  { linq: 'from logs where "2024-01-01 23:00" <= eventdate < "2024-01-02" select host', rows: [['web-2']] },
  { linq: 'from logs where eventdate > timestamp("2024-02-01"), eventdate < now() select host', rows: [['db']] },
  { linq: 'from logs where now() - 1h <= eventdate < today() + 1d select host', rows: [] },
  { linq: 'from securewatch-logs-* where host = "db" select bytes_in', rows: [['9007199254740993']] },

  // Nulls: a comparison with null is neither true nor false, and so is its opposite
  { linq: 'from logs where user_name != "alice" select user_name', rows: [['Bob'], [''], ['carol']] },
  { linq: 'from logs where not user_name = "alice" select user_name', rows: [['Bob'], [''], ['carol']] },
  { linq: 'from logs where not weakhas(user_name, "LIC") select user_name', rows: [['Bob'], [''], ['carol']] },
  { linq: 'from logs where not (user_name in {"alice"}) select user_name', rows: [['Bob'], [''], ['carol']] },
  {
    linq: 'from logs where not (user_name = "alice" and bytes_in = 100) select host',
    rows: [['WEB-1'], ['web-2'], [null], ['db']],
  },
  { linq: 'from logs where isnull(user_name) select host', rows: [['web-2']] },
  {
    linq: 'from logs where isnotnull(user_name), not isempty(user_name), host = "db" select user_name',
    rows: [['carol']],
  },
  { linq: 'from logs where isempty(user_name) select host, eventdate', rows: [['web-2', at('23:59:59.999999')]] },
  {
    linq: 'from logs where isnull(host) select nvl(host, "-") as h, user_name ?: "x" as u',
    columns: ['h', 'u'],
    rows: [['-', 'alice']],
  },
  { linq: 'from logs where host = null select host', rows: [] },

  // Texts
  { linq: 'from logs where message -> "login" select user_name', rows: [['Bob']] },
  { linq: 'from logs where message ->> "login" select user_name', rows: [['alice'], ['Bob']] },
  { linq: 'from logs where has(message, "Login", "EXECVE") select user_name', rows: [['alice'], ['carol']] },
  { linq: 'from logs where weakhas(message, "execve") select user_name', rows: [['carol']] },
  { linq: 'from logs where toktains(message, "EXEC") select user_name', rows: [] },
  { linq: 'from logs where toktains(message, "EXECVE") select user_name', rows: [['carol']] },
  { linq: 'from logs where toktains(message, "EXEC", false, true) select user_name', rows: [['carol']] },
  { linq: 'from logs where toktains(message, "XECV", true, true) select user_name', rows: [['carol']] },
  { linq: 'from logs where weaktoktains(message, "execve") select user_name', rows: [['carol']] },
  {
    linq: 'from logs where startswith(message, "Login") or endswith(message, "ab") select user_name',
    rows: [['alice'], ['carol']],
  },
  { linq: 'from logs where eqic(host, "web-1") select host', rows: [['web-1'], ['WEB-1']] },
  { linq: 'from logs where message ~ re("^[Ll]ogin.*Bob$") select user_name', rows: [['Bob']] },
  { linq: `from logs where matches(message, re('\\d+%')) select user_name`, rows: [['alice']] },
  { linq: 'from logs where message ~ re("\\\\d+%") select user_name', rows: [['alice']] },
  { linq: 'from logs where "EXEC" <- message select user_name', rows: [['carol']] },
  { linq: 'from logs where `in`("Bob", "carol", user_name) select user_name', rows: [['Bob'], ['carol']] },
  { linq: 'from logs where user_name in ("Bob", "carol") select user_name', rows: [['Bob'], ['carol']] },
  { linq: 'from logs where source_port in {22, 65535} select source_port', rows: [[22], [22], [65535]] },
  { linq: 'from logs where `or`(eq(host, "db"), lt(bytes_in, 0)) select bytes_in', rows: [[-3], ['9007199254740993']] },
  {
    linq: `from logs where host = "db" select upper(host) as a, length(message) as b, substring(message, 5, 6) as c, locate(message, "E") as d,
      replaceall(message, "E", "_") as e, split(message, "=", 1) as f, split(message, "=", 9) as g, host + "/" + user_name as h, lower(trim("  X ")) as i`,
    rows: [['DB', 14, 'EXECVE', 5, 'type=_X_CV_ ab', 'EXECVE ab', null, 'db/carol', 'x']],
  },

  // Numbers and casts
  {
    linq: 'from logs where host = "db" select 7 / 2 as a, 7 \\ 2 as b, -7 % 4 as c, -7 %% 4 as d, 1 / 0 as e, 2 * 3 - -4 as f, pow(2, 10) as g',
    rows: [[3, 3.5, -3, 1, null, 10, 1024]],
  },
  {
    linq: 'from logs where host = "db" select int("12") as a, int(2.9) as b, float(3) as c, str(12) as d, str(null) as e, bool("true") as f, ip(source_ip) as g',
    rows: [[12, 2, 3, '12', null, true, '2001:db8::1']],
  },
  {
    linq: 'from logs where host = "db" select ifthenelse(bytes_in > 5, "big", "small") as a, decode(source_port, 22, "ssh", 65535, "last", "other") as b, min(3, 2.5) as c, max(1, 2) as d',
    rows: [['big', 'last', 2.5, 2]],
  },

  // Times
  {
    linq: 'from logs where host = "db" select period(eventdate, 1h) as a, epoch(eventdate) as b, hour(eventdate) as c, year(eventdate) as d, month(eventdate) as e, monthnumber(eventdate) as f, daynumber(eventdate) as g, timestamp(1704067200000) as h, 90m as i',
    rows: [['2024-02-10T08:00:00Z', 1707553800000, 8, 2024, 1, 2, 10, '2024-01-01T00:00:00Z', 'PT1H30M']],
  },

  // Addresses
  {
    linq: 'from logs where isprivate(source_ip) select source_ip',
    rows: [['10.0.0.1'], ['10.0.0.2'], ['192.168.1.9']],
  },
  { linq: 'from logs where ispublic(source_ip) select source_ip', rows: [['8.8.8.8']] },
  { linq: 'from logs where source_ip = 10.0.0.1 select source_ip', rows: [['10.0.0.1']] },
  { linq: 'from logs where source_ip <- 10.0.0.0/8 select source_ip', rows: [['10.0.0.1'], ['10.0.0.2']] },
  { linq: 'from logs where source_ip in {10.0.0.1, 8.8.8.8} select source_ip', rows: [['10.0.0.1'], ['8.8.8.8']] },

  // JSON
  { linq: 'from logs where attributes.user = "alice" select host', rows: [['web-1'], ['db']] },
  { linq: 'from logs where attributes["n"] > 1 select host', rows: [['WEB-1'], ['db']] },
  { linq: 'from logs where attributes.user.x = 1 select str(attributes["tags"][0]) as t', rows: [[null]] },
  { linq: 'from logs where attributes.tags[1] = "b" select attributes.tags as t', rows: [[['a', 'b']]] },
  { linq: 'from logs where isnotnull(attributes.user) group select count() as n', rows: [[4]] },

  // Groups
  {
    linq: 'from logs group by severity select count() as n',
    columns: ['severity', 'n'],
    rows: [
      ['high', 2],
      ['low', 2],
      ['critical', 1],
      [null, 1],
    ],
  },
  { linq: 'from logs group by severity', columns: ['severity'], rows: [['high'], ['low'], ['critical'], [null]] },
  {
    linq: 'from logs group select count() as n, count(host) as h, sum(bytes_out) as s, avg(source_port) as a, min(bytes_in) as lo, max(host) as hi',
    rows: [[6, 5, 9000000013, 13293, -3, 'web-2']],
  },
  {
    linq: 'from logs where host = "none" group select count() as n, sum(bytes_in) as s, avg(bytes_in) as a',
    rows: [[0, null, null]],
  },
  { linq: 'from logs where host = "none" group by host select count() as n', rows: [] },
  {
    linq: `${activity} group every 5m by domain, username every 5m`,
    columns: ['eventdate', 'domain', 'username'],
    rows: [
      [at('00:00:00'), 'acme', 'alice'],
      [at('00:05:00'), 'acme', 'bob'],
      [at('02:00:00'), 'acme', null],
    ],
  },
  {
    linq: 'from website_logs where status_code = 404 group every 10m by http_method, ip_address every 10m select count() as myCount',
    columns: ['eventdate', 'http_method', 'ip_address', 'myCount'],
    rows: [
      [at('00:00:00'), 'GET', '10.0.0.1', 1],
      [at('00:00:00'), 'POST', '8.8.8.8', 1],
    ],
  },
  {
    linq: `${activity} group every 5m every 1h select count() as n`,
    columns: ['eventdate', 'n'],
    rows: [
      [at('00:00:00'), 3],
      [at('02:00:00'), 1],
    ],
  },
  {
    linq: `${activity} group every - by action every - select count() as n`,
    columns: ['action', 'n'],
    rows: [
      ['query', 2],
      ['mutation', 1],
      ['ingest', 1],
    ],
  },
  { linq: `${activity} group every 7d select count() as n`, rows: [['2023-12-28T00:00:00Z', 4]] },
  { linq: `${activity} group every 5h select count() as n`, rows: [['2023-12-31T22:00:00Z', 4]] },
  // A select before the group makes columns, one after it aggregates; a where after it cuts groups
  {
    linq: `${activity} select lower(action) as a where a != "ingest" group by a select count() as n where n > 1`,
    columns: ['a', 'n'],
    rows: [['query', 2]],
  },
  {
    linq: `${activity} group by action select count() as count where count > 1`,
    columns: ['action', 'count'],
    rows: [['query', 2]],
  },
  {
    linq: `${activity} group by action where count() > 1 select max(status) as top, count() * 10 as n, upper(action) as A`,
    columns: ['action', 'top', 'n', 'A'],
    rows: [['query', 500, 20, 'QUERY']],
  },
  {
    linq: `${activity} group by str(status) as s, action where action = "query" select count() as n where s = "200"`,
    columns: ['s', 'action', 'n'],
    rows: [['200', 'query', 1]],
  },
  { linq: `${activity} group by str(status)`, columns: ['str(status)'], rows: [['200'], ['500']] },
  { linq: 'from logs group by host group select count() as hosts', columns: ['hosts'], rows: [[5]] },
  {
    linq: `${activity} group every 1h by action select count() as n group every 1d select sum(n) as total, max(n) as most`,
    columns: ['eventdate', 'total', 'most'],
    rows: [[at('00:00:00'), 4, 2]],
  },
  { linq: `${activity} limit 2 group select count() as n`, rows: [[2]] },
  {
    linq: `${activity} group by username select first(action) as f, last(action) as l, nnlast(response_ms) as ms where username = "alice"`,
    columns: ['username', 'f', 'l', 'ms'],
    rows: [['alice', 'query', 'mutation', 2.5]],
  },
  {
    linq: 'from logs group select nnfirst(user_name) as a, last(user_name) as b, first(message) as c',
    rows: [['alice', 'carol', 'Login failed for alice']],
  },
  {
    linq: 'from logs group select countdistinct(severity) as a, hllpp(source_port) as b, sizedistinct(host) as c, collectdistinct(severity) as d',
    rows: [[3, 3, 4, ['critical', 'high', 'low']]],
  },
  {
    linq: `${activity} group select percentile(response_ms, 50) as p, median(response_ms) as m, percentile75(response_ms) as q, stddev(status) as s, sum(response_ms) as t`,
    rows: [[2.5, 2.5, 21.25, 129.9038105676658, 44]],
  },

  // Pragmas, as Devo's client adds them
  {
    linq: `${activity} where status = 500 select username pragma comment.id:"1" pragma comment.user:"x@y.z" pragma data.migration.all`,
    rows: [['bob']],
  },
];

export const refused: [code: ErrorCode, linq: string, message: string, line: number, column: number][] = [
  ['QUERY_SYNTAX', '', 'The query is empty', 1, 1],
  ['QUERY_SYNTAX', 'select * from logs', 'A query begins with "from', 1, 1],
  ['QUERY_SYNTAX', 'from', 'the name of a dataset', 1, 5],
  ['QUERY_UNKNOWN_TABLE', 'from siem.logtrust.web.activty', 'Did you mean "siem.logtrust.web.activity"?', 1, 6],
  ['QUERY_UNKNOWN_TABLE', 'from app.users', 'There is no dataset "app.users"', 1, 6],
  [
    'QUERY_UNKNOWN_COLUMN',
    'from web_activity\nwhere statsu = 1',
    'There is no column "statsu". Did you mean "status"?',
    2,
    7,
  ],
  ['QUERY_UNKNOWN_COLUMN', 'from logs select "größe" as g, EVENTDATE', 'Did you mean "eventdate"?', 1, 32],
  ['QUERY_UNKNOWN_COLUMN', 'from logs group by host select bytes_in', 'After "group" there are its keys', 1, 32],
  ['QUERY_SYNTAX', 'from logs wher host = "a"', 'not "wher". Did you mean "where"?', 1, 11],
  ['QUERY_SYNTAX', 'from logs where', 'Here stands an expression, not the query’s end.', 1, 16],
  ['QUERY_SYNTAX', 'from logs where host = ', 'Here stands an expression', 1, 24],
  ['QUERY_SYNTAX', 'from logs where (host = "a"', 'Here stands ")"', 1, 28],
  ['QUERY_SYNTAX', 'from logs where host = "a', 'has no closing "', 1, 24],
  ['QUERY_SYNTAX', 'from logs where host = "\\."', 'is no escape', 1, 25],
  ['QUERY_SYNTAX', 'from logs where host = "\\u0000"', 'a character that is not text', 1, 24],
  ['QUERY_SYNTAX', 'from logs where host = "a" # x', 'The character "#" has no meaning', 1, 28],
  ['QUERY_SYNTAX', 'from logs select host,', 'Here stands an expression', 1, 23],
  ['QUERY_SYNTAX', 'from logs where host', 'A condition is true or false; this is a text.', 1, 17],
  ['QUERY_SYNTAX', 'from logs where host = 5', 'string', 1, 17],
  ['QUERY_SYNTAX', 'from logs where host in {"a", 5}', 'The value before "in" is a text; this is an integer.', 1, 31],
  ['QUERY_SYNTAX', 'from logs where host in {}', 'The set is empty', 1, 25],
  ['QUERY_SYNTAX', 'from logs where eventdate > "last week"', 'The text is no moment', 1, 29],
  ['QUERY_SYNTAX', 'from logs where message ~ re("(")', 'a ( without its )', 1, 30],
  ['QUERY_SYNTAX', 'from logs where message ~ host', 're("...")', 1, 27],
  ['QUERY_SYNTAX', 'from logs where "a" < host -> "b"', 'cannot be chained', 1, 31],
  ['QUERY_SYNTAX', 'from logs select host as bytes_in', 'The name "bytes_in" stands for something already', 1, 18],
  ['QUERY_SYNTAX', 'from logs group every 1d by eventdate', 'The name "eventdate" stands for something already', 1, 29],
  ['QUERY_SYNTAX', 'from logs group every 5x by host', '"5x" is neither a number nor a period', 1, 23],
  ['QUERY_SYNTAX', 'from logs group every by host', 'Here stands a period', 1, 23],
  ['QUERY_SYNTAX', 'from logs every 5m', '"every" follows a "group"', 1, 11],
  ['QUERY_SYNTAX', 'from logs group by host group every 1h', 'no column "eventdate" is left', 1, 37],
  ['QUERY_SYNTAX', 'from logs select count() as n', 'The aggregate count() follows a "group".', 1, 18],
  ['QUERY_SYNTAX', 'from logs group select sum(count()) as n', 'cannot stand inside another one', 1, 28],
  ['QUERY_SYNTAX', 'from logs group select sum() as n', 'takes 1 arguments, not 0', 1, 24],
  ['QUERY_SYNTAX', 'from logs group select sum(host) as n', 'sum', 1, 24],
  [
    'QUERY_SYNTAX',
    'from logs group by host select count() as n group by n select last(host) as l',
    'needs the time',
    1,
    63,
  ],
  ['QUERY_SYNTAX', 'from logs group select percentile(bytes_in, source_port) as n', 'percentile', 1, 45],
  ['QUERY_SYNTAX', 'from logs limit -1', 'Here stands a whole number', 1, 17],
  ['QUERY_SYNTAX', 'from logs select length(host, host) as n', 'takes 1 arguments, not 2', 1, 18],
  ['QUERY_NOT_SUPPORTED', 'from logs group every 10m every 15m', 'whole multiple of the server period', 1, 33],
  ['QUERY_NOT_SUPPORTED', 'from logs where host in (from logs select host)', 'A query inside a query', 1, 26],
  [
    'QUERY_NOT_SUPPORTED',
    'from logs select mm2country(source_ip) as c',
    'mm2country() cannot be answered: it needs a database of places',
    1,
    18,
  ],
  ['QUERY_NOT_SUPPORTED', 'from logs select mm2city(source_ip) as c', 'mm2city() cannot be answered', 1, 18],
  ['QUERY_NOT_SUPPORTED', 'from logs select lu("t", "f", host) as c', 'there are no lookup tables', 1, 18],
  [
    'QUERY_FUNCTION_NOT_ALLOWED',
    'from logs select lenght(host) as c',
    'There is no function lenght(). Did you mean "length"?',
    1,
    18,
  ],
  ['QUERY_FUNCTION_NOT_ALLOWED', 'from logs select pg_sleep(1) as c', 'There is no function pg_sleep()', 1, 18],
  ['QUERY_SYNTAX', 'from logs; drop table logs', 'The character ";"', 1, 10],
];
