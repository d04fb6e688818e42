/**
 * Everything that two organisations make Harborwatch do in Redis, through every door: each key and each channel has to carry
 * the organisation. What commands really touched is what counts, so that keys of a moment are seen as well.
 */
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateSigningKey } from '../platform/authentication/token-keys.js';
import { HopSigner, HopVerifier } from '../platform/hop-tokens.js';
import type { Identity } from '../platform/identity.js';
import { startTestGateway, type TestGateway } from './setup/gateway.js';
import { eventually } from './setup/until.js';

/** What carries no organisation, after the prefix, and why. */
const excused: [pattern: RegExp, why: string][] = [
  [
    /^:\{sign-in\}:(account|address|pair):[\w-]+$/,
    'who signs in is nobody yet: a hash of what was typed, or of the address',
  ],
  [/^:\{anonymous\}:hop:/, 'a call for a caller without a token'],
  [/^:\{address\/[^}]+\}:rate$/, 'the rate of an address without a token'],
  [
    /^-queue:jobs-shared:(id|pc|marker|wait|paused|active|prioritized|delayed|completed|failed|stalled|stalled-check|meta|events|repeat|waiting-children|limiter|metrics:\w+)?$/,
    'BullMQ’s own lists and counters: the rings in them carry the organisation',
  ],
];

/** The kinds of keys that the doors below have to touch for both organisations; else they were not driven. */
const kinds: Record<string, RegExp> = {
  widget: /^:\{<org>\}:widget:/,
  hop: /^:\{<org>\}:hop:/,
  topic: /^:\{<org>\}:topic:/,
  rate: /^:\{<org>\}:rate$/,
  connections: /^:\{<org>\}:connections$/,
  collection: /^:\{<org>\}:collection:<slug>#/,
  'collection entry': /^:<slug>#[0-9a-f]{32}:[0-9a-f]{64}$/,
  ring: /^-queue:jobs-shared:<org>-/,
};

let gateway: TestGateway;
let monitor: Socket;
const touched = new Set<string>();
let orgs: { identity: Identity; slug: string }[];

beforeAll(async () => {
  gateway = await startTestGateway({ workers: true, settings: { RATE_LIMITS: 'on' } });
  orgs = [
    { identity: gateway.orgs[0], slug: 'one' },
    { identity: gateway.orgs[1], slug: 'two' },
  ];
  const { prefix } = gateway.platform.redis.keys;
  monitor = await watchCommands(([command = '', ...words]) => {
    // BullMQ names its connections after its queue, and a scan takes a pattern, which is no key.
    if (['client', 'scan'].includes(command.toLowerCase())) return;
    for (const word of words) if (word.startsWith(prefix)) touched.add(word.slice(prefix.length));
  });
  // Whoever is without limits is not counted.
  await gateway.database.asSuperuser(`UPDATE app.orgs SET limits = '{}'`);
  for (const { identity } of orgs) await driveEveryDoor(identity);
  // What the start of the workers wrote was there before we looked.
  const { commands } = gateway.platform.redis;
  for await (const page of commands.scanStream({ match: `${prefix}*`, count: 1_000 })) {
    for (const key of page as string[]) touched.add(key.slice(prefix.length));
  }
}, 120_000);
afterAll(async () => {
  monitor?.destroy();
  await gateway?.close();
});

const named = (key: string): string =>
  orgs.reduce(
    (text, { identity, slug }) => text.replaceAll(identity.orgId, '<org>').replaceAll(`:${slug}#`, ':<slug>#'),
    key,
  );

describe('in Redis', () => {
  it('every key and channel carries the organisation’s id or slug, but for those with a reason', () => {
    const strange = [...touched].filter(
      (key) => !/<org>|<slug>/.test(named(key)) && !excused.some(([pattern]) => pattern.test(key)),
    );
    expect(strange).toEqual([]);
  });

  it.each(Object.entries(kinds))('the doors were driven for both organisations: %s', (_, pattern) => {
    for (const { identity, slug } of orgs) {
      const own = [...touched].filter((key) => key.includes(identity.orgId) || key.includes(`:${slug}#`));
      expect(own.map(named).filter((key) => pattern.test(key)).length).toBeGreaterThan(0);
    }
  });

  it('no key of one organisation carries the other’s id', () => {
    const [one, two] = orgs.map(({ identity }) => identity.orgId);
    expect([...touched].filter((key) => key.includes(one!) && key.includes(two!))).toEqual([]);
  });
});

/** Tells every command that any connection sends. Spoken by hand: ioredis loses its place where much is going on. */
async function watchCommands(tell: (words: string[]) => void): Promise<Socket> {
  const { hostname, port, password } = new URL(process.env.HARBORWATCH_TEST_REDIS!);
  const socket = connect(Number(port), hostname);
  const watching = Promise.withResolvers<void>();
  const commands = [...(password === '' ? [] : [`AUTH ${decodeURIComponent(password)}`]), 'MONITOR'];
  let answers = 0;
  createInterface(socket).on('line', (line) => {
    if (answers < commands.length && line === '+OK') answers += 1;
    else if (line.startsWith('-')) watching.reject(new Error(line));
    else tell([...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word]) => word!));
    if (answers === commands.length) watching.resolve();
  });
  socket.on('error', watching.reject);
  socket.write(commands.map((command) => `${command}\r\n`).join(''));
  await watching.promise;
  return socket;
}

/** Uses everything that touches Redis as the organisation, once. */
async function driveEveryDoor(identity: Identity): Promise<void> {
  const ask = async (query: string, variables: object = {}, as: Identity | undefined = identity): Promise<any> => {
    const { data, errors } = await gateway.query<unknown>(as, query, variables);
    expect(errors, query).toBeUndefined();
    return data;
  };
  const signIn =
    'mutation { signIn(input: { email: "nobody@example.org", password: "not the right one" }) { expiresAt } }';
  expect((await gateway.query(undefined, signIn)).errors?.[0]?.extensions.code).toBe('INVALID_CREDENTIALS');
  await ask('{ widgets { totalEvents { cached } } }');

  const when = new Date().toISOString();
  const events = { dataset: 'logs', events: [{ timestamp: when, host: 'a', severity: 'high' }] };
  await ask('mutation ($input: IngestEventsInput!) { ingestEvents(input: $input) { accepted } }', { input: events });
  const entries = { entries: [{ app: 'shop', type: 'D', module: 'web', when }] };
  await ask('mutation ($input: WriteLogEntriesInput!) { writeLogEntries(input: $input) { accepted } }', {
    input: entries,
  });
  await ask('{ debugLog(app: "shop", module: "web", priority: INFO) { nodes { id } } }');

  const input = { query: 'SELECT host FROM logs', waitMs: 20_000 };
  const { submitJob: job } = await ask(
    'mutation ($input: SubmitJobInput!) { submitJob(input: $input) { id status } }',
    { input },
  );
  expect(job.status).toBe('COMPLETED');
  const collectionInput = {
    friendlyName: 'hosts',
    query: 'SELECT timestamp, host FROM logs',
    mode: 'HASH',
    expireInSeconds: 600,
    keyFields: ['host'],
  };
  const { createCollection: collection } = await ask(
    'mutation ($input: CreateCollectionInput!) { createCollection(input: $input) { id } }',
    { input: collectionInput },
  );
  const lookup =
    'query ($id: ID!) { collection(id: $id) { keyCount lookup(key: ["a"]) { key } keys(first: 5) { nodes { key } } } }';
  await eventually(async () => expect((await ask(lookup, { id: collection.id })).collection.lookup).not.toBeNull());

  const socket = await gateway.webSocket(identity);
  for (const query of [
    `subscription { jobProgress(id: "${job.id}") { status } }`,
    `subscription { collectionProgress(id: "${collection.id}") { status } }`,
    'subscription { queueStats { pendingJobs } }',
    'subscription { jobEvents { cursor } }',
    'subscription { eventTail(dataset: "logs", after: null) { cursor } }',
  ]) {
    const events = socket.iterate({ query });
    // These tell nothing until something comes.
    if (!/eventTail|jobEvents/.test(query)) expect((await events.next()).value.errors).toBeUndefined();
    await events.return?.();
  }
  await socket.dispose();

  const key = await generateSigningKey();
  const { redis, logger } = gateway.platform;
  const body = '{}';
  const token = new HopSigner(key).sign(
    'jobs',
    body,
    { identity, remoteIp: null, requestId: 'r' },
    Date.now() + 10_000,
  );
  await new HopVerifier(key, redis, logger).verify(`Bearer ${token}`, 'jobs', () => body);
}
