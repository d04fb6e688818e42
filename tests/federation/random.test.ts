/**
 * Random operations over one graph with everything in it: what the gateway puts together from the subgraphs equals what
 * one server with all the data answers.
 */
import path from 'node:path';
import { type ExecutionResult, type GraphQLSchema, parse } from 'graphql';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { comparable } from './harness/answers.js';
import { type Answer, readFamily } from './harness/cases.js';
import { apiSchemaOf, type OpenFamily, openFamily, type Way } from './harness/gateways.js';
import { type RandomOperation, randomOperation, shrink } from './harness/random-operation.js';
import { oneServer } from './harness/subgraph.js';

const operations = process.env.HARBORWATCH_DEEP ? 5_000 : 150;

let open: OpenFamily;
let schema: GraphQLSchema;
let ask: (operation: RandomOperation) => Promise<ExecutionResult>;

beforeAll(async () => {
  const family = readFamily(path.join(import.meta.dirname, 'universe'));
  open = await openFamily(family);
  schema = apiSchemaOf(open.supergraphSdl);
  const answer = oneServer(apiSchemaOf(open.supergraphSdl), family.data, family.implementations, []);
  ask = ({ text, variables }) => answer(parse(text), variables);
});
afterAll(() => open?.close());

const answersOf = async (way: Way, operation: RandomOperation) => {
  const wanted = await ask(operation);
  const given = await open.answer(way, operation.text, operation.variables);
  return { given: comparable(given, wanted as Answer, way), wanted: comparable(wanted, wanted as Answer, way) };
};

it.each<Way>([
  { planner: 'native', transport: 'in process' },
  { planner: 'native', transport: 'HTTP' },
  { planner: 'apollo', transport: 'in process' },
])(
  'by the $planner planner, $transport, random operations are answered as by one server',
  async (way) => {
    for (let seed = 1, done = 0; done < operations; seed += 1) {
      const operation = randomOperation(schema, seed);
      if (!operation) continue;
      done += 1;
      const { given, wanted } = await answersOf(way, operation);
      if (given === wanted) continue;
      const smallest = await shrink(schema, operation, async (candidate) => {
        const answers = await answersOf(way, candidate);
        return answers.given !== answers.wanted;
      });
      const answers = await answersOf(way, smallest);
      expect(answers.given, `seed ${seed}: ${smallest.text}\n${JSON.stringify(smallest.variables)}`).toBe(
        answers.wanted,
      );
    }
  },
  1_800_000,
);
