/** Our own access tokens: JWTs signed with Ed25519, by jose. */
import { errors, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Capability, Tier } from '../identity.js';
import { type Access, refuseExpired, refuseToken } from './refusals.js';
import { maxTokenLifeSeconds, type TokenKeys } from './token-keys.js';

/** What an access token says. */
export interface AccessClaims {
  userId: string;
  orgId: string;
  tier: Tier;
  capabilities: Capability[];
  /** The session that it belongs to: the family of its refresh tokens. */
  sessionId: string;
  /** The user's access version when it was issued; it ends when that grows. */
  accessVersion: number;
}

/** The `iss` of our tokens. */
const ownIssuer = 'harborwatch';
const audience = 'harborwatch';
const type = 'at+jwt';
/** How much the clock of whoever signed may be ahead. */
export const clockToleranceSeconds = 5;
/** How many tokens that were found good are remembered, each until its end: a signature takes 0.1 ms to check. */
const maxVerified = 10_000;

type Verified = Access & { expiresAtMs: number };

export class Tokens {
  readonly #lifeSeconds: number;
  readonly #verified = new LRUCache<string, { kid: string; access: Verified }>({ max: maxVerified });

  constructor(
    readonly keys: TokenKeys,
    lifeSeconds: number,
  ) {
    this.#lifeSeconds = lifeSeconds;
  }

  /** A token for these claims. @returns it with the moment of its end, RFC 3339 */
  async issue(claims: AccessClaims, nowMs: number): Promise<{ token: string; expiresAt: string }> {
    const issuedAt = Math.floor(nowMs / 1000);
    const expiresAt = issuedAt + this.#lifeSeconds;
    const { kid, key } = this.keys.signer;
    const { orgId: org, tier, capabilities: cap, sessionId: sid, accessVersion: ver } = claims;
    const token = await new SignJWT({ org, tier, cap, sid, ver })
      .setProtectedHeader({ alg: 'EdDSA', typ: type, kid })
      .setIssuer(ownIssuer)
      .setAudience(audience)
      .setSubject(claims.userId)
      .setIssuedAt(issuedAt)
      .setExpirationTime(expiresAt)
      .sign(key);
    return { token, expiresAt: new Date(expiresAt * 1000).toISOString() };
  }

  /** Whether a token that names this issuer is one of ours. */
  isFor(issuer: unknown): boolean {
    return issuer === ownIssuer;
  }

  /** What a token says that was verified before, while it lasts and its key is not taken away. */
  known(token: string): Access | undefined {
    const known = this.#verified.get(token);
    return known && known.access.expiresAtMs > Date.now() && this.keys.has(known.kid) ? known.access : undefined;
  }

  /** @throws TOKEN_EXPIRED or UNAUTHENTICATED */
  async verify(token: string): Promise<Access> {
    const { payload, protectedHeader } = await jwtVerify(
      token,
      async ({ kid = '' }) => (await this.keys.find(kid)) ?? Promise.reject(new errors.JWKSNoMatchingKey()),
      {
        issuer: ownIssuer,
        audience,
        typ: type,
        algorithms: ['EdDSA'],
        requiredClaims: ['sub', 'org', 'tier', 'cap', 'sid', 'ver', 'iat', 'exp'],
        clockTolerance: clockToleranceSeconds,
        // Ended access is remembered for as long and no longer.
        maxTokenAge: maxTokenLifeSeconds,
      },
    ).catch(refuseToken);
    const access: Verified = {
      orgId: payload.org as string,
      subject: { kind: 'USER', id: payload.sub!, userId: payload.sub! },
      capabilities: payload.cap as Capability[],
      tier: payload.tier as Tier,
      sessionId: payload.sid as string,
      accessVersion: payload.ver as number,
      expiresAtMs: payload.exp! * 1000,
    };
    // The tolerance is for tokens that begin: they end when they say.
    if (access.expiresAtMs <= Date.now()) refuseExpired();
    this.#verified.set(token, { kid: protectedHeader.kid!, access });
    return access;
  }
}
