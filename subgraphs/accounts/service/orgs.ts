/** The rules of organisations: who makes and changes them, and what each may take. */
import { fail } from '../../../platform/errors.js';
import { type Identity, type Role, systemIdentity, type Tier } from '../../../platform/identity.js';
import type { LimitOverrides, OrgLimits } from '../../../platform/org-limits.js';
import type { Postgres, Tx } from '../../../platform/postgres/postgres.js';
import { recordAct } from '../../../platform/self-audit.js';
import {
  assignWorkerPool,
  createOrgWithAdministrator,
  type OrgRow,
  updateOrg,
  workerPoolTier,
} from '../../../platform/system/accounts.js';
import { isUuid } from '../../../platform/uuid.js';
import { isPoolName, poolNameRule, sharedPool } from '../../../platform/worker-pools.js';
import { hashPassword } from '../passwords.js';
import { findOrg } from '../store/users.js';
import { type Caller, checkEmail, checkName, maxNameCharacters } from './input.js';

export type { OrgRow };

/** Large figures come as text. */
export type LimitsInput = { [Name in keyof OrgLimits]?: number | string | null | undefined };

export interface NewOrgInput {
  slug: string;
  name: string;
  tier: Tier;
  adminEmail: string;
  adminPassword: string;
  limits?: LimitsInput | null | undefined;
}

export interface OrgUpdate {
  id: string;
  name?: string | null | undefined;
  tier?: Tier | null | undefined;
  limits?: LimitsInput | null | undefined;
}

/** The least that each limit may be. An organisation without requests could not even be told so. */
const least: OrgLimits = {
  requestsPerMinute: 1,
  burstCapacity: 1,
  concurrentConnections: 1,
  eventsPerDay: 0,
  storedBytes: 0,
  runningJobs: 1,
  resultBytes: 0,
  collections: 0,
};

export class OrgsService {
  constructor(private readonly postgres: Postgres) {}

  async own(identity: Identity): Promise<OrgRow> {
    return this.postgres.withOrg(identity, findOrg, { readOnly: true });
  }

  /**
   * Makes an organisation with its first administrator.
   * @param by undefined for the installation's first one, which nobody makes
   * @throws CONFLICT where the slug is taken, BAD_USER_INPUT
   */
  async create(by: Caller | undefined, input: NewOrgInput, roles: Role[]): Promise<OrgRow> {
    if (!/^[a-z][a-z0-9-]{1,62}$/.test(input.slug)) {
      fail(
        'BAD_USER_INPUT',
        '"input.slug" takes 2 to 63 lower-case letters, digits and hyphens, starting with a letter.',
        { argument: 'input.slug' },
      );
    }
    const limits = toOverrides(input.limits ?? {});
    const org = { slug: input.slug, name: checkName(input.name, 'input.name'), tier: input.tier, limits };
    const email = checkEmail(input.adminEmail, 'input.adminEmail');
    const passwordHash = await hashPassword(input.adminPassword, 'input.adminPassword');
    const administrator = { email, name: email.split('@')[0]!.slice(0, maxNameCharacters), passwordHash, roles };
    const made = await createOrgWithAdministrator(this.postgres, org, administrator, (tx, { orgId }) =>
      recordForOrg(tx, by ?? { identity: systemIdentity(orgId, 'setup'), remoteIp: null }, orgId, {
        op: 'org.create',
        message: `Made the organisation ${org.slug} with the administrator ${email}.`,
        data: { slug: org.slug, tier: org.tier, limits },
      }),
    );
    return made
      ? { id: made.orgId, ...org, workerPool: null }
      : fail('CONFLICT', `An organisation "${org.slug}" exists already.`, { argument: 'input.slug' });
  }

  /** @throws NOT_FOUND, BAD_USER_INPUT */
  async update(by: Caller, input: OrgUpdate): Promise<OrgRow> {
    const change = {
      name: input.name == null ? undefined : checkName(input.name, 'input.name'),
      tier: input.tier ?? undefined,
      limits: input.limits === undefined ? undefined : toOverrides(input.limits ?? {}),
    };
    if (Object.values(change).every((part) => part === undefined)) {
      fail('BAD_USER_INPUT', '"input" names nothing to change: give name, tier or limits.', { argument: 'input' });
    }
    const id = input.id.toLowerCase();
    const row = isUuid(id)
      ? await updateOrg(this.postgres, id, change, async (tx, { slug }) => {
          await recordForOrg(tx, by, id, {
            op: 'org.update',
            message: `Changed the organisation ${slug}.`,
            data: { slug, ...change },
          });
        })
      : undefined;
    return row ?? noOrg('input.id');
  }

  /**
   * Gives the organisation's jobs to a worker pool of its own; null gives them back to the shared one.
   * @throws NOT_FOUND, BAD_USER_INPUT, TIER_REQUIRED
   */
  async assignWorkerPool(by: Caller, { orgId, pool }: { orgId: string; pool: string | null }): Promise<OrgRow> {
    if (pool !== null && (!isPoolName(pool) || pool === sharedPool)) {
      fail('BAD_USER_INPUT', `"input.pool" takes ${poolNameRule}; null is the ${sharedPool} pool.`, {
        argument: 'input.pool',
      });
    }
    const id = orgId.toLowerCase();
    const row = isUuid(id)
      ? await assignWorkerPool(this.postgres, id, pool, async (tx, { slug }) => {
          await recordForOrg(tx, by, id, {
            op: 'org.worker-pool',
            message: `Gave the jobs of the organisation ${slug} to the worker pool ${pool ?? sharedPool}.`,
            data: { slug, pool },
          });
        })
      : undefined;
    if (row === 'LOWER_TIER') {
      fail('TIER_REQUIRED', `Only organisations of the tier ${workerPoolTier} have a worker pool of their own.`, {
        argument: 'input.pool',
      });
    }
    return row ?? noOrg('input.orgId');
  }
}

const noOrg = (argument: string): never => fail('NOT_FOUND', 'There is no organisation with this id.', { argument });

/** Writes the act down in the organisation that it is about, and in the caller's. */
async function recordForOrg(
  tx: Tx,
  { identity, remoteIp }: Caller,
  orgId: string,
  act: { op: string; message: string; data: Record<string, unknown> },
): Promise<void> {
  for (const own of new Set([identity.orgId, orgId])) {
    const entry = { ...act, module: 'accounts', class: 'org', instanceId: orgId, remoteIp };
    await recordAct(tx, { ...identity, orgId: own }, entry);
  }
}

/** @throws BAD_USER_INPUT */
function toOverrides(input: LimitsInput): LimitOverrides {
  const entries = Object.entries(input).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.map(([name, value]) => [name, toLimit(name as keyof OrgLimits, value!)]));
}

function toLimit(name: keyof OrgLimits, value: number | string | null): number | null {
  if (value === null) return null;
  const limit = Number(value);
  if (!Number.isSafeInteger(limit) || limit < least[name]) {
    fail(
      'BAD_USER_INPUT',
      `"input.limits.${name}" takes a whole number from ${least[name]} to ${Number.MAX_SAFE_INTEGER}, or null for no limit.`,
      { argument: `input.limits.${name}` },
    );
  }
  return limit;
}
