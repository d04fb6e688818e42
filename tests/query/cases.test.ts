/** Every case of `cases/` on every engine: the answer comes from the language's documentation. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { QueryLanguage } from '../../query/index.js';
import { findOpenSearch } from '../setup/opensearch.js';
import { faultOf, type Given } from './harness/answers.js';
import { type QueryCase, readCases } from './harness/cases.js';
import { ask, type Bench, openBench, orgWith } from './harness/engines.js';

const languages: [QueryLanguage, number][] = [
  ['KQL', 400],
  ['SQL', 10],
  ['LINQ', 10],
  ['OPENSEARCH', 5],
];

const openSearch = await findOpenSearch();

let bench: Bench;
beforeAll(async () => {
  bench = await openBench(openSearch);
});
afterAll(() => bench?.close());

/** SQL that OpenSearch cannot run exactly is refused there, by name. */
const isUntranslated = (given: Given): boolean =>
  given.kind === 'ERROR' && given.message.startsWith('On OpenSearch this SQL has no exact answer: ');

describe.each(languages)('%s', (language, least) => {
  const cases = readCases(language.toLowerCase());

  it(`has at least ${least} cases, each with its rule`, () => {
    expect(cases.length).toBeGreaterThanOrEqual(least);
    expect(cases.filter(({ rule }) => !/^.+[.] \[\S+\]$/.test(rule)).map(({ place }) => place)).toEqual([]);
  });

  it.each(cases.map((item): [string, string, QueryCase] => [item.title, item.place, item]))(
    '%s (%s)',
    async (_title, place, item) => {
      const org = await orgWith(bench, item.input);
      for (const [engine, engines] of bench.engines) {
        const given = await ask(engines, language, item, org);
        if (engines.openSearch !== undefined && isUntranslated(given)) continue;
        const fault = faultOf(item.answer, given);
        if (fault !== undefined) {
          expect.fail(`${place} on ${engine}: ${item.title}\n${item.rule}\n\n${item.query}\n\n${fault}`);
        }
      }
    },
  );
});
