/**
 * Random operations of random callers over one graph with random rules of access: what the gateway answers equals what one
 * server answers whose denied fields fail.
 */
import path from 'node:path';
import { type ExecutionResult, GraphQLError, type GraphQLSchema, getNamedType, isObjectType, parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AccessRules, allows, denialOf } from '../../platform/graphql/access-rules.js';
import type { Identity } from '../../platform/identity.js';
import { readFamily } from './harness/cases.js';
import { apiSchemaOf, type OpenFamily, openFamily, type Way } from './harness/gateways.js';
import { type RandomOperation, randomOperation, shrink } from './harness/random-operation.js';
import { randomCaller, withRandomRules } from './harness/random-rules.js';
import { oneServer } from './harness/subgraph.js';

const operations = process.env.HARBORWATCH_DEEP ? 1_000 : 100;
/** Each makes other rules. */
const seeds = process.env.HARBORWATCH_DEEP ? [1, 2, 3, 4, 5, 6] : [7];

const isDenial = (text: string): boolean => /"(UNAUTHENTICATED|FORBIDDEN)"/.test(text);

/** Whether the data is null at the path, or above it. */
function isNull(data: unknown, keys: readonly (string | number)[]): boolean {
  const value = keys.reduce<any>((current, key) => (current === null ? null : current?.[key]), data);
  return value === null;
}

/** Lets denied fields of all objects fail. */
function guard(served: GraphQLSchema, rules: AccessRules, caller: () => Identity | undefined): void {
  for (const type of Object.values(served.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue;
    for (const field of Object.values(type.getFields())) {
      const rule = rules.ruleOf(type.name, field.name, getNamedType(field.type).name);
      const resolve = field.resolve!;
      field.resolve = (...given) => {
        if (!rule || allows(rule, caller())) return resolve(...given);
        const { message, code, details } = denialOf(rule, caller());
        throw new GraphQLError(message, { extensions: { code, ...details } });
      };
    }
  }
}

describe.each(seeds)('under the rules of seed %i', (rulesSeed) => {
  let open: OpenFamily;
  let schema: GraphQLSchema;
  let ask: (operation: RandomOperation, caller: Identity | undefined) => Promise<ExecutionResult>;

  beforeAll(async () => {
    const family = readFamily(path.join(import.meta.dirname, 'universe'));
    open = await openFamily(family, (supergraphSdl) => withRandomRules(supergraphSdl, rulesSeed));
    schema = apiSchemaOf(open.supergraphSdl);
    const served = apiSchemaOf(open.supergraphSdl);
    const answer = oneServer(served, family.data, family.implementations, []);
    let asking: Identity | undefined;
    guard(served, AccessRules.read(parse(open.supergraphSdl)), () => asking);
    ask = ({ text, variables }, caller) => {
      asking = caller;
      return answer(parse(text), variables);
    };
  });
  afterAll(() => open?.close());

  /** The data, and the denials that the one server told: it stops at the first that makes an object null. */
  async function answersOf(way: Way, operation: RandomOperation, caller: Identity | undefined) {
    const wanted = JSON.parse(JSON.stringify(await ask(operation, caller))) as ExecutionResult;
    const answer = await open.answer(way, operation.text, operation.variables, undefined, caller);
    const given = JSON.parse(JSON.stringify(answer)) as ExecutionResult;
    const textsOf = ({ errors = [] }: ExecutionResult) =>
      errors.map(({ message, path: place, extensions }) => JSON.stringify([place, extensions?.code, message]));
    const told = new Set(textsOf(given));
    const misplaced = [...told].filter((text) => isDenial(text) && !isNull(given.data, JSON.parse(text)[0]));
    const denials = textsOf(wanted).filter(isDenial);
    return {
      given: JSON.stringify(
        { data: given.data, denials: denials.filter((denial) => told.has(denial)), misplaced },
        null,
        2,
      ),
      wanted: JSON.stringify({ data: wanted.data, denials, misplaced: [] }, null, 2),
      denials: denials.length,
    };
  }

  it.each<Way>([
    { planner: 'native', transport: 'in process' },
    { planner: 'apollo', transport: 'in process' },
  ])(
    'by the $planner planner, random callers are answered as by one server',
    async (way) => {
      let denied = 0;
      for (let seed = 1, done = 0; done < operations; seed += 1) {
        const operation = randomOperation(schema, seed);
        if (!operation) continue;
        done += 1;
        const caller = randomCaller(seed);
        const { given, wanted, denials } = await answersOf(way, operation, caller);
        if (denials > 0) denied += 1;
        if (given === wanted) continue;
        const smallest = await shrink(schema, operation, async (candidate) => {
          const answers = await answersOf(way, candidate, caller);
          return answers.given !== answers.wanted;
        });
        const answers = await answersOf(way, smallest, caller);
        const held = caller?.capabilities.map(({ action }) => action).join();
        expect(answers.given, `seed ${seed} (${held}): ${smallest.text}\n${JSON.stringify(smallest.variables)}`).toBe(
          answers.wanted,
        );
      }
      expect(denied).toBeGreaterThan(operations / 5);
    },
    1_800_000,
  );
});
