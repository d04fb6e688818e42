/** Checks API keys: each is looked up inside its organisation, and remembered for as short as a minute. */
import { LRUCache } from 'lru-cache';
import { intersectCapabilities } from '../capabilities.js';
import { fail } from '../errors.js';
import { type Capability, capabilitiesOf, type Role, systemIdentity, type Tier } from '../identity.js';
import type { Logger } from '../logging.js';
import type { Postgres } from '../postgres/postgres.js';
import { inTime } from '../within.js';
import { type ApiKeyText, parseApiKey, secretMatches } from './api-keys.js';
import { type Access, lookUpMs, refuse, refuseExpired, refuseRevoked } from './refusals.js';
import type { Revocations } from './revocations.js';

/** A stored key, with what the user behind it may do now. */
export interface KnownKey {
  id: string;
  kind: 'BEARER' | 'SIGNING';
  secretHash: Buffer;
  /** Of a SIGNING key. */
  salt: Buffer | null;
  capabilities: Capability[];
  /** RFC 3339; null for ever. */
  expiresAt: string | null;
  isRevoked: boolean;
  userId: string;
  roles: Role[];
  granted: Capability[];
  accessVersion: number;
  isDisabled: boolean;
  tier: Tier;
}

const maxRemembered = 10_000;
const rememberMs = 60_000;
/** A flood of keys that there are not asks PostgreSQL for each of them once in so long. */
const rememberMissingMs = 5_000;
/** How many keys are looked up at once: a flood of different ones must not take PostgreSQL from everybody else. */
const maxLookUps = 200;

const unknownKey = 'This API key is not known here. Ask an administrator of your organisation for a new one.';

export class ApiKeys {
  readonly #postgres: Postgres;
  readonly #revocations: Revocations;
  readonly #logger: Logger;
  readonly #remembered = new LRUCache<string, Promise<KnownKey | undefined>>({ max: maxRemembered, ttl: rememberMs });
  /** The keys whose use was written down within the last minute. */
  readonly #noted = new LRUCache<string, true>({ max: maxRemembered, ttl: rememberMs });
  #lookUps = 0;

  constructor(postgres: Postgres, revocations: Revocations, logger: Logger) {
    this.#postgres = postgres;
    this.#revocations = revocations;
    this.#logger = logger;
  }

  /** The access of a key that is sent whole. @throws UNAUTHENTICATED, TOKEN_REVOKED, TOKEN_EXPIRED */
  async verify(text: string): Promise<Access> {
    const parts = parseApiKey(text) ?? refuse('MALFORMED', 'This is no API key: it is cut off or changed.');
    if (parts.secret === undefined) {
      refuse('KEY', 'This is the public part of a key that signs requests: it is not sent as `Authorization`.');
    }
    const key = await this.find(parts);
    // A signing key's secret never travels, so one that does is taken for none.
    if (key?.kind !== 'BEARER' || !secretMatches(parts.secret!, key.secretHash)) return refuse('KEY', unknownKey);
    return this.admit(parts.orgId, key);
  }

  /** A key as it stands now, whether it may still be used or not; undefined where there is none. */
  async find({ orgId, keyId }: ApiKeyText): Promise<KnownKey | undefined> {
    const name = `${orgId} ${keyId}`;
    const key = await this.#remember(name, orgId, keyId);
    if (!key || !this.#revocations.hasEnded(userAccess(orgId, key))) return key;
    // The user's rights changed since.
    this.#remembered.delete(name);
    return this.#remember(name, orgId, keyId);
  }

  /** What a key that was proven right may do. @throws TOKEN_REVOKED, TOKEN_EXPIRED, UNAUTHENTICATED */
  admit(orgId: string, key: KnownKey): Access {
    const access: Access = {
      orgId,
      subject: { kind: 'API_KEY', id: key.id, userId: key.userId },
      capabilities: intersectCapabilities(key.capabilities, capabilitiesOf(key.roles, key.granted)),
      tier: key.tier,
      accessVersion: key.accessVersion,
      ...(key.expiresAt === null ? {} : { expiresAtMs: Date.parse(key.expiresAt) }),
    };
    if (key.isRevoked || this.#revocations.hasEnded(access)) refuseRevoked();
    if (access.expiresAtMs !== undefined && access.expiresAtMs <= Date.now()) refuseExpired('API key');
    if (key.isDisabled) refuse('KEY', 'The user behind this API key is disabled.');
    this.#noteUse(orgId, key.id);
    return access;
  }

  #remember(name: string, orgId: string, keyId: string): Promise<KnownKey | undefined> {
    const known = this.#remembered.get(name);
    if (known) return known;
    if (this.#lookUps >= maxLookUps) {
      fail('SERVICE_UNAVAILABLE', 'Too many API keys are looked up at the moment. Try again in a few seconds.');
    }
    this.#lookUps += 1;
    const read = this.#read(orgId, keyId).finally(() => {
      this.#lookUps -= 1;
    });
    const found = inTime(lookUpMs, read);
    this.#remembered.set(name, found);
    found.then(
      (key) => {
        if (!key) this.#remembered.set(name, found, { ttl: rememberMissingMs });
      },
      () => this.#remembered.delete(name),
    );
    return found;
  }

  async #read(orgId: string, keyId: string): Promise<KnownKey | undefined> {
    const [key] = await this.#postgres.withOrg(
      systemIdentity(orgId, 'authentication'),
      (tx) =>
        tx.query<KnownKey>(
          `SELECT k.id, k.kind, k.secret_hash AS "secretHash", k.salt, k.capabilities, k.expires_at AS "expiresAt",
                  k.revoked_at IS NOT NULL AS "isRevoked", k.user_id AS "userId", u.roles, u.capabilities AS granted,
                  u.access_version AS "accessVersion", u.disabled_at IS NOT NULL AS "isDisabled", o.tier
             FROM api_keys k JOIN users u ON u.org_id = k.org_id AND u.id = k.user_id JOIN orgs o ON o.id = k.org_id
            WHERE k.id = $1`,
          [keyId],
        ),
      { readOnly: true },
    );
    return key;
  }

  /** Keeps when the key was used last, to the minute; a request does not wait for it. */
  #noteUse(orgId: string, keyId: string): void {
    if (this.#noted.has(keyId)) return;
    this.#noted.set(keyId, true);
    const noted = this.#postgres.withOrg(systemIdentity(orgId, 'authentication'), (tx) =>
      tx.query(
        `UPDATE api_keys SET last_used_at = now()
          WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`,
        [keyId],
      ),
    );
    noted.catch((error: Error) =>
      this.#logger.warn({ keyId, reason: error.message }, 'the use of a key is not written down'),
    );
  }
}

/** What of the user behind a key may have ended, apart from the key. */
const userAccess = (orgId: string, { userId, accessVersion }: KnownKey) => ({
  orgId,
  subject: { kind: 'USER' as const, id: userId, userId },
  accessVersion,
});
