/** An issuer of tokens as others run it: metadata, keys and tokens, over real HTTP. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

/** A real issuer with keys that change, at an address that stays. */
export interface OutsideIssuer {
  url: string;
  /** Signs with a new key, and publishes no other. */
  rotate(): Promise<void>;
  /** A token for `alice` of the organisation `one`, but for what is changed. */
  token(change?: object, header?: object): Promise<string>;
  /** Answers nothing but 503 from now on. */
  stop(): void;
  start(): void;
  close(): Promise<void>;
}

export async function startOutsideIssuer(): Promise<OutsideIssuer> {
  let key: CryptoKey;
  let published: JWK;
  let kid = 0;
  let down = false;
  const server = createServer((request, response) => {
    if (down) response.writeHead(503).end();
    else if (request.url === '/.well-known/openid-configuration') {
      response.end(JSON.stringify({ issuer: url, jwks_uri: `${url}/keys` }));
    } else if (request.url === '/keys') response.end(JSON.stringify({ keys: [published] }));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const rotate = async () => {
    const pair = await generateKeyPair('ES256', { extractable: true });
    key = pair.privateKey;
    kid += 1;
    published = { ...(await exportJWK(pair.publicKey)), kid: `key-${kid}`, alg: 'ES256' };
  };
  await rotate();
  return {
    url,
    rotate,
    token: async (change = {}, header = {}) => {
      const now = Math.floor(Date.now() / 1_000);
      const claims = { iss: url, aud: 'harborwatch-api', sub: 'alice', org: 'one', iat: now, exp: now + 60, ...change };
      const head = { alg: 'ES256', typ: 'JWT', kid: `key-${kid}`, ...header };
      return new SignJWT(claims).setProtectedHeader(head).sign(key);
    },
    stop: () => {
      down = true;
    },
    start: () => {
      down = false;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
