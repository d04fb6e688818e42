/** Who is let in at the gateway's doors, who is not, and how access ends while it is used. */
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import type { JWK } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { hashOfSecret, newSalt, newSecret, publicPart, signingSecret } from '../platform/authentication/api-keys.js';
import { type EndedAccess, endAccess } from '../platform/authentication/end-access.js';
import type { Capability, Identity } from '../platform/identity.js';
import { createLogger } from '../platform/logging.js';
import type { Platform } from '../platform/platform.js';
import { subgraphs } from '../subgraphs/index.js';
import { createTestPlatform, type TestPlatform } from '../tests/setup/database.js';
import { type Callers, callersOf } from '../tests/setup/gateway.js';
import { type OutsideIssuer, startOutsideIssuer } from '../tests/setup/outside-issuer.js';
import { eventually } from '../tests/setup/until.js';
import type { RunningEdge } from './edge.js';
import { startGateway } from './server.js';
import { RawSocket } from './subscriptions/raw-socket.js';

const endWithinMs = 5_000;

let base: TestPlatform;
let platform: Platform;
let edge: RunningEdge;
let callers: Callers;
let one: Identity;
let two: Identity;
let issuer: OutsideIssuer;
const lines: string[] = [];

const start = async () =>
  startGateway(platform, {
    supergraphSdl: await readFile('schema/supergraph.graphql', 'utf8'),
    subgraphs,
    pagesDirectory: 'dist/public/graphiql/',
    port: 0,
    host: '127.0.0.1',
  });

beforeAll(async () => {
  issuer = await startOutsideIssuer();
  base = await createTestPlatform({
    OIDC_ISSUER: issuer.url,
    OIDC_AUDIENCE: 'harborwatch-api',
    TRUSTED_PROXIES: '127.0.0.0/8',
  });
  [one, two] = base.orgs;
  const logger = createLogger('test', 'debug', { write: (line) => void lines.push(line) });
  platform = { ...base.platform, logger };
  edge = await start();
  callers = callersOf(edge.url, platform);
});
afterAll(async () => {
  await edge.drain();
  await base.close();
  await issuer.close();
});

interface Answer {
  status: number;
  data?: any;
  code?: string;
  reason?: string;
}

async function send(
  headers: Record<string, string>,
  body: string | Buffer = viewer,
  path = '/graphql',
): Promise<Answer> {
  const response = await fetch(edge.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: body as string,
  });
  const { data, errors, ...rest } = (await response.json()) as any;
  const { code, reason } = errors?.[0]?.extensions ?? {};
  return { status: response.status, data: data ?? rest, code, reason };
}
const viewer = '{"query":"{ viewer { user { email } org { slug } capabilities { action app } } }"}';
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

let keys = 0;
interface KeyOptions {
  kind?: 'BEARER' | 'SIGNING';
  capabilities?: Capability[];
  userId?: string;
  expiresAt?: string;
}
/** A key of an organisation's administrator, or of another user. */
async function makeKey(org: Identity, options: KeyOptions = {}) {
  const { kind = 'BEARER', capabilities = org.capabilities, userId = org.subject.userId, expiresAt = null } = options;
  const id = crypto.randomUUID();
  const salt = kind === 'SIGNING' ? newSalt() : null;
  const secret = salt ? signingSecret(base.env.API_KEY_SECRET!, salt, id) : newSecret();
  await platform.postgres.withOrg(org, (tx) =>
    tx.query(
      `INSERT INTO api_keys (org_id, id, user_id, name, kind, secret_hash, salt, capabilities, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [
        org.orgId,
        id,
        userId,
        `key ${++keys}`,
        kind,
        hashOfSecret(secret),
        salt,
        JSON.stringify(capabilities),
        expiresAt,
      ],
    ),
  );
  return { id, key: publicPart(org.orgId, id), secret, text: `${publicPart(org.orgId, id)}.${secret}` };
}

async function makeUser(org: Identity, roles: string[]): Promise<string> {
  const [user] = await platform.postgres.withOrg(org, (tx) =>
    tx.query<{ id: string }>('INSERT INTO users (org_id, email, name, roles) VALUES ($1, $2, $3, $4) RETURNING id', [
      org.orgId,
      `user${++keys}@one.example`,
      'Somebody',
      roles,
    ]),
  );
  return user!.id;
}

const end = (org: Identity, ended: EndedAccess) =>
  platform.postgres.withOrg(org, (tx) => endAccess(tx, org.orgId, ended));

const sign = (key: { key: string; secret: string }, body: string | Buffer, at = Date.now(), secret = key.secret) => ({
  'x-logtrust-apikey': key.key,
  'x-logtrust-timestamp': String(at),
  'x-logtrust-sign': createHmac('sha256', secret).update(key.key).update(body).update(String(at)).digest('hex'),
});

describe('access tokens', () => {
  it('end with their session, at once and for good', async () => {
    const sessionId = crypto.randomUUID();
    const token = await callers.tokenFor({ ...one, sessionId });
    expect((await send(bearer(token))).status).toBe(200);
    await end(one, { kind: 'SESSION', sessionId });
    await eventually(async () =>
      expect(await send(bearer(token))).toMatchObject({ status: 401, code: 'TOKEN_REVOKED' }),
    );
    expect((await send(bearer(await callers.tokenFor(one)))).status).toBe(200);
  });

  it('end when the rights of their user change, and those of the new version do not', async () => {
    const userId = await makeUser(one, ['VIEWER']);
    const user = { ...one, subject: { kind: 'USER' as const, id: userId, userId }, accessVersion: 1 };
    const token = await callers.tokenFor(user);
    expect((await send(bearer(token))).status).toBe(200);
    await end(one, { kind: 'USER', userId, accessVersion: 2 });
    await eventually(async () => expect((await send(bearer(token))).code).toBe('TOKEN_REVOKED'));
    expect((await send(bearer(await callers.tokenFor({ ...user, accessVersion: 2 })))).status).toBe(200);
  });

  it('of one organisation do not end by what another organisation ends', async () => {
    const sessionId = crypto.randomUUID();
    const token = await callers.tokenFor({ ...one, sessionId });
    const own = await callers.tokenFor({ ...two, sessionId });
    await end(two, { kind: 'SESSION', sessionId });
    await eventually(async () => expect((await send(bearer(own))).code).toBe('TOKEN_REVOKED'));
    expect((await send(bearer(token))).status).toBe(200);
  });

  it('that ended before a gateway started are refused by it from its first request on', async () => {
    const sessionId = crypto.randomUUID();
    await end(one, { kind: 'SESSION', sessionId });
    const token = await callers.tokenFor({ ...one, sessionId });
    const other = await start();
    try {
      const answer = await fetch(`${other.url}/graphql`, { method: 'POST', headers: bearer(token), body: viewer });
      expect(((await answer.json()) as any).errors[0].extensions.code).toBe('TOKEN_REVOKED');
    } finally {
      await other.drain();
    }
  });

  it('that end while the connection to PostgreSQL is broken are refused when it is back', async () => {
    const sessionId = crypto.randomUUID();
    const token = await callers.tokenFor({ ...one, sessionId });
    const socket = await RawSocket.connect(edge.url, token);
    await base.database.asSuperuser(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = 'harborwatch_system'`,
    );
    await end(one, { kind: 'SESSION', sessionId });
    await eventually(() => expect(socket.closed?.code).toBe(4403), endWithinMs);
    expect((await send(bearer(token))).code).toBe('TOKEN_REVOKED');
  });

  it('end at once also while a long transaction keeps the outbox back', async () => {
    const sessionId = crypto.randomUUID();
    const token = await callers.tokenFor({ ...one, sessionId });
    const socket = await RawSocket.connect(edge.url, token);
    await platform.postgres.withOrg(one, async (tx) => {
      await tx.query('SELECT pg_current_xact_id()');
      await end(one, { kind: 'SESSION', sessionId });
      await eventually(() => expect(socket.closed?.code).toBe(4403), endWithinMs);
    });
  });

  it('can be checked by others with the published keys', async () => {
    const response = await fetch(`${edge.url}/.well-known/jwks.json`);
    expect(response.headers.get('cache-control')).toBe('public, max-age=300');
    const { keys: published } = (await response.json()) as { keys: JWK[] };
    expect(published).toEqual(platform.tokens.keys.published.keys);
    expect(JSON.stringify(published)).not.toContain('"d"');
  });
});

describe('connections that are open when access ends', () => {
  const tail = { query: 'subscription { eventTail(dataset: "logs") { cursor } }' };
  const closing: [string, () => Promise<[string, () => Promise<void>]>][] = [
    [
      'a session',
      async () => {
        const sessionId = crypto.randomUUID();
        return [await callers.tokenFor({ ...one, sessionId }), () => end(one, { kind: 'SESSION', sessionId })];
      },
    ],
    [
      'the rights of a user',
      async () => {
        const userId = await makeUser(one, ['VIEWER']);
        const token = await callers.tokenFor({ ...one, subject: { kind: 'USER', id: userId, userId } });
        return [token, () => end(one, { kind: 'USER', userId, accessVersion: 2 })];
      },
    ],
    [
      'an API key',
      async () => {
        const key = await makeKey(one);
        return [key.text, () => end(one, { kind: 'API_KEY', keyId: key.id })];
      },
    ],
  ];
  for (const [name, make] of closing) {
    it(`are closed within 5 s of the end of ${name}, and others stay`, async () => {
      const [token, endIt] = await make();
      const socket = await RawSocket.connect(edge.url, token);
      socket.send({ id: '1', type: 'subscribe', payload: tail });
      const other = await RawSocket.connect(edge.url, await callers.tokenFor(one));
      const stream = await fetch(`${edge.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...bearer(token) },
        body: JSON.stringify(tail),
      });
      expect(stream.status).toBe(200);
      const text = stream.text();
      await endIt();
      const ended = Date.now();
      await eventually(() => expect(socket.closed?.code).toBe(4403), endWithinMs);
      expect(socket.closed?.reason).toMatch(/^TOKEN_REVOKED: /);
      expect(await text).toMatch(/"code":"TOKEN_REVOKED".*event: complete/s);
      expect(Date.now() - ended).toBeLessThan(endWithinMs);
      expect(other.closed).toBeUndefined();
      other.webSocket.close();
      const late = await RawSocket.open(edge.url);
      late.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
      await eventually(() => expect(late.closed).toMatchObject({ code: 4401 }));
      expect(late.closed?.reason).toMatch(/^TOKEN_REVOKED: /);
    });
  }

  it('of an API key end when the key does', async () => {
    const key = await makeKey(one, { expiresAt: new Date(Date.now() + 1_500).toISOString() });
    const socket = await RawSocket.connect(edge.url, key.text);
    await eventually(() => expect(socket.closed?.code).toBe(4401), endWithinMs);
    expect(await send(bearer(key.text))).toMatchObject({ status: 401, code: 'TOKEN_EXPIRED' });
  });
});

describe('API keys', () => {
  it('are refused in time while they cannot be looked up, and taken as soon as they can', async () => {
    const key = await makeKey(one);
    const letGo = await base.database.hold('LOCK TABLE app.api_keys IN ACCESS EXCLUSIVE MODE');
    const asked = performance.now();
    expect(await send(bearer(key.text))).toMatchObject({ status: 503, code: 'SERVICE_UNAVAILABLE' });
    expect(performance.now() - asked).toBeLessThan(10_000);
    // A client library takes 4401 for the last word.
    expect((await RawSocket.connect(edge.url, key.text)).closed).toMatchObject({
      code: 1013,
      reason: expect.stringMatching(/^SERVICE_UNAVAILABLE: /),
    });
    await letGo();
    expect((await send(bearer(key.text))).status).toBe(200);
  });

  it('of which there are none are looked up so many at a time, and the rest is refused at once', async () => {
    const guess = () => `${publicPart(one.orgId, crypto.randomUUID())}.${newSecret()}`;
    const letGo = await base.database.hold('LOCK TABLE app.api_keys IN ACCESS EXCLUSIVE MODE');
    const messageOf = async () => {
      const headers = { 'content-type': 'application/json', ...bearer(guess()) };
      const response = await fetch(`${edge.url}/graphql`, { method: 'POST', headers, body: viewer });
      return ((await response.json()) as any).errors[0].message;
    };
    const messages = await Promise.all(Array.from({ length: 230 }, messageOf));
    expect(messages.filter((message) => message.startsWith('Too many API keys'))).toHaveLength(30);
    await letGo();
    const key = await makeKey(one);
    await eventually(async () => expect((await send(bearer(key.text))).status).toBe(200));
  });

  it('may do what they and the user behind them both may, and are seen to be used', async () => {
    const userId = await makeUser(one, ['VIEWER']);
    const capabilities: Capability[] = [{ action: 'events:read' }, { action: 'audit:read', app: 'shop' }];
    const key = await makeKey(one, { userId, capabilities });
    expect((await send(bearer(key.text))).data.viewer.capabilities).toEqual([{ action: 'events:read', app: null }]);
    await eventually(async () => {
      const [row] = await platform.postgres.withOrg(one, (tx) =>
        tx.query<any>('SELECT last_used_at FROM api_keys WHERE id = $1', [key.id]),
      );
      expect(Date.now() - Date.parse(row.last_used_at)).toBeLessThan(60_000);
    });
    await platform.postgres.withOrg(one, async (tx) => {
      await tx.query(`UPDATE users SET roles = '{AUDITOR}', access_version = 2 WHERE id = $1`, [userId]);
      await endAccess(tx, one.orgId, { kind: 'USER', userId, accessVersion: 2 });
    });
    await eventually(async () =>
      expect((await send(bearer(key.text))).data.viewer.capabilities).toEqual([{ action: 'audit:read', app: 'shop' }]),
    );
  });

  it('that are wrong, of another organisation, public, for signing or of a disabled user are refused', async () => {
    const key = await makeKey(one);
    const signing = await makeKey(one, { kind: 'SIGNING' });
    const disabled = await makeUser(one, ['VIEWER']);
    const orphan = await makeKey(one, { userId: disabled });
    await platform.postgres.withOrg(one, (tx) =>
      tx.query('UPDATE users SET disabled_at = now() WHERE id = $1', [disabled]),
    );
    const cases: [string, string, string][] = [
      ['wrong secret', `${key.key}.${newSecret()}`, 'KEY'],
      ['ids swapped', `${publicPart(two.orgId, key.id)}.${key.secret}`, 'KEY'],
      ['no such key', `${publicPart(one.orgId, crypto.randomUUID())}.${key.secret}`, 'KEY'],
      ['no such organisation', `${publicPart(crypto.randomUUID(), key.id)}.${key.secret}`, 'KEY'],
      ['public part alone', key.key, 'KEY'],
      ['signing', `${signing.key}.${signing.secret}`, 'KEY'],
      ['disabled user', orphan.text, 'KEY'],
      ['cut off', key.text.slice(0, -1), 'MALFORMED'],
    ];
    for (const [name, text, reason] of cases) {
      expect([name, await send(bearer(text))]).toEqual([
        name,
        expect.objectContaining({ status: 401, code: 'UNAUTHENTICATED', reason }),
      ]);
    }
    expect((await send(bearer(key.text))).status).toBe(200);
  });

  it('that are guessed in a flood are looked up once each, and not once a guess', async () => {
    const lookUps = vi.spyOn(platform.postgres, 'withOrg');
    const [known, missing] = [(await makeKey(one)).key, publicPart(one.orgId, crypto.randomUUID())];
    lookUps.mockClear();
    const guesses = Array.from({ length: 60 }, (_, i) => `${i % 2 ? known : missing}.${newSecret()}`);
    const answers = await Promise.all(guesses.map((guess) => send(bearer(guess))));
    expect(answers.every(({ reason }) => reason === 'KEY')).toBe(true);
    const askedBy = lookUps.mock.calls.map(([identity]) => identity.subject.id);
    expect(askedBy.filter((part) => part === 'authentication').length).toBe(2);
    lookUps.mockRestore();
  });
});

describe('signed requests', () => {
  it('are let in as their key, also over GET, gzipped and for bulk ingest', async () => {
    const key = await makeKey(one, { kind: 'SIGNING' });
    expect((await send(sign(key, viewer), viewer)).data.viewer.org.slug).toBe('one');
    const query = new URLSearchParams({ query: '{ viewer { org { slug } } }' });
    const got = await fetch(`${edge.url}/graphql?${query}`, {
      headers: { ...sign(key, ''), 'apollo-require-preflight': '1' },
    });
    expect(((await got.json()) as any).data.viewer.org.slug).toBe('one');
    const lines = Buffer.from(`${JSON.stringify({ timestamp: new Date().toISOString(), message: 'signed' })}\n`);
    const zipped = gzipSync(lines);
    const ingested = await send({ ...sign(key, zipped), 'content-encoding': 'gzip' }, zipped, '/ingest/logs');
    expect(ingested).toMatchObject({ status: 200, data: { accepted: 1 } });
    // Signed as it was before it was packed: not what went over the wire.
    expect(await send({ ...sign(key, lines), 'content-encoding': 'gzip' }, zipped, '/ingest/logs')).toMatchObject({
      code: 'SIGNATURE_INVALID',
      reason: 'SIGNATURE',
    });
  });

  it('with another body, time, key or secret are refused with the reason, and so are replays after 5 minutes', async () => {
    const key = await makeKey(one, { kind: 'SIGNING' });
    const plain = await makeKey(one);
    const now = Date.now();
    const changed = viewer.replace('email', 'name');
    const cases: [string, Record<string, string>, string, string][] = [
      ['changed body', sign(key, viewer), changed, 'SIGNATURE'],
      ['replayed', sign(key, viewer, now - 301_000), viewer, 'TIME'],
      ['from the future', sign(key, viewer, now + 301_000), viewer, 'TIME'],
      ['another time', { ...sign(key, viewer), 'x-logtrust-timestamp': String(now + 1_000) }, viewer, 'SIGNATURE'],
      ['another secret', sign(key, viewer, now, newSecret()), viewer, 'SIGNATURE'],
      ['a bearer key', sign(plain, viewer), viewer, 'KEY'],
      ['a whole bearer key', { ...sign(plain, viewer), 'x-logtrust-apikey': plain.text }, viewer, 'KEY'],
      ['ids swapped', sign({ ...key, key: publicPart(two.orgId, key.id) }, viewer), viewer, 'KEY'],
      ['no signature', { 'x-logtrust-apikey': key.key, 'x-logtrust-timestamp': String(now) }, viewer, 'HEADERS'],
      ['no time', { ...sign(key, viewer), 'x-logtrust-timestamp': 'now' }, viewer, 'HEADERS'],
    ];
    for (const [name, headers, body, reason] of cases) {
      const answer = await send(headers, body);
      expect([name, answer.status, answer.code, answer.reason]).toEqual([name, 401, 'SIGNATURE_INVALID', reason]);
    }
    const large = `{"query":"${' '.repeat(1_100_000)}"}`;
    expect(await send(sign(key, large), large)).toMatchObject({ status: 413, code: 'PAYLOAD_TOO_LARGE' });
    await end(one, { kind: 'API_KEY', keyId: key.id });
    await eventually(async () => expect((await send(sign(key, viewer), viewer)).code).toBe('TOKEN_REVOKED'));
  });
});

describe('tokens of an outside issuer', () => {
  it('let their users in, by the roles that they carry and what is given to the user here', async () => {
    const token = await issuer.token({
      email: 'Alice@corp.example',
      name: 'Alice',
      roles: ['auditor', 'platform_admin', 'x'],
    });
    const { data } = await send(bearer(token));
    expect(data.viewer.user.email).toBe('alice@corp.example');
    expect(data.viewer.org.slug).toBe('one');
    const actions = data.viewer.capabilities.map(({ action }: any) => action);
    expect(actions).toEqual(['org:read', 'audit:read', 'analytics:read']);
    await platform.postgres.withOrg(one, async (tx) => {
      const [user] = await tx.query<any>(
        `UPDATE users SET capabilities = '[{"action":"jobs:read"}]', access_version = access_version + 1
          WHERE email = 'alice@corp.example' RETURNING id, access_version`,
      );
      await endAccess(tx, one.orgId, { kind: 'USER', userId: user.id, accessVersion: user.access_version });
    });
    await eventually(async () =>
      expect((await send(bearer(token))).data.viewer.capabilities).toContainEqual({ action: 'jobs:read', app: null }),
    );
    await platform.postgres.withOrg(one, async (tx) => {
      const [user] = await tx.query<any>(
        `UPDATE users SET disabled_at = now(), access_version = access_version + 1
          WHERE email = 'alice@corp.example' RETURNING id, access_version`,
      );
      await endAccess(tx, one.orgId, { kind: 'USER', userId: user.id, accessVersion: user.access_version });
    });
    await eventually(async () => expect(await send(bearer(token))).toMatchObject({ status: 401, reason: 'KEY' }));
  });

  it('never become the user who has the same address here', async () => {
    const answer = await send(bearer(await issuer.token({ sub: 'mallory', email: 'admin@one.example' })));
    expect(answer.data.viewer.user.email).toMatch(/^[0-9a-f]{32}@outside\.invalid$/);
    expect(answer.data.viewer.capabilities).toEqual([]);
    const unproven = await issuer.token({ sub: 'trudy', email: 'boss@one.example', email_verified: false });
    expect((await send(bearer(unproven))).data.viewer.user.email).toMatch(/^[0-9a-f]{32}@outside\.invalid$/);
  });

  it('that are not for us, not for now or not of the issuer are refused with the reason', async () => {
    const now = Math.floor(Date.now() / 1_000);
    const cases: [string, string, string | undefined][] = [
      ['audience', await issuer.token({ aud: 'elsewhere' }), 'AUDIENCE'],
      ['issuer', await issuer.token({ iss: 'https://evil.example' }), 'ISSUER'],
      ['our issuer', await issuer.token({ iss: 'harborwatch', aud: 'harborwatch' }, { typ: 'at+jwt' }), 'SIGNATURE'],
      ['not yet', await issuer.token({ nbf: now + 60 }), 'NOT_YET_VALID'],
      ['expired', await issuer.token({ exp: now - 1 }), undefined],
      ['an id token', await issuer.token({}, { typ: 'id+jwt' }), 'MALFORMED'],
      ['no organisation', await issuer.token({ org: undefined }), 'MALFORMED'],
      ['unknown organisation', await issuer.token({ org: 'nowhere' }), 'MALFORMED'],
      ['foreign key', await issuer.token({}, { kid: 'foreign' }), 'KEY'],
    ];
    for (const [name, token, reason] of cases) {
      const code = reason === undefined ? 'TOKEN_EXPIRED' : 'UNAUTHENTICATED';
      expect([name, await send(bearer(token))]).toEqual([name, expect.objectContaining({ status: 401, code, reason })]);
    }
  });

  it('go on through a rotation of the issuer’s keys and its restart; while its keys cannot be had, nobody new gets in', async () => {
    const known = await issuer.token({ sub: 'bob' });
    expect((await send(bearer(known))).status).toBe(200);
    issuer.stop();
    await issuer.rotate();
    const fresh = await issuer.token({ sub: 'bob' });
    await eventually(async () =>
      expect(await send(bearer(fresh))).toMatchObject({ status: 503, code: 'SERVICE_UNAVAILABLE' }),
    );
    expect((await send(bearer(known))).status).toBe(200);
    issuer.start();
    await eventually(async () => expect((await send(bearer(fresh))).status).toBe(200));
  });
});

describe('what is written down', () => {
  it('is one line for each refusal, with its reason and the caller’s address behind the proxy, and no secret', async () => {
    const key = await makeKey(one);
    const wrong = `${key.key}.${newSecret()}`;
    const requestId = crypto.randomUUID();
    await send({ ...bearer(wrong), 'x-request-id': requestId, 'x-forwarded-for': '6.6.6.6, 203.0.113.9, 127.0.0.2' });
    const told = lines.filter((line) => line.includes(requestId)).map((line) => JSON.parse(line));
    expect(told).toMatchObject([{ code: 'UNAUTHENTICATED', reason: 'KEY', remoteIp: '203.0.113.9' }]);
    const token = await callers.tokenFor(one);
    await send(bearer(`${token}x`));
    const log = lines.join('');
    for (const secret of [key.secret, wrong.split('.')[1]!, token.split('.')[2]!]) expect(log).not.toContain(secret);
    expect(log).not.toMatch(/eyJ[\w-]+\.[\w-]+\./);
  });
});
