/** A real capture of Windows events, asked in each language for what is known to be in it. */
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonValue, QueryLanguage } from '../../query/index.js';
import { findOpenSearch } from '../setup/opensearch.js';
import { ask, type Bench, openBench, orgWith } from './harness/engines.js';

const openSearch = await findOpenSearch();

const capture = '../shared/data/windows_rubeus_capture.ndjson.gz';

/** Of 1,179 events 7 are logons. */
const questions: [QueryLanguage, string, JsonValue[][]][] = [
  ['KQL', 'SecurityEvent | count', [[1_179]]],
  [
    'KQL',
    'SecurityEvent | where EventID == 4624 | summarize count() by Account',
    [
      ['MORDORDC$', 6],
      ['WEC$', 1],
    ],
  ],
  [
    'KQL',
    'SecurityEvent | where Account endswith "mordordc$" and EventID in (4624, 1) | summarize n = count() by EventID',
    [[4624, 6]],
  ],
  ['SQL', 'SELECT "EventID", count(*) AS n FROM security_events WHERE "EventID" = 4624 GROUP BY 1', [[4624, 7]]],
  ['LINQ', 'from SecurityEvent where EventID = 4624 group by EventID select count() as n', [[4624, 7]]],
];

describe.skipIf(!existsSync(capture))('a real Windows capture (skipped where it is not at hand)', () => {
  let bench: Bench;
  let org: Awaited<ReturnType<typeof orgWith>>;

  beforeAll(async () => {
    bench = await openBench(openSearch);
    const lines = gunzipSync(readFileSync(capture)).toString('utf8').trim().split('\n');
    org = await orgWith(bench, new Map([['security_events', lines.map((line): JsonValue => JSON.parse(line))]]));
  });
  afterAll(() => bench?.close());

  it.each(questions)('%s: %s', async (language, query, wanted) => {
    for (const [name, engines] of bench.engines) {
      const given = await ask(engines, language, { query, settings: {} }, org);
      const rows = given.kind === 'ROWS' ? given.rows.map((row) => row.map(withoutDomain)).sort() : given;
      expect(rows, name).toEqual(wanted);
    }
  });
});

const withoutDomain = (cell: JsonValue): JsonValue => (typeof cell === 'string' ? cell.replace(/^.*\\/, '') : cell);
