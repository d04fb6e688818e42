/** Ways to try to read another organisation's rows by KQL, LINQ and OpenSearch's DSL, each named for its trick. */
import type { QueryLanguage } from '../../query/index.js';
import type { Victim } from './break-outs.js';

export interface QueryBreakOut {
  trick: string;
  language: QueryLanguage;
  query: string;
  /** For a search: the dataset that it names. */
  dataset?: string;
}

/** What an attacker may know of an event of the other organisation. */
export interface VictimEvent {
  id: string;
  host: string;
}

/** All of them. @param partition one of the tables that events are kept in */
export function queryBreakOuts(victim: Victim, event: VictimEvent, partition: string): QueryBreakOut[] {
  return [
    ...tricksOf('KQL', kqlTricks(victim, event, partition)),
    ...tricksOf('LINQ', linqTricks(victim, event, partition)),
    ...tricksOf('OPENSEARCH', searchTricks(victim, event, partition)),
    ...datasetTricks(victim, partition),
  ];
}

type Tricks = Record<string, string | object>;

const tricksOf = (language: QueryLanguage, tricks: Tricks): QueryBreakOut[] =>
  Object.entries(tricks).map(([trick, query]) => ({
    trick: `${language}: ${trick}`,
    language,
    query: typeof query === 'string' ? query : JSON.stringify(query),
  }));

function kqlTricks({ orgId, mark, jobId, batchNo }: Victim, { id, host }: VictimEvent, partition: string): Tricks {
  return {
    'the table behind the dataset': 'app.logs | take 5',
    'the table in brackets': `['app.logs'] | take 5`,
    'the table in brackets, with quotes': `['app"."logs'] | take 5`,
    'the view of one batch': `['qb"."logs'] | take 5`,
    'the users': 'users | project email',
    'the organisations': `orgs | where slug startswith '${mark}'`,
    'the jobs': `jobs | where id == '${jobId}'`,
    'a partition': `['${partition}'] | take 5`,
    'a catalog': 'pg_stats | project most_common_vals',
    'a catalog in brackets': `['pg_catalog.pg_stat_activity'] | take 5`,
    'another database': `database('app').logs | take 5`,
    'another cluster': `cluster('localhost').database('app').logs | take 5`,
    'a table by its name': `table('app.logs') | take 5`,
    'a table by its name, worked out': `table(strcat('app', '.logs')) | take 5`,
    'every table': 'union * | take 50',
    'every table that looks like this': 'union app* | take 5',
    'every table, by search': `search '${mark}'`,
    'a search in other tables': `search in (users, orgs) '${mark}'`,
    find: `find where message has '${mark}'`,
    'find in other tables': `find in (app.logs) where message has '${mark}'`,
    'the organisation column': `logs | where org_id == '${orgId}'`,
    'the batch column': `logs | where batch_no == ${batchNo}`,
    'the organisation as an attribute': `logs | where attributes.org_id == '${orgId}'`,
    'the place of a row': 'logs | project ctid, tableoid, xmin',
    'the id of another’s event': `logs | where _id == '${id}'`,
    'the id of another’s event, in capitals': `logs | where _id =~ '${id.toUpperCase()}'`,
    'the id of another’s event among others': `logs | where _id in ('${id}', '') | project host`,
    'all ids': 'logs | project _id',
    'the host of another’s event': `logs | where host == '${host}'`,
    'the other’s texts': `logs | where message contains '${mark}'`,
    'the other’s texts, as terms': `logs | where * has '${mark}'`,
    'the other’s texts in attributes': `logs | where tostring(attributes) contains '${mark}'`,
    'the whole row': 'logs | project pack_all()',
    'the whole row with what is hidden': 'logs | extend x = pack_all(true) | take 5',
    'a count': 'logs | count',
    'counts of every dataset':
      'union withsource=T logs, website_logs, security_events, web_activity | summarize count() by T',
    'the audit log': 'audit_log | take 5',
    'the change feed': 'change_feed | take 5',
    'a text that ends a constant': `logs | where host == "x' OR org_id IS NOT NULL --"`,
    'a text that ends an identifier': `logs | extend ['x" , org_id AS "y'] = 1 | take 5`,
    'a name that is a subquery': `logs | extend ['(SELECT string_agg(message, chr(44)) FROM app.logs)'] = 1 | take 1`,
    'a name with a dollar quote': `logs | extend ['$$; SELECT * FROM app.logs; $$'] = 1 | take 1`,
    'a name with a comment': `logs | extend ['*/ , e.org_id /*'] = 1 | take 1`,
    'a name with a new line': `print ['a\\n; SELECT * FROM app.logs'] = 1`,
    'a let with a name that is SQL': `let ['x AS (SELECT * FROM app.logs)'] = logs | take 1; ['x AS (SELECT * FROM app.logs)']`,
    'a let in the place of a dataset': 'let users = logs | project email = message; users | take 5',
    'an alias of a join': `logs | join kind=inner (logs | extend ['r"."org_id'] = 1) on host | take 1`,
    'a parameter that is none': 'logs | where host == "$1" | extend x = "$2::app.logs"',
    'a path that ends a constant': `logs | extend x = attributes["x' || (SELECT max(message) FROM app.logs) || '"] | take 5`,
    'a path with a quote': `logs | extend x = attributes['a"b'] | take 5`,
    'a path in a JSON path': `logs | extend x = extract_json("$.a') || (SELECT 1)", tostring(attributes)) | take 5`,
    'a JSON path with a filter': `logs | extend x = extract_json("$..undeclared", tostring(attributes)) | take 5`,
    'a key that is a JSON path': `logs | where bag_has_key(attributes, '$.** ? (@ starts with "${mark}")')`,
    'a JSON that is SQL': `print x = dynamic({"'); SELECT * FROM app.logs; --": "'"})`,
    'a regular expression': `logs | where host matches regex "'; SELECT * FROM app.logs; --"`,
    'a regular expression with an option': 'logs | where host matches regex "***=.*"',
    'a replacement': `logs | extend x = replace_regex(host, "(.)", @"\\1' || org_id || '") | take 5`,
    'a format': `logs | extend x = format_datetime(timestamp, "yyyy'||org_id||'") | take 5`,
    'a part of a moment': `logs | extend x = datetime_part("day from now()) , org_id --", timestamp) | take 5`,
    'a part of a moment that is a function': `logs | extend x = datetime_part(strcat("d", "ay"), timestamp) | take 5`,
    'a period': `logs | extend x = datetime_add("day', 1, now()), org_id --", 1, timestamp) | take 5`,
    'a delimiter': `logs | extend x = strcat_delim("' || org_id || '", host, host) | take 5`,
    'a function of PostgreSQL': `print current_setting('app.org_id')`,
    set_config: `print set_config('app.org_id', '${orgId}', true)`,
    'a function of ours': 'print fn.json_text(dynamic({}))',
    'a function of ours in brackets': `print ['fn.json_text'](dynamic({}))`,
    pg_read_file: `print pg_read_file('PG_VERSION')`,
    query_to_xml: `print query_to_xml('SELECT * FROM app.logs', true, true, '')`,
    'a cast': `print x = "1"::app.users`,
    current_principal: 'print current_principal()',
    current_database: 'print current_database()',
    current_cluster_endpoint: 'print current_cluster_endpoint()',
    externaldata: `externaldata(x: string) ['file:///etc/passwd']`,
    'externaldata of this installation': `externaldata(x: string) ['http://127.0.0.1/graphql'] with (format='txt')`,
    'evaluate sql_request': `evaluate sql_request('Server=localhost', 'SELECT * FROM app.logs')`,
    'evaluate postgresql_request': `evaluate postgresql_request('Host=localhost', 'SELECT * FROM app.logs')`,
    'evaluate http_request': `evaluate http_request('http://127.0.0.1/')`,
    invoke: 'logs | invoke stolen()',
    'a command': '.show tables',
    'a command that writes': '.set-or-append stolen <| logs',
    'a command behind a query': 'logs | take 1; .show tables',
    set: `set query_datascope = 'all'; logs | take 5`,
    'set of the organisation': `set app.org_id = '${orgId}'; logs | take 5`,
    'declare query_parameters': `declare query_parameters(org: string = '${orgId}'); logs | where host == org`,
    'alias database': `alias database d = cluster('x').database('app'); database('d').logs`,
    'restrict access': 'restrict access to (app.*); logs | take 5',
    'a stored function': 'stored_query_result("stolen")',
    'a materialized view': `materialized_view('logs') | take 5`,
    as: 'logs | as users | take 5',
    'a chart that is SQL': `logs | summarize count() by host | render piechart with (title="'; SELECT * FROM app.logs; --")`,
    'a chart with a property': `logs | count | render table with (ysplit=panels, xcolumn=org_id)`,
    'a hint': 'logs | join hint.remote=auto (logs) on host | take 5',
    'a division by zero for a foreign text': `logs | where iff(message startswith '${mark}', 1 / 0, 1) == 1`,
    'a failing cast': `logs | extend x = tolong(message), y = todatetime(host), z = toguid(message) | take 5`,
    'an overflow for a foreign figure': 'logs | summarize sum(bytes_in * 9223372036854775807)',
    'a toscalar over all': `let n = toscalar(union * | count); print n`,
    'a value of every row': 'logs | summarize make_list(message), make_set(host), max(bytes_in), take_any(*)',
    'a time zone': `logs | extend x = datetime_local_to_utc(timestamp, "'; SELECT 1") | take 5`,
    'a parse with SQL': `logs | parse message with "' || org_id || '" x | take 5`,
    'mv-expand of SQL': `print x = dynamic(["'); SELECT * FROM app.logs"]) | mv-expand y = x to typeof(string)`,
  };
}

function linqTricks({ orgId, mark, jobId, batchNo }: Victim, { id, host }: VictimEvent, partition: string): Tricks {
  return {
    'the table behind the dataset': 'from app.logs',
    'the table in quotes': 'from "app"."logs"',
    'the table in backquotes': 'from `app.logs`',
    'the view of one batch': 'from qb.logs',
    'the users': 'from users select email as e',
    'the jobs': `from jobs where id = "${jobId}"`,
    'a partition': `from ${partition}`,
    'a catalog': 'from pg_stats select most_common_vals as v',
    'a wild card': 'from app.*',
    'two tables': 'from logs, users',
    'the organisation column': `from logs where org_id = "${orgId}"`,
    'the batch column': `from logs where batch_no = ${batchNo}`,
    'the id of another’s event': `from logs where _id = "${id}"`,
    'the host of another’s event': `from logs where host = "${host}"`,
    'the other’s texts': `from logs where message -> "${mark}"`,
    'the other’s texts, as terms': `from logs where has(message, "${mark}")`,
    'a count': 'from logs group select count() as n',
    'a text that ends a constant': `from logs where host = "x' OR org_id IS NOT NULL --"`,
    'a text with an escape': `from logs where host = "x\\" OR 1 = 1 --"`,
    'a name that ends an identifier': 'from logs select 1 as "x\\" , org_id AS \\"y"',
    'a name in backquotes': 'from logs select 1 as `x" , org_id AS "y`',
    'a name that is SQL': 'from logs select 1 as x, (select max(message) from app.logs) as y',
    'an attribute that ends a constant': `from logs select attributes.x' as y`,
    'a function of PostgreSQL': `from logs select current_setting("app.org_id") as x`,
    set_config: `from logs select set_config("app.org_id", "${orgId}", true) as x`,
    'a function with a schema': 'from logs select pg_catalog.pg_read_file("PG_VERSION") as x',
    'a lookup table': `from logs select lu("users", "email", host) as x`,
    'a lookup of its own': `from logs where \`lu/users\`(host) = "x"`,
    'a regular expression': `from logs where matches(message, re("'; SELECT * FROM app.logs; --"))`,
    'a template': `from logs select subs(message, re("(.)"), template("\\\\1' || org_id || '")) as x`,
    'a format': `from logs select formatdate(timestamp, "YYYY' || org_id || '") as x`,
    'a time zone': `from logs select formatdate(timestamp, "YYYY", "'; SELECT 1") as x`,
    'a period of SQL': `from logs group every 1d' select count() as n`,
    'a pragma of the organisation': `pragma comment.org: ${orgId}\nfrom logs`,
    'a pragma of the search path': 'pragma search_path: app\nfrom logs group select count() as n',
    'a second statement': 'from logs group select count() as n; from users',
    'a comment': 'from logs -- \n from users',
    'a subquery': `from logs where host in (from users select email as e)`,
    'a division by zero for a foreign text': `from logs where ifthenelse(startswith(message, "${mark}"), 1 / 0, 1) = 1`,
    'a JSON path': `from logs select jqeval(jqcompile("..|.undeclared?"), attributes) as x`,
    HTTP: 'from logs select httpget("http://127.0.0.1/") as x',
  };
}

function searchTricks({ orgId, mark, batchNo }: Victim, { id, host }: VictimEvent, partition: string): Tricks {
  const aggs = (body: object): object => ({ size: 0, aggs: { a: body } });
  const script = `doc['org_id'].value == '${orgId}'`;
  const field = `x' || (SELECT max(message) FROM app.logs) || '`;
  return {
    'the id of another’s event': { query: { ids: { values: [id] } } },
    'the id of another’s event, as a term': { query: { term: { _id: id } } },
    'the id of another’s event, in capitals': { query: { ids: { values: [id.toUpperCase()] } } },
    'ids of other types': { query: { ids: { values: [[id], { id }, null] } } },
    'ids that end a constant': { query: { ids: { values: [`${id}' OR '1'='1`] } } },
    everything: { query: { match_all: {} }, size: 1_000, track_total_hits: true },
    'a global aggregation': aggs({ global: {}, aggs: { n: { value_count: { field: 'host' } } } }),
    'a global aggregation below a filter': aggs({
      filter: { term: { host } },
      aggs: { g: { global: {}, aggs: { hosts: { terms: { field: 'host' } } } } },
    }),
    'groups without a minimum': aggs({ terms: { field: 'host', min_doc_count: 0, size: 1_000 } }),
    'significant terms': aggs({ significant_terms: { field: 'host', background_filter: { term: { org_id: orgId } } } }),
    'hits of groups': aggs({ terms: { field: 'host' }, aggs: { h: { top_hits: { size: 100 } } } }),
    'a filter of the organisation': aggs({ filter: { term: { org_id: orgId } } }),
    'filters of the organisation': aggs({
      filters: { filters: { theirs: { term: { org_id: orgId } } }, other_bucket: true },
    }),
    'what is missing': aggs({ missing: { field: 'org_id' } }),
    'a composite after a key of theirs': aggs({
      composite: { sources: [{ host: { terms: { field: 'host' } } }], after: { host: mark } },
    }),
    'a script': { query: { script: { script } } },
    'a script field': { script_fields: { x: { script } } },
    'a scripted metric': aggs({ scripted_metric: { map_script: script, combine_script: '1', reduce_script: '1' } }),
    'a runtime field': { runtime_mappings: { x: { type: 'keyword', script } } },
    'a query string': { query: { query_string: { query: `org_id:${orgId} OR _exists_:host` } } },
    'a simple query string': { query: { simple_query_string: { query: `${mark}* | -x`, fields: ['*'] } } },
    'a query string of every field': { query: { multi_match: { query: mark, fields: ['*', 'org_id^5'] } } },
    'a lookup in another index': {
      query: { terms: { host: { index: 'securewatch-logs', id, path: 'host' } } },
    },
    'a lookup by shape': { query: { geo_shape: { x: { indexed_shape: { index: 'securewatch-logs', id } } } } },
    'more like theirs': { query: { more_like_this: { like: [{ _index: 'securewatch-logs', _id: id }] } } },
    percolation: { query: { percolate: { field: 'query', index: 'securewatch-logs', id } } },
    'a join of indexes': { query: { has_parent: { parent_type: 'org', query: { match_all: {} } } } },
    'a wrapped query': { query: { wrapper: { query: Buffer.from('{"match_all":{}}').toString('base64') } } },
    'a filter afterwards': { post_filter: { term: { org_id: orgId } } },
    'a rescore': { rescore: { query: { rescore_query: { term: { org_id: orgId } } } } },
    'a suggestion': { suggest: { s: { text: mark, term: { field: 'host' } } } },
    'a suggestion that completes': { suggest: { s: { prefix: mark, completion: { field: 'host' } } } },
    'boosted indexes': { indices_boost: [{ 'securewatch-logs-*': 5 }] },
    'a point in time': { pit: { id: 'x', keep_alive: '1m' } },
    'a scroll': { scroll: '1m', query: { match_all: {} } },
    'a slice': { slice: { id: 0, max: 2 } },
    'an explanation': { explain: true, profile: true },
    'fields that are stored': { stored_fields: ['*'], docvalue_fields: ['org_id'], fields: ['*'] },
    'the source with what is hidden': { _source: ['*', 'org_id', 'batch_no', '_time_us'] },
    'the organisation’s field': { query: { term: { org_id: orgId } } },
    'the organisation’s field in a bool': {
      query: { bool: { should: [{ term: { org_id: orgId } }, { match_all: {} }], minimum_should_match: 0 } },
    },
    'everything but one’s own': { query: { bool: { must_not: [{ match_all: {} }] } } },
    'a bool with everything twice': { query: { bool: { filter: [] }, match_all: {} } },
    'a query twice': `{"query": {"match_none": {}}, "query": {"term": {"host": "${host}"}}}`,
    'a query that closes the filter': `{"query": {"match_all": {}}}, "query": {"match_all": {}}}`,
    'the batch': { query: { term: { batch_no: batchNo } } },
    'the index': { query: { term: { _index: partition } } },
    'the other’s texts': { query: { match: { message: mark } } },
    'the other’s texts by prefix': { query: { prefix: { message: mark } } },
    'the other’s texts by wild card': { query: { wildcard: { message: `*${mark}*` } } },
    'the other’s texts by regular expression': { query: { regexp: { message: `${mark}.*` } } },
    'a regular expression that is SQL': { query: { regexp: { message: `'; SELECT * FROM app.logs; --` } } },
    'a field that is SQL': { query: { term: { [field]: 'x' } } },
    'an attribute that is SQL': { query: { term: { [`attributes.${field}`]: 'x' } } },
    'an attribute with a quote': { query: { exists: { field: `attributes.a"b'c` } } },
    'a source that is SQL': { _source: [field, `attributes.${field}`] },
    'a sort that is SQL': { sort: [{ [field]: 'asc' }] },
    'a sort that is a script': { sort: [{ _script: { type: 'number', script } }] },
    'a name of an aggregation that is SQL': { size: 0, aggs: { [field]: { terms: { field: 'host' } } } },
    'a key of a filter that is SQL': aggs({ filters: { filters: { [field]: { match_all: {} } } } }),
    'a time zone that is SQL': aggs({
      date_histogram: { field: 'timestamp', calendar_interval: 'day', time_zone: `UTC'); SELECT 1; --` },
    }),
    'a time zone that is a file': aggs({
      date_histogram: { field: 'timestamp', calendar_interval: 'day', time_zone: '../../../etc/passwd' },
    }),
    'an interval that is SQL': aggs({ date_histogram: { field: 'timestamp', calendar_interval: `day', now()); --` } }),
    'a format that is SQL': aggs({
      date_histogram: { field: 'timestamp', calendar_interval: 'day', format: `yyyy' || org_id || '` },
    }),
    'bounds of groups': aggs({
      date_histogram: {
        field: 'timestamp',
        fixed_interval: '1d',
        min_doc_count: 0,
        hard_bounds: { min: `'); SELECT 1`, max: 'now' },
      },
    }),
    'a path of buckets': aggs({
      terms: { field: 'host' },
      aggs: { x: { bucket_script: { buckets_path: { n: '_count' }, script: 'params.n' } } },
    }),
    'values that are SQL': { query: { range: { timestamp: { gte: `now' OR '1'='1` } } } },
    'a search after': { sort: [{ timestamp: 'asc' }, { _id: 'asc' }], search_after: ['1970-01-01T00:00:00Z', id] },
    'collapsed hits': { collapse: { field: 'host', inner_hits: { name: 'x', size: 100 } } },
  };
}

/** Datasets that are none, which only a search names apart. */
function datasetTricks({ orgId }: Victim, partition: string): QueryBreakOut[] {
  const named = [
    ...[
      'users',
      'app.logs',
      '"app"."logs"',
      'qb.logs',
      'pg_stats',
      'audit_log',
      partition,
      '*',
      '_all',
      'securewatch-logs',
    ],
    ...[
      'securewatch-logs-*',
      'logs,users',
      '.kibana',
      '../logs',
      'logs/_search',
      'logs?q=*',
      'logs\0',
      `logs'; SELECT 1 --`,
      orgId,
    ],
  ];
  return named.map((dataset) => ({
    trick: `OPENSEARCH: the dataset ${dataset}`,
    language: 'OPENSEARCH',
    query: '{"query": {"match_all": {}}}',
    dataset,
  }));
}
