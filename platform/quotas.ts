/**
 * Quotas: how much an organisation may keep and do. A domain reads what is used in the transaction that takes more of it,
 * and is refused or goes on. When 80 % and 100 % are reached for the first time in a period, that is an entry of the
 * audit log, in the same transaction.
 */
import { HarborwatchError } from './errors.js';
import type { Identity, Tier } from './identity.js';
import { type LimitOverrides, limitsOf, type Quotas } from './org-limits.js';
import type { Postgres, Tx } from './postgres/postgres.js';
import { recordAct } from './self-audit.js';

type QuotaName = keyof Quotas;

/** A quota and what is used of it. */
export interface QuotaUse {
  quota: QuotaName;
  used: number;
  /** Infinity for none. */
  limit: number;
  /** The thresholds that the period has an entry about. */
  noticed: readonly number[];
}

/** What is used in percent of the limit, rounded down; 0 where there is no limit. */
export const percentOf = (used: number, limit: number): number =>
  limit === 0 ? 100 : Math.floor((100 * used) / limit);

/** Percentages that an entry tells of. */
const thresholds = [80, 100];

/** The day of now, and its beginning, in UTC. */
export const today = `(now() AT TIME ZONE 'UTC')::date`;
export const dayStart = `date_trunc('day', now(), 'UTC')`;
/** The period in which each threshold of a quota is told once. */
const periodOf = (quota: string): string =>
  `CASE ${quota} WHEN 'eventsPerDay' THEN ${today} ELSE date_trunc('month', ${today})::date END`;

/** The columns of `orgs` that a QuotaUse needs beside what is used; see toUse. */
export const quotaColumns = `orgs.tier, orgs.limits, (
  SELECT jsonb_object_agg(quota, thresholds) FROM (
    SELECT quota, array_agg(threshold) AS thresholds FROM quota_notices
     WHERE period IN (${today}, date_trunc('month', ${today})::date) AND period = ${periodOf('quota')} GROUP BY quota) AS told
) AS noticed`;

/** A row with the quotaColumns. */
export interface QuotaRow {
  tier: Tier;
  limits: LimitOverrides;
  noticed: { [Name in QuotaName]?: number[] } | null;
}

/** Whether the organisation has no limit of the quota, as an SQL condition on `orgs`. */
export const isUnlimited = (quota: QuotaName): string => `orgs.limits @> '{"${quota}": null}'`;

export const toUse = ({ tier, limits, noticed }: QuotaRow, quota: QuotaName, used: number): QuotaUse => ({
  quota,
  used,
  limit: limitsOf(tier, limits)[quota],
  noticed: noticed?.[quota] ?? [],
});

/**
 * What the transaction's organisation uses of a quota.
 * @param used SQL of a number; it is evaluated where there is a limit, and with `always`
 */
export async function readUse(
  tx: Tx,
  quota: QuotaName,
  used: string,
  { always = false }: { always?: boolean } = {},
): Promise<QuotaUse> {
  const counted = always ? used : `CASE WHEN ${isUnlimited(quota)} THEN 0 ELSE (${used}) END`;
  const [row] = await tx.query<QuotaRow & { used: number }>(
    `SELECT ${quotaColumns}, (${counted})::float8 AS used FROM orgs`,
  );
  return toUse(row!, quota, row!.used);
}

/**
 * Keeps all others from taking of a quota until the transaction ends; does nothing where there is no limit. What is read
 * afterwards can only become less.
 */
export async function lockQuota(tx: Tx, orgId: string, quota: QuotaName): Promise<void> {
  await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0)) FROM orgs WHERE NOT ${isUnlimited(quota)}`, [
    `quota:${quota}:${orgId}`,
  ]);
}

/** What an organisation has no room for. */
class QuotaExceeded extends HarborwatchError {
  constructor(
    readonly module: string,
    readonly use: QuotaUse,
    readonly adding: number,
  ) {
    const { quota, used, limit } = use;
    const [of, wait] = wordings[quota];
    const fitsLater = adding <= limit;
    const way = fitsLater ? wait : tooLarge;
    const endsAt = fitsLater && quota === 'eventsPerDay' ? endOfDay() : undefined;
    const again = endsAt === undefined ? '' : ` The day ends at ${endsAt.toISOString()}.`;
    super(
      'QUOTA_EXCEEDED',
      `The quota ${quota} is ${count(limit)} ${of}; ${count(used)} are used, and ${count(adding)} more do not fit.${again} ${way}`,
      {
        quota,
        used,
        limit,
        adding,
        ...(endsAt === undefined ? {} : { retryAfterSeconds: Math.ceil((endsAt.getTime() - Date.now()) / 1_000) }),
      },
    );
  }
}

/** What a quota counts, and what one can do where it is used up. */
const wordings: Record<QuotaName, [of: string, wait: string]> = {
  eventsPerDay: ['events and log entries a day', 'Nothing of the batch was stored: send it again then.'],
  storedBytes: ['bytes of events and log entries', 'Nothing of the batch was stored. An operator can raise the quota.'],
  runningJobs: ['jobs at the same time', 'Wait until one has ended.'],
  resultBytes: [
    'bytes of job results',
    'Results go when their time is over (resultTtlSeconds); ask for less at once, or have them kept for less long.',
  ],
  collections: ['collections', 'Remove one first.'],
};

const tooLarge = 'The whole quota is less than that: send or ask for less at once, or let an operator raise it.';

const count = (value: number): string => value.toLocaleString('en');

function endOfDay(): Date {
  const end = new Date();
  end.setUTCHours(24, 0, 0, 0);
  return end;
}

export const fits = ({ used, limit }: QuotaUse, adding: number): boolean => used + adding <= limit;

/** @throws QUOTA_EXCEEDED where there is no room for more; run the transaction through withQuotas */
export function requireRoom(module: string, use: QuotaUse, adding: number): void {
  if (!fits(use, adding)) throw new QuotaExceeded(module, use, adding);
}

/**
 * Writes down which thresholds are reached by taking more, each once a period. Call it last: others who reach one at the
 * same time wait for this transaction to end.
 * @param module the domain that takes it
 */
export async function noteUse(
  tx: Tx,
  identity: Identity,
  module: string,
  use: QuotaUse,
  adding: number,
): Promise<void> {
  const used = use.used + adding;
  const percent = percentOf(used, use.limit);
  const reached = thresholds.filter((threshold) => percent >= threshold);
  await writeNotices(tx, identity, { ...use, used }, { module, reached });
}

/**
 * Runs a transaction as `withOrg` does. A refusal for a quota is written down as its 100 %, though the transaction is
 * undone: what is used may be far below.
 */
export async function withQuotas<T>(postgres: Postgres, identity: Identity, fn: (tx: Tx) => Promise<T>): Promise<T> {
  try {
    return await postgres.withOrg(identity, fn);
  } catch (error) {
    if (error instanceof QuotaExceeded && !error.use.noticed.includes(100)) {
      const { use, module, adding } = error;
      const told = { module, reached: [100], refused: adding };
      // Where it fails, the next refusal writes it.
      await postgres.withOrg(identity, (tx) => writeNotices(tx, identity, use, told)).catch(() => {});
    }
    throw error;
  }
}

async function writeNotices(
  tx: Tx,
  identity: Identity,
  { quota, used, limit, noticed }: QuotaUse,
  { module, reached, refused }: { module: string; reached: readonly number[]; refused?: number },
): Promise<void> {
  const untold = reached.filter((threshold) => !noticed.includes(threshold));
  if (untold.length === 0) return;
  const written = await tx.query<{ threshold: number }>(
    `INSERT INTO quota_notices (org_id, quota, threshold, period)
     SELECT $1, $2::text, threshold, ${periodOf('$2::text')} FROM unnest($3::smallint[]) AS threshold
     ON CONFLICT DO NOTHING RETURNING threshold`,
    [identity.orgId, quota, untold],
  );
  const figures = `${count(used)} of ${count(limit)} are used`;
  for (const { threshold } of written) {
    await recordAct(tx, identity, {
      op: 'quota',
      module,
      class: 'quota',
      instanceId: quota,
      outcome: refused === undefined ? 'SUCCESS' : 'FAILURE',
      priority: threshold < 100 ? 'WARN' : 'SEC',
      message:
        refused === undefined
          ? `${threshold} % of the quota ${quota} are reached: ${figures}.`
          : `The quota ${quota} had no room: ${figures}, and ${count(refused)} more were refused.`,
      remoteIp: null,
      data: { quota, used, limit, percent: percentOf(used, limit), threshold },
    });
  }
}
