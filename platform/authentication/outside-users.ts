/** The users behind tokens of an outside issuer: each has a row here, made when it is first seen. */
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { capabilitiesOf, systemIdentity } from '../identity.js';
import type { Postgres } from '../postgres/postgres.js';
import { recordAct } from '../self-audit.js';
import { isStorableText } from '../storable.js';
import { findOutsideUser, type OutsideUserPlace } from '../system/outside-users.js';
import { inTime } from '../within.js';
import type { OutsideClaims } from './outside-tokens.js';
import { type Access, lookUpMs, refuse } from './refusals.js';
import type { Revocations } from './revocations.js';

type KnownPlace = OutsideUserPlace & { user: NonNullable<OutsideUserPlace['user']> };

/** How long a user's rights here are remembered, unless they are told to have changed. */
const rememberMs = 60_000;
const maxRemembered = 10_000;
const maxIdCharacters = 1_000;
const maxEmailCharacters = 254;
const maxNameCharacters = 200;

export class OutsideUsers {
  readonly #postgres: Postgres;
  readonly #revocations: Revocations;
  readonly #remembered = new LRUCache<string, Access & { isDisabled: boolean }>({
    max: maxRemembered,
    ttl: rememberMs,
  });

  constructor(postgres: Postgres, revocations: Revocations) {
    this.#postgres = postgres;
    this.#revocations = revocations;
  }

  /** What the bearer of a token may do: by its roles, and by what is given to the user here. @throws UNAUTHENTICATED */
  async accessOf(claims: OutsideClaims): Promise<Access> {
    const { org, issuer, subject, roles, expiresAtMs } = claims;
    const name = JSON.stringify([org, issuer, subject, roles]);
    let known = this.#remembered.get(name);
    if (!known || this.#revocations.hasEnded(known)) {
      const { orgId, tier, user } = await inTime(lookUpMs, this.#findOrMake(claims));
      known = {
        orgId,
        subject: { kind: 'USER', id: user.id, userId: user.id },
        capabilities: capabilitiesOf([...roles, ...user.roles], user.capabilities),
        tier,
        accessVersion: user.accessVersion,
        isDisabled: user.isDisabled,
      };
      this.#remembered.set(name, known);
    }
    const { isDisabled, ...access } = known;
    if (isDisabled) refuse('KEY', 'This user is disabled here. Ask an administrator of your organisation.');
    return { ...access, expiresAtMs };
  }

  async #findOrMake(claims: OutsideClaims): Promise<KnownPlace> {
    const externalId = `${claims.issuer} ${claims.subject}`;
    if (externalId.length > maxIdCharacters || !isStorableText(externalId + claims.org)) {
      refuse('MALFORMED', `The access token names its user or organisation in a way that cannot be stored.`);
    }
    const find = () => findOutsideUser(this.#postgres, claims.org, externalId);
    const place = await find();
    if (!place) return refuse('MALFORMED', 'The access token names an organisation that is not known here.');
    if (isKnown(place)) return place;
    await this.#make(place.orgId, externalId, claims);
    const made = await find();
    if (!made || !isKnown(made)) throw new Error('A user of the outside issuer could not be made.');
    return made;
  }

  /** Another process may make the same user at the same time: one of them does. */
  async #make(orgId: string, externalId: string, claims: OutsideClaims): Promise<void> {
    // Not the user of the same address who has a password here: the issuer may let anybody choose an address.
    const standIn = `${hash('sha256', externalId).slice(0, 32)}@outside.invalid`;
    const given = claims.email?.toLowerCase() ?? standIn;
    const isAddress = /^[^\s@]+@[^\s@]+$/.test(given) && given.length <= maxEmailCharacters && isStorableText(given);
    const name = (claims.name ?? given).slice(0, maxNameCharacters).toWellFormed().replaceAll('\0', '');
    const identity = systemIdentity(orgId, 'authentication');
    await this.#postgres.withOrg(identity, async (tx) => {
      for (const email of isAddress ? [given, standIn] : [standIn]) {
        const [user] = await tx.query<{ id: string }>(
          `INSERT INTO users (org_id, email, name, external_id) VALUES ($1, $2, $3, $4)
           ON CONFLICT DO NOTHING RETURNING id`,
          [orgId, email, name || email, externalId],
        );
        if (!user) continue;
        await recordAct(tx, identity, {
          op: 'user.create',
          module: 'accounts',
          class: 'user',
          instanceId: user.id,
          message: `${email} came from the outside issuer for the first time.`,
          remoteIp: null,
          data: { issuer: claims.issuer },
        });
        return;
      }
    });
  }
}

const isKnown = (place: OutsideUserPlace): place is KnownPlace => place.user !== null;
