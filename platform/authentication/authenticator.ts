/** From whatever a caller shows to an identity: the one thing that the gateway asks. */
import { decodeJwt } from 'jose';
import type { Config } from '../config.js';
import { fail, HarborwatchError } from '../errors.js';
import { type Capability, capabilitiesOf, type Identity } from '../identity.js';
import type { Logger } from '../logging.js';
import type { Platform } from '../platform.js';
import { within } from '../within.js';
import { ApiKeys } from './known-api-keys.js';
import { type OutsideClaims, OutsideTokens, outsideIssuer } from './outside-tokens.js';
import { OutsideUsers } from './outside-users.js';
import { type Access, refuse, refuseRevoked, refuseToken } from './refusals.js';
import { Revocations } from './revocations.js';
import { type SignedRequest, SignedRequests } from './signed-requests.js';
import { SourceAddresses } from './source-addresses.js';
import type { Tokens } from './tokens.js';

/** What a request shows of its caller. */
export interface Credentials {
  /** The header, or what stands for it in `connection_init`. */
  authorization: string | undefined;
  /** Undefined for a request that is not signed; one with `authorization` is not looked at for it. */
  signed?: SignedRequest | undefined;
  remoteIp: string | null;
  requestId: string;
  /** When the answer must have gone out, in milliseconds since the epoch. */
  deadline: number;
}

/** Who checks what. */
interface Verifiers {
  tokens?: Tokens | undefined;
  outside?: { tokens: OutsideTokens; accessOf(claims: OutsideClaims): Access | Promise<Access> } | undefined;
  apiKeys?: ApiKeys | undefined;
  signedRequests?: SignedRequests | undefined;
  revocations?: Revocations | undefined;
  /** What is open to addresses without anything shown. */
  sources?: SourceAddresses | undefined;
  logger: Logger;
  /** Refuses callers who show nothing. Default false: some fields need nobody to be signed in. */
  isRequired?: boolean;
}

/** How long a start waits until it is known what access has ended; nobody is let in before. */
const startMs = 5_000;

export class Authenticator {
  readonly #verifiers: Verifiers;

  constructor(verifiers: Verifiers) {
    this.#verifiers = verifiers;
  }

  /**
   * @returns undefined where nothing was shown
   * @throws UNAUTHENTICATED with a `reason`, TOKEN_EXPIRED, TOKEN_REVOKED, SIGNATURE_INVALID; each is logged here, once.
   *   SERVICE_UNAVAILABLE where it cannot be told
   */
  async authenticate(credentials: Credentials): Promise<Identity | undefined> {
    const { requestId, deadline, remoteIp } = credentials;
    try {
      const access = await this.#accessOf(credentials);
      return access && { ...access, requestId, deadline };
    } catch (error) {
      if (error instanceof HarborwatchError && error.code !== 'PAYLOAD_TOO_LARGE') {
        const { code, details } = error;
        this.#verifiers.logger.warn({ code, reason: details.reason, requestId, remoteIp }, 'a caller is refused');
      }
      throw error;
    }
  }

  /** Calls back once when what the caller showed is ended before its time. @returns what ends the watch */
  watch(identity: Identity | undefined, onEnded: () => void): () => void {
    return (identity && this.#verifiers.revocations?.watch(identity, onEnded)) ?? (() => {});
  }

  async close(): Promise<void> {
    await this.#verifiers.revocations?.close();
  }

  async #accessOf(credentials: Credentials): Promise<Access | undefined> {
    const { authorization, signed } = credentials;
    const { signedRequests, revocations } = this.#verifiers;
    const isBlank = authorization === undefined || authorization.trim() === '';
    if (isBlank && !signed) return this.#withoutCredentials(credentials.remoteIp);
    if (revocations && !revocations.known) {
      fail('SERVICE_UNAVAILABLE', 'The gateway cannot tell yet which access has ended. Try again in a moment.');
    }
    if (!isBlank) return this.#bearer(authorization);
    if (!signedRequests) fail('SIGNATURE_INVALID', 'This gateway takes no signed requests.', { reason: 'KEY' });
    return signedRequests.verify(signed!, Date.now());
  }

  /** What somebody may do who shows nothing. */
  #withoutCredentials(remoteIp: string | null): Promise<Access | undefined> | undefined {
    if (!this.#verifiers.isRequired) return this.#verifiers.sources?.accessOf(remoteIp);
    fail('UNAUTHENTICATED', 'This gateway takes signed-in callers only: send `Authorization: Bearer <access token>`.');
  }

  async #bearer(authorization: string): Promise<Access> {
    const token = /^Bearer +(\S+)$/i.exec(authorization.trim())?.[1];
    if (token === undefined) return refuse('MALFORMED', 'The Authorization header takes `Bearer <access token>`.');
    const { apiKeys, tokens, outside, revocations } = this.#verifiers;
    if (token.startsWith('hwk_')) return apiKeys ? apiKeys.verify(token) : refuse('KEY');
    const claims = outside?.tokens.known(token);
    if (claims) return outside!.accessOf(claims);
    const access = tokens?.known(token) ?? (await this.#checked(token));
    if (access.sessionId !== undefined && revocations?.hasEnded(access)) refuseRevoked();
    return access;
  }

  /** A token that was not seen before: who it says issued it is who checks it. */
  async #checked(token: string): Promise<Access> {
    const { tokens, outside } = this.#verifiers;
    const issuer = issuerOf(token);
    if (outside?.tokens.isFor(issuer)) return outside.accessOf(await outside.tokens.verify(token));
    return tokens?.isFor(issuer) ? tokens.verify(token) : refuse('ISSUER');
  }
}

function issuerOf(token: string): unknown {
  try {
    return decodeJwt(token).iss;
  } catch (error) {
    return refuseToken(error);
  }
}

/** The authenticator of the product: everything that it takes, over its database. @throws ConfigError */
export async function startAuthenticator({ config, logger, postgres, tokens }: Platform): Promise<Authenticator> {
  const issuer = outsideIssuer(config);
  const revocations = new Revocations(postgres, logger);
  const apiKeys = new ApiKeys(postgres, revocations, logger);
  const users = new OutsideUsers(postgres, revocations);
  const sources = new SourceAddresses(config.debugLogSources, postgres);
  const authenticator = new Authenticator({
    tokens,
    outside: issuer && {
      tokens: new OutsideTokens(issuer, logger),
      accessOf: (claims) => users.accessOf(claims),
    },
    apiKeys,
    signedRequests: config.apiKeySecret === undefined ? undefined : new SignedRequests(apiKeys, config.apiKeySecret),
    revocations,
    sources,
    logger,
  });
  await within(startMs, revocations.started, undefined);
  // A gateway starts also while the database is away.
  await sources.announce(logger).catch((err) => logger.warn({ err }, 'DEBUG_LOG_SOURCES could not be looked at'));
  return authenticator;
}

/**
 * The authenticator of a gateway without accounts, over somebody else's subgraphs: it refuses callers without a token.
 * @param tokens undefined where only the outside issuer's are taken
 */
export function standaloneAuthenticator(config: Config, tokens: Tokens | undefined, logger: Logger): Authenticator {
  const issuer = outsideIssuer(config);
  const outside = issuer && { tokens: new OutsideTokens(issuer, logger), accessOf: accessWithoutAccounts };
  return new Authenticator({ tokens, outside, logger, isRequired: true });
}

/** Nothing is known here of users and organisations but what the issuer says; its scopes are the capabilities. */
const accessWithoutAccounts = ({ issuer, subject, org, roles, scopes, expiresAtMs }: OutsideClaims): Access => ({
  orgId: org,
  subject: { kind: 'USER', id: `${issuer} ${subject}`, userId: `${issuer} ${subject}` },
  capabilities: [...capabilitiesOf(roles), ...scopes.map((scope) => ({ action: scope }) as Capability)],
  tier: 'ENTERPRISE',
  expiresAtMs,
});
