import { createHmac, generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, importJWK, type JWTHeaderParameters, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../tests/setup/until.js';
import type { HarborwatchError } from '../errors.js';
import { createLogger } from '../logging.js';
import { Authenticator } from './authenticator.js';
import { generateSigningKey, maxTokenLifeSeconds, rotateTokenKeys, TokenKeys } from './token-keys.js';
import { Tokens } from './tokens.js';

const quiet = createLogger('test', 'silent');
const claims = {
  userId: 'u',
  orgId: 'o',
  tier: 'PRO' as const,
  capabilities: [{ action: 'audit:read' as const, app: 'shop' }],
  sessionId: 's',
  accessVersion: 3,
};

const request = { remoteIp: null, requestId: 'r', deadline: Date.now() + 60_000 };
const ask = (tokens: Tokens, token: string) =>
  new Authenticator({ tokens, logger: quiet }).authenticate({ ...request, authorization: `Bearer ${token}` });

const verdict = async (work: Promise<unknown>) =>
  work.then(
    () => 'let in',
    ({ code, details }: HarborwatchError) => [code, ...(details.reason ? [details.reason] : [])].join(' '),
  );

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('an access token', () => {
  it('says who the caller is, what may be done and which session it is of', async () => {
    const tokens = new Tokens(TokenKeys.fromText(await generateSigningKey()), 900);
    const { token, expiresAt } = await tokens.issue(claims, Date.now());
    expect(await ask(tokens, token)).toEqual({
      orgId: 'o',
      subject: { kind: 'USER', id: 'u', userId: 'u' },
      capabilities: claims.capabilities,
      tier: 'PRO',
      sessionId: 's',
      accessVersion: 3,
      expiresAtMs: Date.parse(expiresAt),
      requestId: 'r',
      deadline: request.deadline,
    });
  });

  it('that is not one of ours, or not for now, is refused with the reason', async () => {
    const text = await generateSigningKey();
    const keys = TokenKeys.fromText(text);
    const tokens = new Tokens(keys, 900);
    const { kid } = keys.signer;
    const now = Math.floor(Date.now() / 1_000);
    const good = {
      iss: 'harborwatch',
      aud: 'harborwatch',
      sub: 'u',
      org: 'o',
      tier: 'PRO',
      cap: [],
      sid: 's',
      ver: 1,
      iat: now,
      exp: now + 60,
    };
    const sign = async (change: object, header: object = {}, key = text) =>
      new SignJWT({ ...good, ...change })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid, ...header } as JWTHeaderParameters)
        .sign(await importJWK(JSON.parse(key), 'EdDSA'));
    const token = await sign({});
    const [head, body, signature] = token.split('.') as [string, string, string];
    const other = await generateSigningKey();
    const publicPem = keys.signer.key && JSON.stringify(keys.published.keys[0]);
    const hs256 = encode({ alg: 'HS256', typ: 'at+jwt', kid });
    const hmac = createHmac('sha256', publicPem).update(`${hs256}.${body}`).digest('base64url');

    expect(await verdict(ask(tokens, token))).toBe('let in');
    const cases: [string, string, string][] = [
      ['cut off', token.slice(0, -10), 'UNAUTHENTICATED SIGNATURE'],
      ['cut in the middle', token.slice(0, token.length / 2), 'UNAUTHENTICATED MALFORMED'],
      ['no token', 'nonsense', 'UNAUTHENTICATED MALFORMED'],
      ['changed', `${head}.${encode({ ...good, org: 'other' })}.${signature}`, 'UNAUTHENTICATED SIGNATURE'],
      ['alg none', `${encode({ alg: 'none', typ: 'at+jwt', kid })}.${body}.`, 'UNAUTHENTICATED SIGNATURE'],
      ['alg none, signed', `${encode({ alg: 'none', kid })}.${body}.${signature}`, 'UNAUTHENTICATED SIGNATURE'],
      ['HS256 with the public key', `${hs256}.${body}.${hmac}`, 'UNAUTHENTICATED SIGNATURE'],
      ['foreign key under our id', await sign({}, {}, other), 'UNAUTHENTICATED SIGNATURE'],
      ['foreign key', await sign({}, { kid: 'foreign' }, other), 'UNAUTHENTICATED KEY'],
      ['key id of a path', await sign({}, { kid: '../../etc/passwd' }), 'UNAUTHENTICATED KEY'],
      ['no key id', await sign({}, { kid: undefined }), 'UNAUTHENTICATED KEY'],
      ['other issuer', await sign({ iss: 'https://evil.example' }), 'UNAUTHENTICATED ISSUER'],
      ['no issuer', await sign({ iss: undefined }), 'UNAUTHENTICATED ISSUER'],
      ['other audience', await sign({ aud: 'elsewhere' }), 'UNAUTHENTICATED AUDIENCE'],
      ['other type', await sign({}, { typ: 'hop+jwt' }), 'UNAUTHENTICATED MALFORMED'],
      ['no session', await sign({ sid: undefined }), 'UNAUTHENTICATED MALFORMED'],
      ['no version', await sign({ ver: undefined }), 'UNAUTHENTICATED MALFORMED'],
      ['no end', await sign({ exp: undefined }), 'UNAUTHENTICATED MALFORMED'],
      ['not yet', await sign({ nbf: now + 60 }), 'UNAUTHENTICATED NOT_YET_VALID'],
      ['issued tomorrow', await sign({ iat: now + 86_400, exp: now + 90_000 }), 'UNAUTHENTICATED NOT_YET_VALID'],
      ['expired', await sign({ iat: now - 60, exp: now - 1 }), 'TOKEN_EXPIRED'],
      ['older than any may be', await sign({ iat: now - maxTokenLifeSeconds - 60 }), 'TOKEN_EXPIRED'],
      ['a clock that is 3 s ahead', await sign({ nbf: now + 3, iat: now + 3 }), 'let in'],
    ];
    for (const [name, given, expected] of cases)
      expect([name, await verdict(ask(tokens, given))]).toEqual([name, expected]);
  });
});

describe('the keys of access tokens', () => {
  let dir: string;
  let file: string;
  const open: TokenKeys[] = [];
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'harborwatch-keys-'));
    file = join(dir, 'token-keys.json');
  });
  afterEach(async () => {
    for (const keys of open.splice(0)) keys.close();
    await rm(dir, { recursive: true });
  });
  const process = () => {
    const keys = TokenKeys.fromFile(file, quiet);
    open.push(keys);
    return new Tokens(keys, 900);
  };

  it('are rotated under load, in several processes, without one refused token', async () => {
    await rotateTokenKeys(file, Date.now());
    const [issuing, checking] = [process(), process()];
    const signers = new Set<string>();
    const verdicts = new Set<string>();
    let going = true;
    const load = Promise.all(
      Array.from({ length: 8 }, async () => {
        while (going) {
          const { token } = await issuing.issue(claims, Date.now());
          signers.add(issuing.keys.signer.kid);
          verdicts.add(await verdict(ask(checking, token)));
        }
      }),
    );
    const made = [];
    for (let i = 0; i < 3; i += 1) {
      const { kid } = await rotateTokenKeys(file, Date.now());
      made.push(kid);
      await eventually(() => expect(signers.has(kid)).toBe(true));
    }
    going = false;
    await load;
    expect(verdicts).toEqual(new Set(['let in']));
    expect(checking.keys.published.keys.map(({ kid }) => kid)).toEqual(expect.arrayContaining(made));
  });

  it('stay in a file of its user alone, of the old ones the public parts, until their last token has ended', async () => {
    const first = await generateSigningKey();
    await writeFile(file, first);
    const now = Date.now();
    const { kid, kept } = await rotateTokenKeys(file, now);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const { keys } = JSON.parse(await readFile(file, 'utf8'));
    expect(keys.map((key: any) => [key.kid, 'd' in key])).toEqual([
      [kid, true],
      [kept[0], false],
    ]);
    expect(JSON.stringify(keys)).not.toContain(JSON.parse(first).d);
    const later = await rotateTokenKeys(file, now + (maxTokenLifeSeconds + 120) * 1_000);
    expect(later.kept).toEqual([kid]);
  });

  it('are published without their private parts', async () => {
    await rotateTokenKeys(file, Date.now());
    const [published] = process().keys.published.keys;
    expect(Object.keys(published!).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x']);
  });

  it('that are taken away end their tokens, also those that were verified before', async () => {
    await rotateTokenKeys(file, Date.now());
    const tokens = process();
    const { token } = await tokens.issue(claims, Date.now());
    expect(await verdict(ask(tokens, token))).toBe('let in');
    await rotateTokenKeys(file, Date.now(), true);
    await eventually(async () => expect(await verdict(ask(tokens, token))).toBe('UNAUTHENTICATED KEY'));
  });

  it('stay as they are when the file is broken, and the next good one counts', async () => {
    await rotateTokenKeys(file, Date.now());
    const tokens = process();
    const { token } = await tokens.issue(claims, Date.now());
    await writeFile(file, '{"keys":[{"kty":"RSA"}]}');
    const foreign = new Tokens(TokenKeys.fromText(await generateSigningKey()), 900);
    const strange = (await foreign.issue(claims, Date.now())).token;
    expect(await verdict(ask(tokens, strange))).toBe('UNAUTHENTICATED KEY');
    expect(await verdict(ask(tokens, token))).toBe('let in');
    await writeFile(file, await generateSigningKey());
    await eventually(async () => expect(await verdict(ask(tokens, token))).toBe('UNAUTHENTICATED KEY'));
  });

  it('may be a set in a setting: the first private one signs, and public ones verify', async () => {
    const old = await generateSigningKey();
    const { token } = await new Tokens(TokenKeys.fromText(old), 900).issue(claims, Date.now());
    const { d, ...oldPublic } = JSON.parse(old);
    const present = JSON.parse(await generateSigningKey());
    const tokens = new Tokens(TokenKeys.fromText(JSON.stringify({ keys: [oldPublic, present] })), 900);
    expect(await verdict(ask(tokens, token))).toBe('let in');
    expect(await verdict(ask(tokens, (await tokens.issue(claims, Date.now())).token))).toBe('let in');
    expect(tokens.keys.signer.kid).toBe(TokenKeys.fromText(JSON.stringify(present)).signer.kid);
  });

  it('that are none are refused by name at the start, without a word of what stood there', async () => {
    const ec = await exportJWK(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
    for (const text of ['secret-nonsense', '{}', '{"keys":[]}', JSON.stringify(ec)]) {
      let message = '';
      try {
        TokenKeys.fromText(text);
      } catch (error) {
        message = `${(error as Error).name}: ${(error as Error).message}`;
      }
      expect(message).toMatch(/^ConfigError: TOKEN_SIGNING_KEY (holds|is) .*\bno\b/);
      expect(message).not.toMatch(/nonsense|"d"/);
    }
    expect(() => TokenKeys.fromFile(join(dir, 'absent'), quiet)).toThrow(
      /TOKEN_SIGNING_KEY_FILE .*absent cannot be used/,
    );
  });
});
