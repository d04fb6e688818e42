/**
 * A gateway with a hostile client and a bystander: what the one sends is always told by a 4xx or GraphQL errors with a code
 * of the registry, never by a 5xx, and the other is served as if nothing had happened.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Client } from 'graphql-ws';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { WebSocket } from 'ws';
import { errorRegistry } from '../../platform/errors.js';
import { startTestGateway, type TestGateway } from './gateway.js';
import { type RawAnswer, sendRaw, withLength } from './raw-http.js';

/** How long the gateway may answer nobody. */
const maxStallMs = 250;

interface Answer {
  errors: { message: string; extensions?: { code?: string } }[];
  data?: unknown;
}

export interface HostileSocket {
  /** Runs an operation to its end; a subscription to its first answer. */
  ask(payload: unknown): Promise<Answer[]>;
  send(message: string | Buffer): void;
  close(): void;
  /** The code that it is closed with. */
  closed: Promise<number>;
}

/** Called once a test file; what it answers works within tests. */
export function hostileClient() {
  let gateway: TestGateway;
  let token: string;
  let bystander: Client;
  /** Why the bystander lost its connection. */
  let lost: unknown;
  const lose = (why: unknown) => {
    lost = why;
  };

  const expectServed = async () => {
    const query = '{ viewer { org { slug } } }';
    expect((await gateway.query<any>(gateway.orgs[0], query)).data).toEqual({ viewer: { org: { slug: 'one' } } });
    const answer = await bystander.iterate<any>({ query }).next();
    expect(answer.value?.data).toEqual({ viewer: { org: { slug: 'two' } } });
    expect(lost).toBeUndefined();
  };

  beforeAll(async () => {
    gateway = await startTestGateway();
    token = await gateway.tokenFor(gateway.orgs[0]);
    bystander = await gateway.webSocket(gateway.orgs[1]);
    bystander.on('closed', () => lose('closed'));
    // It keeps the connection open.
    const query = 'subscription { eventTail(dataset: "logs") { cursor } }';
    bystander.subscribe({ query }, { next: () => {}, error: lose, complete: () => lose('completed') });
    await expectServed();
  });
  afterEach(expectServed);
  afterAll(async () => {
    await bystander?.dispose();
    await gateway?.close();
  });

  const authorized = (headers: Record<string, string> = {}) => ({ authorization: `Bearer ${token}`, ...headers });
  return {
    url: () => gateway.url,
    authorized,
    /** Posts a body as a signed-in caller. */
    send: (body: string | Uint8Array, headers: Record<string, string | undefined> = {}) => {
      const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
      return sendRaw(gateway.url, { headers: authorized(withLength(body, given as Record<string, string>)) }, [body]);
    },
    openSocket: (options: { init?: boolean; protocol?: string | null } = {}) => openSocket(gateway.url, token, options),
  };
}

/** The codes of an answer's errors. */
export const codesOf = (answer: RawAnswer): (string | undefined)[] => {
  const { errors } = JSON.parse(answer.body) as { errors?: Answer['errors'] };
  return (errors ?? []).map(({ extensions }) => extensions?.code);
};

/** Expects codes that the caller can act on. */
export function expectKnown(codes: readonly (string | undefined)[], context: string): void {
  for (const code of codes) expect(Object.keys(errorRegistry), context).toContain(code);
  expect(codes, context).not.toContain('INTERNAL_SERVER_ERROR');
}

/** Expects an answer that the caller can act on. @param expected the codes that its first error may have */
export function expectTold(answer: RawAnswer, ...expected: string[]): void {
  const codes = codesOf(answer);
  expect(answer.status, answer.body).toBeLessThan(500);
  expect(answer.status, answer.body).toBeGreaterThanOrEqual(200);
  if (answer.status >= 400) expect(codes.length).toBeGreaterThan(0);
  expectKnown(codes, answer.body);
  if (expected.length > 0) expect(expected, answer.body).toContain(codes[0]);
}

/** Expects the event loop of the gateway, which runs in this process, to go on. What stalls it does so every time. */
export async function expectNoStall(attack: () => Promise<void>): Promise<void> {
  const stallsMs: number[] = [];
  while (stallsMs.length < 5) {
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    await attack();
    delay.disable();
    stallsMs.push(delay.max / 1e6);
    if (delay.max / 1e6 < maxStallMs) return;
  }
  expect(Math.min(...stallsMs)).toBeLessThan(maxStallMs);
}

/** The body of a request for an operation. */
export const operation = (query: string, more: object = {}): string => JSON.stringify({ query, ...more });

async function openSocket(
  url: string,
  token: string,
  { init = true, protocol = 'graphql-transport-ws' }: { init?: boolean; protocol?: string | null },
): Promise<HostileSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, protocol === null ? [] : [protocol]);
  const waiting = new Map<string, (message: any) => void>();
  const acknowledged = Promise.withResolvers<void>();
  socket.on('error', () => {});
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  socket.on('message', (data) => {
    const message = JSON.parse(String(data));
    if (message.type === 'connection_ack') acknowledged.resolve();
    waiting.get(message.id)?.(message);
  });
  await Promise.race([new Promise((resolve) => socket.once('open', resolve)), closed]);
  if (init) {
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
    await acknowledged.promise;
  }
  return {
    closed,
    send: (message) => socket.send(message),
    close: () => socket.close(),
    ask: (payload) =>
      new Promise((resolve, reject) => {
        const id = crypto.randomUUID();
        const answers: Answer[] = [];
        const end = () => {
          waiting.delete(id);
          resolve(answers);
        };
        waiting.set(id, ({ type, payload: answer }) => {
          if (type === 'error') answers.push({ errors: answer });
          else if (type === 'next') answers.push({ errors: [], ...answer });
          if (type !== 'next' || JSON.stringify(payload).includes('"subscription')) end();
        });
        void closed.then((code) => reject(new Error(`The socket was closed with ${code}.`)));
        socket.send(JSON.stringify({ id, type: 'subscribe', payload }));
      }),
  };
}
