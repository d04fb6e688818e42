import { createPrivateKey, sign } from 'node:crypto';
import { importJWK, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestPlatform, type TestPlatform } from '../tests/setup/database.js';
import { eventually } from '../tests/setup/until.js';
import { generateSigningKey } from './authentication/token-keys.js';
import type { HarborwatchError } from './errors.js';
import { type HopCaller, HopSigner, HopVerifier } from './hop-tokens.js';
import { connectRedis } from './redis.js';

let base: TestPlatform;
let key: string;
let signer: HopSigner;
let verifier: HopVerifier;
beforeAll(async () => {
  base = await createTestPlatform();
  key = await generateSigningKey();
  signer = new HopSigner(key);
  verifier = new HopVerifier(publicHalf(key), base.platform.redis, base.platform.logger);
});
afterAll(() => base.close());

const publicHalf = (privateKey: string): string => {
  const { d: _, ...jwk } = JSON.parse(privateKey);
  return JSON.stringify(jwk);
};
const body = '{"query":"{ jobs { nodes { id } } }"}';
const caller = (): HopCaller => ({ identity: base.orgs[0], remoteIp: '10.1.2.3', requestId: 'request-1' });
const soon = () => Date.now() + 5_000;
const verify = (token: string, given = body, subgraph = 'jobs', by = verifier) =>
  by.verify(`Bearer ${token}`, subgraph, () => given);
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: HarborwatchError) => error.code,
  );
/** A token with other claims, signed with the right key. */
const forged = (change: (claims: Record<string, unknown>) => object, head?: object) => {
  const [header, payload] = signer.sign('jobs', body, caller(), soon()).split('.');
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString());
  const input = `${head ? encode(head) : header}.${encode(change(claims))}`;
  const privateKey = createPrivateKey({ key: JSON.parse(key), format: 'jwk' });
  return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`;
};

describe('a hop token', () => {
  it('gives the subgraph all of the identity that the gateway has, and the call’s deadline', async () => {
    const identity = {
      ...base.orgs[0],
      capabilities: [{ action: 'audit:read', app: 'Shop', class: 'Order' } as const],
      expiresAtMs: Date.now() + 900_000,
      deadline: Date.now() + 35_000,
    };
    const deadline = soon();
    const { call } = await verify(signer.sign('jobs', body, { ...caller(), identity }, deadline));
    expect(call).toEqual({
      identity: { ...identity, deadline },
      remoteIp: '10.1.2.3',
      requestId: 'request-1',
      deadline,
    });
  });

  it('never gives an identity to a caller without one', async () => {
    const anonymous = { identity: undefined, remoteIp: null, requestId: 'request-2' };
    const { call } = await verify(signer.sign('jobs', body, anonymous, soon()));
    expect(call.identity).toBeUndefined();
  });

  it('is a JWT that other libraries read, and lives for the call, at most 60 seconds', async () => {
    const read = async (deadline: number) => {
      const publicKey = await importJWK(JSON.parse(publicHalf(key)), 'EdDSA');
      return (await jwtVerify(signer.sign('jobs', body, caller(), deadline), publicKey, { audience: 'jobs' })).payload;
    };
    const short = await read(Date.now() + 2_000);
    expect(short.exp! - short.iat!).toBeLessThanOrEqual(3);
    const long = await read(Date.now() + 3_600_000);
    expect(long.exp! - long.iat!).toBe(60);
  });

  it('is taken once, by all processes together', async () => {
    const token = signer.sign('jobs', body, caller(), soon());
    const otherRedis = connectRedis(base.env.REDIS_URL!, base.env.REDIS_PREFIX!, base.platform.logger);
    await eventually(async () => expect(await otherRedis.ping()).toBe(true));
    const otherProcess = new HopVerifier(key, otherRedis, base.platform.logger);
    const outcomes = await Promise.all([
      ...Array.from({ length: 10 }, () => codeOf(verify(token))),
      ...Array.from({ length: 10 }, () => codeOf(verify(token, body, 'jobs', otherProcess))),
    ]);
    expect(outcomes.filter((code) => code === undefined)).toHaveLength(1);
    expect(outcomes.filter((code) => code === 'HOP_TOKEN_INVALID')).toHaveLength(19);
    await otherRedis.close();
  });

  it('is taken once by a process whose Redis is away', async () => {
    const away = connectRedis('redis://127.0.0.1:1', 'none', base.platform.logger);
    const alone = new HopVerifier(key, away, base.platform.logger);
    const token = signer.sign('jobs', body, caller(), soon());
    expect(await codeOf(verify(token, body, 'jobs', alone))).toBeUndefined();
    expect(await codeOf(verify(token, body, 'jobs', alone))).toBe('HOP_TOKEN_INVALID');
    await away.close();
  });

  it('does not hold for another body, another subgraph, or a changed claim', async () => {
    const token = () => signer.sign('jobs', body, caller(), soon());
    expect(await codeOf(verify(token(), `${body} `))).toBe('HOP_TOKEN_INVALID');
    expect(await codeOf(verify(token(), body, 'audit'))).toBe('HOP_TOKEN_INVALID');
    const [header, payload, signature] = token().split('.');
    const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString());
    claims.identity.orgId = base.orgs[1].orgId;
    const changed = Buffer.from(JSON.stringify(claims)).toString('base64url');
    expect(await codeOf(verify(`${header}.${changed}.${signature}`))).toBe('HOP_TOKEN_INVALID');
  });

  it.each([
    ['nothing', ''],
    ['no JWT', 'x'],
    ['a token of no algorithm', `${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.`],
    ['an empty signature', 'a.b.'],
  ])('is refused when it is %s', async (_name, token) => {
    expect(await codeOf(verify(token))).toBe('HOP_TOKEN_INVALID');
  });

  it('is refused when it is expired, from the future, of long life, of another issuer, kind or key', async () => {
    const now = Math.floor(Date.now() / 1000);
    const cases = [
      forged((claims) => ({ ...claims, iat: now - 70, exp: now - 10 })),
      forged((claims) => ({ ...claims, iat: now + 60, exp: now + 90 })),
      forged((claims) => ({ ...claims, exp: now + 3_600 })),
      forged((claims) => ({ ...claims, iss: 'harborwatch' })),
      forged((claims) => claims, { alg: 'EdDSA', typ: 'at+jwt' }),
      new HopSigner(await generateSigningKey()).sign('jobs', body, caller(), soon()),
    ];
    for (const token of cases) expect(await codeOf(verify(token))).toBe('HOP_TOKEN_INVALID');
    expect(await codeOf(verify(forged((claims) => claims)))).toBeUndefined();
  });

  it('is no access token, and an access token is none', async () => {
    const { orgId, subject, tier, capabilities } = base.orgs[0];
    const sameKey = new HopVerifier(base.env.TOKEN_SIGNING_KEY!, base.platform.redis, base.platform.logger);
    const claims = {
      orgId,
      tier,
      capabilities,
      userId: subject.userId!,
      sessionId: crypto.randomUUID(),
      accessVersion: 1,
    };
    const { token } = await base.platform.tokens.issue(claims, Date.now());
    expect(await codeOf(verify(token, body, 'jobs', sameKey))).toBe('HOP_TOKEN_INVALID');
    const hop = new HopSigner(base.env.TOKEN_SIGNING_KEY!).sign('harborwatch', body, caller(), soon());
    expect(await codeOf(base.platform.tokens.verify(hop))).toBe('UNAUTHENTICATED');
  });

  it('answers SUBGRAPH_TIMEOUT when the time of its call is over', async () => {
    expect(await codeOf(verify(signer.sign('jobs', body, caller(), Date.now() - 1)))).toBe('SUBGRAPH_TIMEOUT');
  });

  it('tells a stranger nothing of what was wrong', async () => {
    await expect(verify('x')).rejects.toThrow(/^This address answers its gateway alone\.$/);
  });
});
