/** The gateway alone over foreign subgraphs, as a process of its own: `npm run gateway` without installing and building. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { composeServices } from '@apollo/composition';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { graphql, parse } from 'graphql';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateSigningKey, TokenKeys } from '../../platform/authentication/token-keys.js';
import { Tokens } from '../../platform/authentication/tokens.js';
import { eventually } from '../setup/until.js';

const readyTimeoutMs = 60_000;
const link = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';
/** The field that the second supergraph has and the first has not. */
const usersSdl = (more: string) =>
  `${link} type Query { users: [User!]! } type User @key(fields: "id") { id: ID! name: String ${more} }`;
const postsSdl = `${link} type User @key(fields: "id") { id: ID! posts: [String!] }`;

interface ForeignSubgraph {
  url: string;
  headers: IncomingHttpHeaders[];
  close(): Promise<void>;
}

async function startForeign(sdl: string, resolvers: object): Promise<ForeignSubgraph> {
  const schema = buildSubgraphSchema([{ typeDefs: parse(sdl), resolvers: resolvers as never }]);
  const headers: IncomingHttpHeaders[] = [];
  const server = createServer(async (request, response) => {
    headers.push(request.headers);
    const { query, variables } = JSON.parse(await text(request));
    const result = await graphql({ schema, source: query, variableValues: variables });
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    headers,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

interface Standalone {
  url: string;
  process: ChildProcess;
  output(): string;
  end(): Promise<void>;
}

/** @returns the exit status with the output where it ends before it is ready */
async function start(args: string[], env: Record<string, string> = {}): Promise<Standalone | [number | null, string]> {
  const child = spawn(
    process.execPath,
    ['--no-warnings', '--import', './tests/support/run-typescript.mjs', 'gateway/standalone.ts', ...args],
    { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
  );
  let output = '';
  const ready = Promise.withResolvers<string | undefined>();
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
      const url = /The gateway is ready at (\S+)/.exec(output)?.[1];
      if (url) ready.resolve(url);
    });
  }
  const exited = once(child, 'exit');
  void exited.then(() => ready.resolve(undefined));
  const timer = setTimeout(
    () => ready.reject(new Error(`Not ready in ${readyTimeoutMs} ms:\n${output}`)),
    readyTimeoutMs,
  );
  const url = await ready.promise.finally(() => clearTimeout(timer));
  if (url === undefined) return [((await exited) as [number | null])[0], output];
  return {
    url,
    process: child,
    output: () => output,
    end: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
    },
  };
}

async function startReady(args: string[], env: Record<string, string> = {}): Promise<Standalone> {
  const started = await start(args, env);
  if (Array.isArray(started)) throw new Error(`It ended with ${started[0]}:\n${started[1]}`);
  return started;
}

async function ask(url: string, query: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query }),
  });
  const body = (await response.json()) as {
    data?: unknown;
    errors?: { message: string; path?: unknown; extensions: { code: string } }[];
  };
  return { status: response.status, ...body };
}

let users: ForeignSubgraph;
let posts: ForeignSubgraph;
let directory: string;
let file: string;

const compose = (more: string): string => {
  const { supergraphSdl } = composeServices([
    { name: 'users', url: users.url, typeDefs: parse(usersSdl(more)) },
    { name: 'posts', url: posts.url, typeDefs: parse(postsSdl) },
  ]);
  return supergraphSdl!;
};

/** As deployments do it: whole, under another name first. */
async function replaceSupergraph(sdl: string): Promise<void> {
  await writeFile(`${file}.new`, sdl);
  await rename(`${file}.new`, file);
}

beforeAll(async () => {
  users = await startForeign(usersSdl('motto: String'), {
    Query: { users: () => [{ id: '1', name: 'Ada', motto: 'Why not?' }] },
    User: { __resolveReference: ({ id }: { id: string }) => ({ id, name: 'Ada' }) },
  });
  posts = await startForeign(postsSdl, {
    User: { __resolveReference: ({ id }: { id: string }) => ({ id, posts: [`of ${id}`] }) },
  });
  directory = await mkdtemp(join(tmpdir(), 'harborwatch-standalone-'));
  file = join(directory, 'supergraph.graphql');
  await writeFile(file, compose(''));
});

afterAll(async () => {
  await Promise.all([users?.close(), posts?.close()]);
  await rm(directory, { recursive: true, force: true });
});

describe('over two foreign subgraphs', () => {
  let gateway: Standalone;
  beforeAll(async () => {
    gateway = await startReady(['--supergraph', file, '--port', '0', '--no-auth'], { FORWARD_HEADERS: 'x-tenant' });
  });
  afterAll(() => gateway?.end());

  it('answers anybody, with fields of both, introspection included', async () => {
    const answer = await ask(gateway.url, '{ users { name posts } __type(name: "User") { name } }');
    expect(answer).toEqual({
      status: 200,
      data: { users: [{ name: 'Ada', posts: ['of 1'] }], __type: { name: 'User' } },
    });
  });

  it('sends on the headers that FORWARD_HEADERS names, and no token of its own', async () => {
    posts.headers.length = 0;
    await ask(gateway.url, '{ users { posts } }', { 'x-tenant': 'blue', 'x-other': 'red' });
    expect(posts.headers.at(-1)).toMatchObject({ 'x-tenant': 'blue' });
    expect(posts.headers.at(-1)).not.toHaveProperty('x-other');
    expect(posts.headers.at(-1)).not.toHaveProperty('authorization');
  });

  it('goes over to a new supergraph under load without one failed request, and refuses a broken one', async () => {
    let failed = 0;
    let answered = 0;
    let going = true;
    const load = Promise.all(
      Array.from({ length: 10 }, async (_, client) => {
        while (going) {
          const answer = await ask(gateway.url, `{ users { name posts a${client}${answered % 50}: id } }`).catch(
            () => undefined,
          );
          answered += 1;
          if (answer?.status !== 200 || answer.errors) failed += 1;
        }
      }),
    );
    await replaceSupergraph(compose('motto: String'));
    await eventually(async () => {
      expect((await ask(gateway.url, '{ users { motto } }')).data).toEqual({ users: [{ motto: 'Why not?' }] });
    });
    const before = gateway.output().length;
    await replaceSupergraph('type Query { broken }');
    await eventually(async () => expect(gateway.output().slice(before)).toContain('refused'));
    expect((await ask(gateway.url, '{ users { motto } }')).data).toEqual({ users: [{ motto: 'Why not?' }] });
    await replaceSupergraph(compose(''));
    await eventually(async () => {
      expect((await ask(gateway.url, '{ users { motto } }')).errors?.[0]?.extensions.code).toBe(
        'GRAPHQL_VALIDATION_FAILED',
      );
    });
    going = false;
    await load;
    expect(answered).toBeGreaterThan(20);
    expect(failed).toBe(0);
  });
});

it('asks for a token where --no-auth is not given, over HTTP as for health it does not', async () => {
  const key = await generateSigningKey();
  const gateway = await startReady(['--supergraph', file, '--port', '0'], { TOKEN_SIGNING_KEY: key });
  try {
    const refused = await ask(gateway.url, '{ users { name } }');
    expect([refused.status, refused.errors?.[0]?.extensions.code]).toEqual([401, 'UNAUTHENTICATED']);
    const claims = {
      userId: crypto.randomUUID(),
      orgId: crypto.randomUUID(),
      sessionId: crypto.randomUUID(),
      accessVersion: 1,
      tier: 'BASIC',
      capabilities: [],
    } as const;
    const { token } = await new Tokens(TokenKeys.fromText(key), 60).issue({ ...claims, capabilities: [] }, Date.now());
    const answer = await ask(gateway.url, '{ users { name } }', { authorization: `Bearer ${token}` });
    expect(answer).toEqual({ status: 200, data: { users: [{ name: 'Ada' }] } });
    expect((await fetch(new URL('/health/live', gateway.url))).status).toBe(200);
  } finally {
    await gateway.end();
  }
});

it('takes the tokens of an outside issuer, without a key of its own', async () => {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { modulusLength: 2_048 });
  const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256' }] };
  const issuer = createServer((_request, response) => response.end(JSON.stringify(keys)));
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
  const gateway = await startReady(['--supergraph', file, '--port', '0'], {
    OIDC_ISSUER: url,
    OIDC_AUDIENCE: 'here',
    OIDC_JWKS_URL: `${url}/keys`,
  });
  try {
    const tokenFor = (audience: string) =>
      new SignJWT({ org: 'anybody', scope: 'read write' })
        .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid: 'one' })
        .setIssuer(url)
        .setSubject('someone')
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime('1 minute')
        .sign(privateKey);
    const askAs = async (audience: string) =>
      ask(gateway.url, '{ users { name } }', { authorization: `Bearer ${await tokenFor(audience)}` });
    expect(await askAs('here')).toEqual({ status: 200, data: { users: [{ name: 'Ada' }] } });
    const refused = await askAs('elsewhere');
    expect([refused.status, refused.errors?.[0]?.extensions]).toEqual([
      401,
      { code: 'UNAUTHENTICATED', reason: 'AUDIENCE' },
    ]);
  } finally {
    await gateway.end();
    issuer.close();
  }
});

it('starts while its subgraphs are down, and says so field by field', async () => {
  const nowhere = composeServices([
    { name: 'users', url: 'http://127.0.0.1:9/graphql', typeDefs: parse(usersSdl('')) },
    { name: 'posts', url: posts.url, typeDefs: parse(postsSdl) },
  ]).supergraphSdl!;
  const other = join(directory, 'down.graphql');
  await writeFile(other, nowhere);
  const gateway = await startReady(['--supergraph', other, '--port', '0', '--no-auth']);
  try {
    const { status, data, errors } = await ask(gateway.url, '{ users { name } }');
    expect({ status, data, path: errors?.[0]?.path, code: errors?.[0]?.extensions.code }).toEqual({
      status: 200,
      data: null,
      path: ['users'],
      code: 'SUBGRAPH_UNAVAILABLE',
    });
  } finally {
    await gateway.end();
  }
});

it('tells what is wrong with its arguments and its supergraph, and ends with status 2', async () => {
  const broken = join(directory, 'broken.graphql');
  await writeFile(broken, 'type Query { a: Int }');
  const cases: [string[], string][] = [
    [[], '--supergraph FILE is missing'],
    [['--supergraph', file, '--what'], "Unknown option '--what'"],
    [['--supergraph', join(directory, 'absent.graphql'), '--no-auth'], 'cannot be read'],
    [['--supergraph', broken, '--no-auth'], 'cannot be served'],
    [['--supergraph', file, '--port', 'x', '--no-auth'], 'PORT "x" is not allowed'],
    [['--supergraph', file], 'TOKEN_SIGNING_KEY is not set'],
  ];
  for (const [args, message] of cases) {
    const ended = await start(args);
    expect(ended).toEqual([2, expect.stringContaining(message)]);
  }
});
