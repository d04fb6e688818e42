/** Access tokens of one outside issuer (OpenID Connect), checked with the keys that it publishes. */
import { createRemoteJWKSet, type JWTPayload, jwtVerify, type RemoteJWKSet } from 'jose';
import { LRUCache } from 'lru-cache';
import { type Config, ConfigError } from '../config.js';
import { fail, HarborwatchError } from '../errors.js';
import { type Role, roleActions } from '../identity.js';
import type { Logger } from '../logging.js';
import { refuse, refuseExpired, refuseToken } from './refusals.js';
import { clockToleranceSeconds } from './tokens.js';

/** What a token of the outside issuer says. */
export interface OutsideClaims {
  issuer: string;
  subject: string;
  /** What the organisation's claim holds. */
  org: string;
  /** Those that are ours. */
  roles: Role[];
  /** The scopes of OAuth that it carries. */
  scopes: string[];
  email: string | undefined;
  name: string | undefined;
  expiresAtMs: number;
}

interface OutsideIssuer {
  issuer: string;
  audience: string;
  /** Undefined where the issuer's own metadata tells. */
  jwksUrl: string | undefined;
  orgClaim: string;
  rolesClaim: string;
}

const algorithms = ['RS256', 'ES256', 'EdDSA'];
/** Access tokens say so, or say just that they are a JWT; what says something else is another kind of token. */
const types = ['at+jwt', 'application/at+jwt', 'jwt', undefined];
const timeoutMs = 3_000;
/** A token with an unknown key has the keys fetched again, and no more often than this, whoever sends them. */
const defaultCooldownMs = 5_000;
const maxVerified = 10_000;

/** Nobody outside makes administrators of the installation. */
const outsideRoles = (Object.keys(roleActions) as Role[]).filter((role) => role !== 'PLATFORM_ADMIN');

/** The outside issuer that the settings name. @throws ConfigError */
export function outsideIssuer(config: Config): OutsideIssuer | undefined {
  const { oidcIssuer: issuer, oidcAudience: audience } = config;
  if (issuer === undefined) return undefined;
  if (audience === undefined) {
    throw new ConfigError('OIDC_ISSUER is set, but OIDC_AUDIENCE is not: tokens for other services would be taken.');
  }
  const { oidcJwksUrl: jwksUrl, oidcOrgClaim: orgClaim, oidcRolesClaim: rolesClaim } = config;
  return { issuer, audience, jwksUrl, orgClaim, rolesClaim };
}

export class OutsideTokens {
  readonly #issuer: OutsideIssuer;
  readonly #logger: Logger;
  readonly #cooldownMs: number;
  readonly #verified = new LRUCache<string, OutsideClaims>({ max: maxVerified });
  #keys: Promise<RemoteJWKSet> | undefined;

  constructor(issuer: OutsideIssuer, logger: Logger, cooldownMs = defaultCooldownMs) {
    this.#issuer = issuer;
    this.#logger = logger;
    this.#cooldownMs = cooldownMs;
  }

  /** Whether a token that names this issuer is one for us to check here. */
  isFor(issuer: unknown): boolean {
    return issuer === this.#issuer.issuer;
  }

  /** What a token says that was verified before and has not ended. */
  known(token: string): OutsideClaims | undefined {
    const claims = this.#verified.get(token);
    return claims && claims.expiresAtMs > Date.now() ? claims : undefined;
  }

  /** @throws TOKEN_EXPIRED, UNAUTHENTICATED; SERVICE_UNAVAILABLE where the issuer's keys cannot be had */
  async verify(token: string): Promise<OutsideClaims> {
    const { issuer, audience, orgClaim } = this.#issuer;
    const { payload, protectedHeader } = await jwtVerify(
      token,
      async (header, input) => (await this.#published())(header, input),
      {
        issuer,
        audience,
        algorithms,
        requiredClaims: ['sub', 'exp', 'iat'],
        clockTolerance: clockToleranceSeconds,
      },
    )
      .catch(refuseToken)
      .catch((error: Error) => this.#unavailable(error));
    if (!types.includes(protectedHeader.typ?.toLowerCase())) refuse('MALFORMED', 'This JWT is no access token.');
    const claims = this.#read(payload);
    if (claims.org === '') refuse('MALFORMED', `The access token names no organisation in its claim "${orgClaim}".`);
    // The tolerance is for tokens that begin: they end when they say.
    if (claims.expiresAtMs <= Date.now()) refuseExpired();
    this.#verified.set(token, claims);
    return claims;
  }

  #read(payload: JWTPayload): OutsideClaims {
    const { issuer, orgClaim, rolesClaim } = this.#issuer;
    const named = texts(claimAt(payload, rolesClaim)).map((role) => role.toUpperCase());
    const text = (value: unknown) => (typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined);
    return {
      issuer,
      subject: payload.sub!,
      org: text(claimAt(payload, orgClaim)) ?? '',
      roles: outsideRoles.filter((role) => named.includes(role)),
      scopes: texts(payload.scope ?? payload.scp),
      // An address that its issuer says nobody has proven is none.
      email: payload.email_verified === false ? undefined : text(payload.email),
      name: text(payload.name),
      expiresAtMs: payload.exp! * 1_000,
    };
  }

  /** The issuer's keys; looked for again at the next token where that fails. */
  #published(): Promise<RemoteJWKSet> {
    this.#keys ??= this.#jwksUrl().then(
      (url) => createRemoteJWKSet(url, { timeoutDuration: timeoutMs, cooldownDuration: this.#cooldownMs }),
      (error) => {
        this.#keys = undefined;
        throw error;
      },
    );
    return this.#keys;
  }

  async #jwksUrl(): Promise<URL> {
    const { issuer, jwksUrl } = this.#issuer;
    if (jwksUrl !== undefined) return new URL(jwksUrl);
    const base = issuer.replace(/\/+$/, '');
    const response = await fetch(`${base}/.well-known/openid-configuration`, {
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.status === 404) return new URL(`${base}/.well-known/jwks.json`);
    if (!response.ok) throw new Error(`${response.status} for the issuer's openid-configuration`);
    const metadata = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown };
    if (metadata.issuer !== issuer) throw new Error('the openid-configuration is of another issuer');
    return new URL(String(metadata.jwks_uri));
  }

  #unavailable(error: Error): never {
    if (error instanceof HarborwatchError) throw error;
    const { issuer } = this.#issuer;
    this.#logger.warn({ issuer, err: error }, 'the keys of the outside issuer cannot be had');
    fail(
      'SERVICE_UNAVAILABLE',
      'The issuer of this access token does not answer at the moment. Try again in a moment.',
    );
  }
}

/** The claim of a name, or at a path of names with dots between them. */
function claimAt(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name];
  return name.split('.').reduce<unknown>((value, part) => {
    const isObject = typeof value === 'object' && value !== null;
    return isObject && Object.hasOwn(value, part) ? (value as Record<string, unknown>)[part] : undefined;
  }, payload);
}

/** A list of texts, also as one text with spaces between them. */
const texts = (value: unknown): string[] =>
  (Array.isArray(value) ? value : typeof value === 'string' ? value.split(' ') : []).filter(
    (item): item is string => typeof item === 'string' && item !== '',
  );
