/** Entities are answered by their keys alone: the same way in every subgraph, and never those of another organisation. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Action, Identity } from '../platform/identity.js';
import { createExecutor, type SubgraphExecutor } from '../platform/subgraph.js';
import { subgraphs } from '../subgraphs/index.js';
import { createTestPlatform, type TestPlatform } from './setup/database.js';

let test: TestPlatform;
const executors = new Map<string, SubgraphExecutor>();
const closers: (() => Promise<unknown>)[] = [];

async function ask(
  subgraph: string,
  identity: Identity,
  query: string,
  variables?: Record<string, unknown>,
): Promise<any> {
  const { data, errors } = await executors.get(subgraph)!.execute({ query, variables }, { identity, remoteIp: null });
  expect(errors).toBeUndefined();
  return data;
}

/** Makes or finds the entity of an organisation, and answers its id. */
const entities: Record<string, { subgraph: string; key?: string; idIn(identity: Identity): Promise<string> }> = {
  Org: { subgraph: 'accounts', idIn: async ({ orgId }) => orgId },
  Usage: { subgraph: 'collections', key: 'orgId', idIn: async ({ orgId }) => orgId },
  User: { subgraph: 'accounts', idIn: async ({ subject }) => subject.userId! },
  Job: {
    subgraph: 'jobs',
    idIn: async (identity) =>
      (await ask('jobs', identity, 'mutation { submitJob(input: { query: "SELECT 1" }) { id } }')).submitJob.id,
  },
  Collection: {
    subgraph: 'collections',
    idIn: async (identity) => {
      const input = {
        friendlyName: `c-${crypto.randomUUID()}`,
        query: 'SELECT timestamp, user_name FROM logs',
        keyFields: ['user_name'],
        expireInSeconds: '60',
        mode: 'HASH',
      };
      const mutation = 'mutation ($input: CreateCollectionInput!) { createCollection(input: $input) { id } }';
      return (await ask('collections', identity, mutation, { input })).createCollection.id;
    },
  },
};

beforeAll(async () => {
  test = await createTestPlatform();
  for (const subgraph of subgraphs) {
    const parts = subgraph.create(test.platform);
    executors.set(subgraph.name, createExecutor(subgraph, parts, test.platform.logger));
    closers.push(async () => parts.close?.());
  }
});
afterAll(async () => {
  await Promise.all(closers.map((close) => close()));
  await test.close();
});

/** The ids of the entities that are answered, in the order asked; null for none. */
async function found(typeName: string, identity: Identity, ids: unknown[]): Promise<(string | null)[]> {
  const { subgraph, key = 'id' } = entities[typeName]!;
  const query = `query ($of: [_Any!]!) { _entities(representations: $of) { ... on ${typeName} { id: ${key} } } }`;
  const of = ids.map((id) => ({ __typename: typeName, [key]: id }));
  const data = await ask(subgraph, identity, query, { of });
  return data._entities.map((entity: { id: string } | null) => entity?.id ?? null);
}

describe.each(Object.keys(entities))('a reference to %s', (typeName) => {
  it('is found by its id in any case; another organisation’s is answered as one that does not exist', async () => {
    const [one, other] = test.orgs;
    const { idIn } = entities[typeName]!;
    const [own, foreign] = await Promise.all([idIn(one), idIn(other)]);
    const ids = [own, own.toUpperCase(), foreign, foreign.toUpperCase(), crypto.randomUUID(), 'none', '', 7, null];
    expect(await found(typeName, one, ids)).toEqual([own, own, ...Array(7).fill(null)]);
    expect(await found(typeName, other, [foreign])).toEqual([foreign]);
  });
});

it('other users are shown to callers with org:read alone, and oneself always', async () => {
  const [admin] = test.orgs;
  const input = { email: 'second@one.example', name: 'Second', password: 'long enough 1', roles: ['VIEWER'] };
  const mutation = 'mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }';
  const second: string = (await ask('accounts', admin, mutation, { input })).createUser.id;
  const first = admin.subject.userId!;
  const as = (userId: string, capabilities: Identity['capabilities']): Identity => ({
    ...admin,
    subject: { kind: 'USER', id: userId, userId },
    capabilities,
  });
  expect(await found('User', as(first, [{ action: 'org:read' }]), [first, second])).toEqual([first, second]);
  expect(await found('User', as(first, [{ action: 'jobs:read' }]), [first, second])).toEqual([first, null]);
  expect(await found('User', as(second, []), [first, second.toUpperCase()])).toEqual([null, second]);

  const query = `{ job(id: "${await entities.Job!.idIn(admin)}") { submittedBy { id } } }`;
  const submitterFor = async (userId: string, ...held: Action[]) => {
    const capabilities = held.map((action) => ({ action }));
    return (await ask('jobs', as(userId, capabilities), query)).job.submittedBy?.id;
  };
  expect(await submitterFor(first, 'jobs:read')).toBe(first);
  expect(await submitterFor(second, 'jobs:read')).toBeUndefined();
  expect(await submitterFor(second, 'jobs:read', 'org:read')).toBe(first);
});
