/** Access tokens: JWTs signed with Ed25519, by jose. */
import {
  calculateJwkThumbprint,
  errors,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  jwtVerify,
  SignJWT,
} from 'jose';
import { LRUCache } from 'lru-cache';
import { fail } from './errors.js';
import type { Capability, Tier } from './identity.js';

/** What an access token says. */
export interface AccessClaims {
  userId: string;
  orgId: string;
  tier: Tier;
  capabilities: Capability[];
}

const issuer = 'harborwatch';
const audience = 'harborwatch';
const type = 'at+jwt';
/** How many tokens that were found good are remembered, each until its end: a signature takes 0.1 ms to check. */
const maxVerified = 10_000;

type VerifiedClaims = AccessClaims & { expiresAtMs: number };

/** A new private signing key as JSON, for the secrets file. */
export async function generateSigningKey(): Promise<string> {
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  return JSON.stringify(await exportJWK(privateKey));
}

export class Tokens {
  readonly #jwk: JWK;
  readonly #lifeSeconds: number;
  readonly #verified = new LRUCache<string, VerifiedClaims>({ max: maxVerified });

  /** @param signingKey a private Ed25519 JWK as JSON */
  constructor(signingKey: string, lifeSeconds: number) {
    this.#jwk = JSON.parse(signingKey) as JWK;
    this.#lifeSeconds = lifeSeconds;
  }

  /** A token for these claims. @returns it with the moment of its end, RFC 3339 */
  async issue(claims: AccessClaims, nowMs: number): Promise<{ token: string; expiresAt: string }> {
    const issuedAt = Math.floor(nowMs / 1000);
    const expiresAt = issuedAt + this.#lifeSeconds;
    const key = await importJWK(this.#jwk, 'EdDSA');
    const token = await new SignJWT({ org: claims.orgId, tier: claims.tier, cap: claims.capabilities })
      .setProtectedHeader({ alg: 'EdDSA', typ: type, kid: await calculateJwkThumbprint(this.#jwk) })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject(claims.userId)
      .setIssuedAt(issuedAt)
      .setExpirationTime(expiresAt)
      .sign(key);
    return { token, expiresAt: new Date(expiresAt * 1000).toISOString() };
  }

  /** @throws TOKEN_EXPIRED or UNAUTHENTICATED */
  async verify(token: string): Promise<VerifiedClaims> {
    const known = this.#verified.get(token);
    if (known && known.expiresAtMs > Date.now()) return known;
    const { kty, crv, x } = this.#jwk;
    const key = await importJWK({ kty, crv, x } as JWK, 'EdDSA');
    try {
      const { payload } = await jwtVerify(token, key, { issuer, audience, typ: type, algorithms: ['EdDSA'] });
      const claims: VerifiedClaims = {
        userId: payload.sub!,
        orgId: payload.org as string,
        tier: payload.tier as Tier,
        capabilities: payload.cap as Capability[],
        expiresAtMs: payload.exp! * 1000,
      };
      this.#verified.set(token, claims);
      return claims;
    } catch (error) {
      if (error instanceof errors.JWTExpired) {
        fail('TOKEN_EXPIRED', 'The access token has expired. Refresh the session or sign in again.');
      }
      fail('UNAUTHENTICATED', 'The access token is not valid. Sign in again.');
    }
  }
}
