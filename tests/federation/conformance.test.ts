/**
 * The federation cases: subgraphs, query and answer as files under cases/, each run by both planners, over subgraphs in
 * the same process and over HTTP. The answers are also those of one server that has all the data.
 */
import { type ExecutionResult, parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { comparable } from './harness/answers.js';
import { type Case, readFamilies } from './harness/cases.js';
import { apiSchemaOf, type OpenFamily, openFamily, type Way, ways } from './harness/gateways.js';
import { oneServer } from './harness/subgraph.js';

const families = readFamilies();

it('there are at least 60 cases', () => {
  expect(families.flatMap(({ cases }) => cases).length).toBeGreaterThanOrEqual(60);
});

describe.each(families)('$name', (family) => {
  let open: OpenFamily;

  beforeAll(async () => {
    open = await openFamily(family);
  });
  afterAll(() => open?.close());

  describe.each(family.cases)('$name: $notes.title', (item) => {
    const { runs, notes } = item;
    const known = notes.apolloPlanner;

    it.each(ways)('by the $planner planner, $transport', async (way) => {
      for (const [index, answer] of (await answersOf(open, item, way)).entries()) {
        const wanted = runs[index]!.answer;
        if (way.planner === 'apollo' && known) continue;
        expect(comparable(answer, wanted, way)).toBe(comparable(wanted, wanted, way));
      }
    });

    if (known) {
      it('by Apollo’s planner it is still wrong, else its note goes', async () => {
        const way: Way = { planner: 'apollo', transport: 'in process' };
        const answers = await answersOf(open, item, way);
        const right = answers.filter((answer, index) => {
          const wanted = runs[index]!.answer;
          return comparable(answer, wanted, way) === comparable(wanted, wanted, way);
        });
        expect(right.length).toBeLessThan(runs.length);
      });
    }

    if (!notes.unlikeOneServer) {
      it('as one server answers that has all the data', async () => {
        const answer = oneServer(apiSchemaOf(open.supergraphSdl), family.data, family.implementations, open.steps);
        for (const run of runs) {
          open.steps.length = 0;
          const given = await answer(parse(item.query), run.variables, notes.operationName);
          expect(comparable(given, run.answer)).toBe(comparable(run.answer, run.answer));
        }
      });
    }
  });
});

/** One answer per set of variables. */
async function answersOf(open: OpenFamily, { query, runs, notes }: Case, way: Way): Promise<ExecutionResult[]> {
  for (const [name, subgraph] of open.subgraphs) subgraph.fault = notes.faults?.[name];
  const answers: ExecutionResult[] = [];
  for (const { variables } of runs) {
    open.steps.length = 0;
    answers.push(await open.answer(way, query, variables, notes.operationName));
  }
  return answers;
}
