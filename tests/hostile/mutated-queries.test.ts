/** Real queries with their words taken out, doubled, swapped and replaced: what is left of them runs, or is told. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { datasets } from '../../datasets/index.js';
import { type Engines, prepareQuery, type QueryLanguage, runQuery } from '../../query/index.js';
import { readCases } from '../query/harness/cases.js';
import { type Bench, openBench } from '../query/harness/engines.js';
import { ingest } from '../setup/events.js';
import { expectToldError, expectToldRows } from './queries/told.js';

const isDeep = process.env.HARBORWATCH_DEEP !== undefined;
const counts: Record<QueryLanguage, number> = isDeep
  ? { KQL: 10_000, SQL: 5_000, LINQ: 5_000, OPENSEARCH: 5_000 }
  : { KQL: 250, SQL: 150, LINQ: 150, OPENSEARCH: 150 };
const runsTimeoutMs = isDeep ? 3_600_000 : 240_000;

const events = [
  { timestamp: '2024-01-01T00:00:00Z', host: 'a', message: 'x y', bytes_in: 5, user_name: 'u', n: 1, tags: ['a', 'b'] },
  { timestamp: '2024-01-01T00:07:00Z', host: 'b', source_ip: '10.0.0.1', severity: 'high', bytes_in: 0, n: 'one' },
  { timestamp: '2024-02-29T12:00:00.000001Z', bytes_in: -7, bytes_out: '9223372036854775807', user: { name: 'ä😀' } },
];

/** Words of a query: strings, names, figures, signs. What is between them is kept with the word before. */
const words = (text: string): string[] =>
  text.match(/("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[\p{L}_$][\p{L}\p{N}_$-]*|\d[\w.:]*|[|=!<>~&+-]+|[^\s])\s*/gu) ??
  [];

const blocks: Record<QueryLanguage, string> = { KQL: 'kql', SQL: 'sql', LINQ: 'linq', OPENSEARCH: 'json' };

function textsOf(language: QueryLanguage): string[][] {
  const pattern = new RegExp(`\`\`\`${blocks[language]}\\n([\\s\\S]*?)\`\`\``, 'g');
  const shown = [...readFileSync('docs/queries.md', 'utf8').matchAll(pattern)].map(([, text]) => text!);
  const asked = readCases(language.toLowerCase()).map(({ query }) => query);
  return [...shown, ...asked].map(words).filter(({ length }) => length > 1 && length < 300);
}

/** Words that change what is around them. */
const strange = [
  ...['null ', '""', "''", '0 ', '-1 ', '1.5 ', '9223372036854775807 ', '1e308 ', '( ', ') ', '[ ', '] ', '{ ', '} '],
  ...[
    '| ',
    '; ',
    ', ',
    '* ',
    '. ',
    '= ',
    '- ',
    'not ',
    'and ',
    'or ',
    'in ',
    'by ',
    'as ',
    'true ',
    'host ',
    'bytes_in ',
  ],
  ...[
    'attributes ',
    'timestamp ',
    'datetime(9999-12-31) ',
    '1d ',
    'dynamic(null) ',
    'real(nan) ',
    'int(null) ',
    '"\\ud83d" ',
    '😀 ',
  ],
  ...['count() ', 'now() ', 'distinct ', 'let x = ', '"[" ', '"a%_\\\\" ', '$left ', '10000000000 '],
];

let bench: Bench;
let engines: Engines;
let orgId: string;
beforeAll(async () => {
  bench = await openBench();
  engines = bench.engines.get('PostgreSQL')!;
  orgId = bench.test.orgs[0].orgId;
  const { rejected } = await ingest(bench.test.platform, bench.test.orgs[0], 'logs', events);
  expect(rejected).toEqual([]);
});
afterAll(() => bench?.close());

async function attempt(language: QueryLanguage, text: string): Promise<void> {
  const query = await prepareQuery({ language, text, datasets }).catch((error) => {
    expectToldError(error, text, { isPlaced: true });
  });
  if (query === undefined) return;
  try {
    const batches = await Array.fromAsync(runQuery(engines, query, { orgId, timeoutMs: 5_000 }));
    expectToldRows(batches.slice(0, 10));
  } catch (error) {
    expectToldError(error, text, { isPlaced: false });
  }
}

describe.each(Object.entries(counts) as [QueryLanguage, number][])('%s', (language, numRuns) => {
  const texts = textsOf(language);
  const anyText = fc.constantFrom(...texts);
  const change = fc.record({
    kind: fc.constantFrom('delete', 'double', 'swap', 'replace', 'strange', 'insert'),
    at: fc.nat(10_000),
    other: fc.nat(10_000),
    from: anyText,
    word: fc.constantFrom(...strange),
  });
  const mutated = fc.tuple(anyText, fc.array(change, { minLength: 1, maxLength: 3 })).map(([text, changes]) => {
    const all = [...text];
    for (const { kind, at: far, other, from, word } of changes) {
      if (all.length === 0) break;
      const at = far % all.length;
      const to = other % all.length;
      const foreign = from[other % from.length]!;
      if (kind === 'delete') all.splice(at, 1);
      else if (kind === 'double') all.splice(at, 0, all[at]!);
      else if (kind === 'swap') [all[at], all[to]] = [all[to]!, all[at]!];
      else if (kind === 'replace') all[at] = foreign;
      else all.splice(at, kind === 'strange' ? 1 : 0, kind === 'strange' ? word : foreign);
    }
    return all.join('');
  });

  it(`that is changed here and there runs or is told: ${numRuns} of them`, { timeout: runsTimeoutMs }, async () => {
    expect(texts.length).toBeGreaterThan(5);
    await fc.assert(
      fc.asyncProperty(mutated, (text) => attempt(language, text)),
      { numRuns },
    );
  });
});
