/** Entity references: as the gateway sends them to a subgraph, and as somebody else would. */
import { buildSubgraphSchema } from '@apollo/subgraph';
import { type GraphQLSchema, isObjectType, parse } from 'graphql';
import { generateSigningKey } from '../../platform/authentication/token-keys.js';
import { HopVerifier } from '../../platform/hop-tokens.js';
import type { Identity } from '../../platform/identity.js';
import { createExecutor, printSubgraph, type Subgraph, type SubgraphExecutor } from '../../platform/subgraph.js';
import { startSubgraphServer } from '../../platform/subgraph-server.js';
import { subgraphs } from '../../subgraphs/index.js';
import { actionsOf, without } from './callers.js';
import { inParallel } from './doors.js';
import { neutral, parseAnswer } from './judge.js';
import type { Knowledge } from './knowledge.js';
import type { Report } from './report.js';
import { operationOf, type Step } from './targets.js';
import { twinOf } from './values.js';
import type { EntityKey, World } from './world.js';

/** A field of an entity in one subgraph. */
interface EntityField {
  key: EntityKey;
  executor: SubgraphExecutor;
  step: Step;
  name: string;
}

export async function entityProbes(world: World, report: Report): Promise<void> {
  const { platform } = world.gateway;
  const domains = subgraphs.map((subgraph) => {
    const parts = subgraph.create(platform);
    return { subgraph, parts, executor: createExecutor(subgraph, parts, platform.logger) };
  });
  const fields = domains.flatMap(({ subgraph, executor }) => fieldsOf(world, subgraph, executor));
  const verifier = new HopVerifier(await generateSigningKey(), platform.redis, platform.logger);
  const server = await startSubgraphServer({
    executors: domains.map(({ executor }) => executor),
    verifier,
    logger: platform.logger,
    bodyBytes: 1_000_000,
    port: 0,
    host: '127.0.0.1',
    health: async () => ({}),
  });
  try {
    await inParallel(fields, 4, async (field) => {
      await inProcess(world, report, field);
      await overHttp(world, report, field, `http://127.0.0.1:${server.port}`);
    });
  } finally {
    await server.drain();
    await Promise.all(domains.map(({ parts }) => parts.close?.()));
  }
}

function fieldsOf(world: World, subgraph: Subgraph, executor: SubgraphExecutor): EntityField[] {
  const schema: GraphQLSchema = buildSubgraphSchema(parse(printSubgraph(subgraph)));
  return world.entityKeys
    .filter(({ graph }) => graph === subgraph.name)
    .flatMap((key) => {
      const type = schema.getType(key.type);
      if (!isObjectType(type)) return [];
      return Object.values(type.getFields()).map((field) => ({
        key,
        executor,
        step: { parent: key.type, field },
        name: `${subgraph.name}: ${key.type}.${field.name}`,
      }));
    });
}

/** What the gateway sends for references. */
function operationFor(world: World, { step, key }: EntityField, representation: Record<string, unknown>) {
  const target = { kind: 'query' as const, steps: [step] };
  const { query, variables } = operationOf(target, world.values.required(target, world.stranger.knowledge));
  const [head, definitions = ''] = /^query Probe(?:\(([^)]*)\))?/.exec(query)!;
  const declared = ['$r: [_Any!]!', ...(definitions === '' ? [] : [definitions])].join(', ');
  return {
    query: `query (${declared}) { _entities(representations: $r) { __typename ... on ${key.type} ${query.slice(head.length)} } }`,
    variables: { ...variables, r: [{ __typename: key.type, ...representation }] },
  };
}

const representationsOf = ({ type, fields }: EntityKey, of: Knowledge): Record<string, unknown>[] =>
  of.objects(type, fields).map((object) => Object.fromEntries(fields.map((field) => [field, object[field]])));

/** One of the owner's that the stranger has none of. */
function foreignOf({ owner, stranger }: World, key: EntityKey): Record<string, unknown> | undefined {
  const common = new Set(representationsOf(key, stranger.knowledge).map((one) => JSON.stringify(one)));
  return representationsOf(key, owner.knowledge).find((one) => !common.has(JSON.stringify(one)));
}

async function inProcess(world: World, report: Report, field: EntityField): Promise<void> {
  const { rules, stranger } = world;
  const { name, executor, key, step } = field;
  const ask = async (identity: Identity | undefined, representation: Record<string, unknown>) =>
    JSON.stringify(await executor.execute(operationFor(world, field, representation), { identity, remoteIp: null }));
  const foreign = foreignOf(world, key);
  const [own] = representationsOf(key, stranger.knowledge);
  if (!foreign || !own) {
    report.take('entity: another’s key', name, 'nothing of the scene is known for it');
    return;
  }
  const twin = twinOf(foreign) as Record<string, unknown>;
  const [theirs, nobodys] = [await ask(stranger.identity, foreign), await ask(stranger.identity, twin)];
  const isSame = neutral(theirs, foreign) === neutral(nobodys, twin);
  report.take(
    'entity: another’s key',
    name,
    isSame ? world.leakIn(theirs, [foreign]) : `differs from what never existed: ${theirs} / ${nobodys}`,
  );
  const mine = await ask(stranger.identity, own);
  report.take('entity: own data', name, world.leakIn(mine));
  const refuse = async (column: string, identity: Identity | undefined, code: string) => {
    const body = await ask(identity, own);
    const { data, errors } = parseAnswer(body);
    const [entity] = (data?._entities ?? []) as (Record<string, unknown> | null)[];
    const value = entity?.[step.field.name];
    const isRefused =
      (value === null || value === undefined) && errors?.some((error) => error.extensions?.code === code);
    report.take(column, name, isRefused ? undefined : `not ${code}: ${body.slice(0, 300)}`);
  };
  if (!rules.allows([step], undefined)) await refuse('entity: no token', undefined, 'UNAUTHENTICATED');
  if (!rules.allows([step], new Set())) {
    await refuse('entity: no capability', { ...stranger.identity, capabilities: [] }, 'FORBIDDEN');
  }
  const needed = rules.actionsOf([step]);
  const identity = without(stranger.identity, needed);
  if (needed.size > 0 && !rules.allows([step], actionsOf(identity))) {
    await refuse('entity: every capability but the needed', identity, 'FORBIDDEN');
  }
}

/** Past the gateway: without its token, and with a caller's. */
async function overHttp(world: World, report: Report, field: EntityField, url: string): Promise<void> {
  const [own] = representationsOf(field.key, world.stranger.knowledge);
  if (!own) return;
  const token = await world.gateway.tokenFor(world.stranger.identity);
  for (const [column, headers] of [
    ['entity over HTTP: no token', {}],
    ['entity over HTTP: a caller’s token', { authorization: `Bearer ${token}` }],
  ] as const) {
    const response = await fetch(`${url}/${field.key.graph}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(operationFor(world, field, own)),
    });
    const body = await response.text();
    const isRefused = response.status === 401 && body.includes('HOP_TOKEN_INVALID') && !body.includes('"data"');
    report.take(column, field.name, isRefused ? undefined : body.slice(0, 300));
  }
}
