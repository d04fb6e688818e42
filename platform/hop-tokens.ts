/**
 * The token of one call from the gateway to a subgraph process: a JWT signed with Ed25519 that lives as long as the call,
 * at most 60 s, and holds for this caller, this subgraph and this body alone, once.
 *
 * Signed and checked by node:crypto: it does so in place, where jose goes through two or three promises and takes twice
 * as long for every hop.
 */
import { createPrivateKey, createPublicKey, hash, type KeyObject, randomBytes, sign, verify } from 'node:crypto';
import { fail } from './errors.js';
import type { Identity } from './identity.js';
import type { Logger } from './logging.js';
import type { RedisConnections } from './redis.js';
import { within } from './within.js';

/** Who a call is made for. */
export interface HopCaller {
  /** Undefined where the request carries no token. */
  identity: Identity | undefined;
  remoteIp: string | null;
  requestId: string;
}

/** What a subgraph process learns from a token. */
export interface HopCall extends HopCaller {
  /** When the answer must be there, in milliseconds since the epoch; the identity's own deadline is no later. */
  deadline: number;
}

interface HopClaims {
  iss: string;
  /** The name of the subgraph. */
  aud: string;
  iat: number;
  exp: number;
  jti: string;
  /** The identity as the gateway has it, all of it: whatever is added to it is bound too. */
  identity?: Identity;
  ip: string | null;
  rid: string;
  deadline: number;
  /** Of the body, base64url. */
  sha256: string;
}

const issuer = 'harborwatch-gateway';
const maxLifeSeconds = 60;
/** How much the clocks of two machines may differ. */
const clockToleranceMs = 5_000;
/** How long Redis may take to say whether a call is new. */
const redisWaitMs = 500;

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
/** The gateway writes no other, so a subgraph takes no other: nothing in a header can choose how it is checked. */
const header = encode({ alg: 'EdDSA', typ: 'hop+jwt' });

const sha256 = (body: string | Buffer): string => hash('sha256', body, 'base64url');

/** What is signed of an operation that goes over a socket: both sides write it from the query and its variables. */
export const socketBody = ({ query, variables }: { query: string; variables?: unknown }): string =>
  JSON.stringify({ query, variables });

/** The gateway's side. */
export class HopSigner {
  readonly #key: KeyObject;
  /** With a count behind it: ids that nobody else makes, for less than a UUID each. */
  readonly #idPrefix = randomBytes(9).toString('base64url');
  #count = 0;

  /** @param signingKey HOP_SIGNING_KEY: a private Ed25519 JWK as JSON */
  constructor(signingKey: string) {
    this.#key = createPrivateKey({ key: JSON.parse(signingKey), format: 'jwk' });
  }

  /**
   * A token for one call.
   * @param body exactly as it goes out
   * @param deadline when the answer must be there, in milliseconds since the epoch
   */
  sign(subgraph: string, body: string | Buffer, caller: HopCaller, deadline: number): string {
    const iat = Math.floor(Date.now() / 1000);
    this.#count += 1;
    const claims: HopClaims = {
      iss: issuer,
      aud: subgraph,
      iat,
      exp: Math.min(Math.ceil(deadline / 1000), iat + maxLifeSeconds),
      jti: `${this.#idPrefix}.${this.#count.toString(36)}`,
      ...(caller.identity && { identity: caller.identity }),
      ip: caller.remoteIp,
      rid: caller.requestId,
      deadline,
      sha256: sha256(body),
    };
    const input = `${header}.${encode(claims)}`;
    return `${input}.${sign(null, Buffer.from(input, 'latin1'), this.#key).toString('base64url')}`;
  }
}

/**
 * The subgraph's side. Every process remembers the calls that it took until they expire, and where Redis is up all
 * processes together do. Redis may be away: then a call that somebody overheard could be repeated to another process of
 * the same subgraph, within the life of its token, rather than that no call is answered.
 */
export class HopVerifier {
  readonly #key: KeyObject;
  readonly #taken = new Map<string, number>();
  readonly #redis: RedisConnections;
  readonly #logger: Logger;

  /** @param verifyKey HOP_VERIFY_KEY: the public Ed25519 JWK as JSON; a private one does as well */
  constructor(verifyKey: string, redis: RedisConnections, logger: Logger) {
    const { kty, crv, x } = JSON.parse(verifyKey);
    this.#key = createPublicKey({ key: { kty, crv, x }, format: 'jwk' });
    this.#redis = redis;
    this.#logger = logger;
  }

  /**
   * Checks a call, and takes it.
   * @param authorization `Bearer <token>`
   * @param readBody asked for the body only where the token is the gateway's
   * @throws HOP_TOKEN_INVALID, whatever is wrong: the log tells; SUBGRAPH_TIMEOUT where the call's time is over
   */
  async verify<Body extends string | Buffer>(
    authorization: unknown,
    subgraph: string,
    readBody: () => Body | Promise<Body>,
  ): Promise<{ call: HopCall; body: Body }> {
    const claims = this.#claimsOf(authorization, subgraph);
    const body = await readBody();
    if (sha256(body) !== claims.sha256) this.#refuse('the body is not the one that was signed', claims);
    if (!(await this.#take(claims))) this.#refuse('the call was made before', claims);
    const { identity, deadline, ip, rid } = claims;
    if (deadline <= Date.now()) fail('SUBGRAPH_TIMEOUT', 'The time for this answer is over.');
    return {
      call: {
        identity: identity && { ...identity, deadline: Math.min(identity.deadline, deadline) },
        remoteIp: ip,
        requestId: rid,
        deadline,
      },
      body,
    };
  }

  #claimsOf(authorization: unknown, subgraph: string): HopClaims {
    const token = typeof authorization === 'string' ? /^Bearer ([\w.-]+)$/.exec(authorization)?.[1] : undefined;
    if (token === undefined) return this.#refuse('there is no token');
    const end = token.lastIndexOf('.');
    const input = token.slice(0, end);
    if (!input.startsWith(`${header}.`)) this.#refuse('the token is of another kind');
    const signature = Buffer.from(token.slice(end + 1), 'base64url');
    if (!verify(null, Buffer.from(input, 'latin1'), this.#key, signature)) this.#refuse('the signature is wrong');
    const claims: HopClaims = JSON.parse(Buffer.from(input.slice(header.length + 1), 'base64url').toString());
    const now = Date.now();
    if (claims.iss !== issuer) this.#refuse('the issuer is another', claims);
    if (claims.aud !== subgraph) this.#refuse(`the token is for the subgraph ${claims.aud}`, claims);
    if (claims.exp * 1000 + clockToleranceMs <= now) this.#refuse('the token has expired', claims);
    if (claims.iat * 1000 - clockToleranceMs > now) this.#refuse('the token is from the future', claims);
    if (claims.exp - claims.iat > maxLifeSeconds) this.#refuse('the token lives too long', claims);
    return claims;
  }

  /** Remembers the call. @returns false where it was taken before */
  async #take({ jti, exp, identity }: HopClaims): Promise<boolean> {
    const now = Date.now();
    for (const [id, until] of this.#taken) {
      if (until > now) break;
      this.#taken.delete(id);
    }
    if (this.#taken.has(jti)) return false;
    const until = exp * 1000 + clockToleranceMs;
    this.#taken.set(jti, until);
    const { keys, commands } = this.#redis;
    if (commands.status !== 'ready') return true;
    const key = keys.hop(identity?.orgId ?? 'anonymous', jti);
    return (await within(redisWaitMs, commands.set(key, '', 'PX', Math.max(until - now, 1), 'NX'), 'OK')) === 'OK';
  }

  #refuse(reason: string, claims?: HopClaims): never {
    this.#logger.warn({ reason, subgraph: claims?.aud, requestId: claims?.rid }, 'a call was refused');
    fail('HOP_TOKEN_INVALID', 'This address answers its gateway alone.');
  }
}
