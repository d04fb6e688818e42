/** The scene of the matrix at work: a gateway with workers, what is known of both organisations, and what counts as a leak. */
import { readFile } from 'node:fs/promises';
import { buildSchema, type GraphQLObjectType, type GraphQLSchema, parse } from 'graphql';
import { symbols } from 'pino';
import { expect } from 'vitest';
import { type Receiver, startReceiver } from '../../subgraphs/jobs/callbacks/receivers.js';
import { startTestGateway, type TestGateway } from '../setup/gateway.js';
import { eventually } from '../setup/until.js';
import { Doors, type ProbeSocket } from './doors.js';
import { everythingBelow } from './harvest.js';
import { Knowledge } from './knowledge.js';
import { Rules } from './rules.js';
import { fillTenant, marks, nameTenants, runJob, sendEvents, settledHashes, type Tenant, uuidsOf } from './scene.js';
import { type Kind, type Step, type Target, targetsOf } from './targets.js';
import { Values } from './values.js';

/** An entity as one subgraph resolves it. */
export interface EntityKey {
  type: string;
  /** The subgraph's name in lower case. */
  graph: string;
  fields: string[];
}

/** An organisation with what is known of it. */
interface Known extends Tenant {
  knowledge: Knowledge;
}

export interface World {
  gateway: TestGateway;
  /** Takes the callbacks of both organisations. */
  receiver: Receiver;
  schema: GraphQLSchema;
  rules: Rules;
  values: Values;
  doors: Doors;
  targets: Target[];
  entityKeys: EntityKey[];
  /** Whose data must not be seen. */
  owner: Known;
  /** Who tries to. */
  stranger: Known;
  /** Lines of level info and above, since the probes began. */
  logs: string[];
  /** The stranger's own streams, open all the while. */
  streams: ProbeSocket;
  /** What the owner was answered to questions for everything. */
  ownerAnswers: string[];
  /** The owner's rows before the probes. */
  hashes: Record<string, string>;
  /** What of the owner's stands in a text; undefined for nothing. @param asked values that the stranger sent itself */
  leakIn(text: string, asked?: readonly unknown[]): string | undefined;
}

export async function openWorld(): Promise<World> {
  const settings = { LOG_LEVEL: 'info', CALLBACK_ALLOWED_ADDRESSES: '127.0.0.1' };
  const [gateway, receiver] = await Promise.all([startTestGateway({ workers: true, settings }), startReceiver()]);
  const logs: string[] = [];
  const { logger } = gateway.platform;
  (logger as unknown as Record<symbol, unknown>)[symbols.streamSym] = { write: (line: string) => logs.push(line) };
  const [api, supergraph] = await Promise.all(
    ['schema/api.graphql', 'schema/supergraph.graphql'].map((file) => readFile(file, 'utf8')),
  );
  const schema = buildSchema(api!);
  const entityKeys = entityKeysOf(supergraph!);
  const keysOf = (type: string) => entityKeys.find((key) => key.type === type)?.fields ?? [];
  const values = new Values(schema, keysOf);
  const doors = new Doors(gateway.url);
  const [owner, stranger] = (await nameTenants(gateway)).map((tenant): Known => {
    const knowledge = new Knowledge(schema);
    tenant.onAnswer = (query, variables, data) => {
      knowledge.learn(query.startsWith('mutation') ? 'Mutation' : 'Query', data);
      // What it sent itself is known too, such as keys of idempotency.
      const inputType = /\$input: (\w+)/.exec(query)?.[1];
      if (inputType !== undefined) knowledge.learn(inputType, (variables as { input: object }).input);
    };
    return Object.assign(tenant, { knowledge });
  }) as [Known, Known];
  await Promise.all([owner, stranger].map((tenant) => fillTenant(tenant, undefined, receiver.url)));

  const tenants = [owner, stranger];
  const streams = await Promise.all(
    tenants.map(async (tenant) => {
      await harvest(gateway, schema, values, tenant);
      const socket = await doors.socket(await gateway.tokenFor(tenant.identity));
      for (const operation of everything(schema, values, 'subscription', tenant)) socket.start(operation);
      return socket;
    }),
  );
  // Something happens while the streams are open.
  await Promise.all(tenants.flatMap((tenant) => [sendEvents(tenant), runJob(tenant)]));
  const [ownerAnswers] = await Promise.all(
    tenants.map(async (tenant, index) => {
      await harvest(gateway, schema, values, tenant);
      const answers = await harvest(gateway, schema, values, tenant);
      await eventually(() => {
        learnStream(tenant.knowledge, streams[index]!);
        for (const stream of ['eventTail', 'jobEvents']) {
          expect([stream, tenant.knowledge.cursors('Subscription', stream).length > 0]).toEqual([stream, true]);
        }
      });
      return answers;
    }),
  );
  streams[0]!.close();
  const hashes = await settledHashes(gateway, owner.identity.orgId);
  const targets = targetsOf(schema, (type) => keysOf(type).length > 0);
  const rules = new Rules(supergraph!, schema);
  logs.length = 0;
  return {
    gateway,
    receiver,
    schema,
    rules,
    values,
    doors,
    targets,
    entityKeys,
    owner,
    stranger,
    logs,
    streams: streams[1]!,
    ownerAnswers: ownerAnswers!,
    hashes,
    leakIn: leakFinder(owner.knowledge, stranger.knowledge, await uuidsOf(gateway, owner.identity.orgId)),
  };
}

function entityKeysOf(supergraph: string): EntityKey[] {
  return parse(supergraph, { noLocation: true }).definitions.flatMap((definition) => {
    if (definition.kind !== 'ObjectTypeDefinition') return [];
    return (definition.directives ?? []).flatMap(({ name, arguments: given }) => {
      if (name.value !== 'join__type') return [];
      const value = (argument: string) => {
        const found = given?.find((one) => one.name.value === argument)?.value;
        return found && 'value' in found ? String(found.value) : undefined;
      };
      const key = value('key');
      if (key === undefined || value('resolvable') === 'false') return [];
      return [{ type: definition.name.value, graph: value('graph')!.toLowerCase(), fields: key.split(/\s+/) }];
    });
  });
}

function everything(schema: GraphQLSchema, values: Values, kind: Kind, { knowledge }: Known) {
  const root = (kind === 'query' ? schema.getQueryType() : schema.getSubscriptionType()) as GraphQLObjectType;
  return Object.values(root.getFields()).flatMap((field) => {
    const step: Step = { parent: root.name, field };
    return everythingBelow(schema, values, kind, step, knowledge) ?? [];
  });
}

/** Asks for everything, as far as its arguments are known; once more finds what the answers taught. */
async function harvest(
  { query: ask }: TestGateway,
  schema: GraphQLSchema,
  values: Values,
  tenant: Known,
): Promise<string[]> {
  const answers: string[] = [];
  for (const { query, variables } of everything(schema, values, 'query', tenant)) {
    // A value that is not known yet may be refused; the rest of the answer still teaches.
    const { data } = await ask(tenant.identity, query, variables);
    if (data) tenant.knowledge.learn('Query', data);
    answers.push(JSON.stringify(data));
  }
  return answers;
}

function learnStream(knowledge: Knowledge, { messages }: ProbeSocket): void {
  for (const text of messages) {
    const { type, payload } = JSON.parse(text) as { type: string; payload?: { data?: object } };
    if (type === 'next' && payload?.data) knowledge.learn('Subscription', payload.data);
  }
}

function leakFinder(owner: Knowledge, stranger: Knowledge, uuids: Set<string>): World['leakIn'] {
  const [mark] = marks;
  const common = stranger.scalars;
  const only = [...owner.scalars].filter((value) => !common.has(value));
  const texts = new Set(only.filter((value) => typeof value === 'string' && value.length >= 8 && !isMoment(value)));
  const figures = new Set(
    only.map(Number).filter((value) => value > 0 && (value % mark.events === 0 || value % mark.figure === 0)),
  );
  return (text, asked = []) => {
    let rest = text;
    for (const value of textsOf(asked))
      rest = rest.split(value).join('<asked>').split(value.toLowerCase()).join('<asked>');
    if (rest.includes(mark.text)) return `the text ${around(rest, mark.text)}`;
    if (rest.includes(mark.address)) return `the address ${around(rest, mark.address)}`;
    for (const [id] of rest.matchAll(/[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/g)) {
      if (uuids.has(id)) return `the id ${around(rest, id)}`;
    }
    for (const [quoted] of rest.matchAll(/"[^"\\\n]{8,}"/g)) {
      if (texts.has(quoted.slice(1, -1))) return `the value ${around(rest, quoted)}`;
    }
    // Durations are the machine's, not anybody's.
    for (const [, figure] of rest.replace(/"\w+Ms":\d+/g, '').matchAll(/[:[,]\s*"?(\d+(?:\.\d+)?)"?(?=\s*[,}\]])/g)) {
      if (figures.has(Number(figure))) return `the figure ${around(rest, figure!)}`;
    }
    return undefined;
  };
}

const isMoment = (value: string | number | boolean): boolean => /^\d{4}-\d\d-\d\dT/.test(String(value));

const around = (text: string, part: string): string => {
  const at = text.indexOf(part);
  return JSON.stringify(text.slice(Math.max(0, at - 80), at + part.length + 40));
};

/** The texts within values. */
export function textsOf(values: readonly unknown[]): string[] {
  return values.flatMap((value) => {
    if (typeof value === 'string') return [value, JSON.stringify(value).slice(1, -1)];
    return typeof value === 'object' && value !== null ? textsOf(Object.values(value)) : [];
  });
}
