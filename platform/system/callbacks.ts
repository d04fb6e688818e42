/** What of callbacks has to look across organisations: whose turn it is to be sent. */
import type { Postgres } from '../postgres/postgres.js';

/** The right to send one callback once. */
export interface CallbackLease {
  orgId: string;
  callbackId: string;
  /** The fencing token: grows with every lease. */
  attempt: number;
  /** Who is called. */
  host: string;
}

/** How many may be sent at once, and how many are. */
export interface CallbackRoom {
  /** Free places altogether. */
  free: number;
  perOrg: number;
  perHost: number;
  /** By the organisation's id. */
  busyOrgs: ReadonlyMap<string, number>;
  busyHosts: ReadonlyMap<string, number>;
}

/** How long an attempt may take before it counts as lost; far longer than one call. */
const leaseSeconds = 60;

/**
 * Takes callbacks that are due, those that waited longest of each organisation, in turns: a host that several of them call
 * is for each of them, however many wait for it of one. Several processes may ask at once: each callback goes to one of them.
 */
export async function claimDueCallbacks(postgres: Postgres, room: CallbackRoom): Promise<CallbackLease[]> {
  const fullHosts = [...room.busyHosts].filter(([, busy]) => busy >= room.perHost).map(([host]) => host);
  return postgres.asSystem((tx) =>
    tx.query<CallbackLease>(
      // From organisation to organisation within the index, and in each no further than there is room: thousands may wait.
      `WITH RECURSIVE waiting AS (
         (SELECT org_id FROM job_callbacks WHERE status = 'PENDING' ORDER BY org_id LIMIT 1)
         UNION ALL
         SELECT (SELECT org_id FROM job_callbacks WHERE status = 'PENDING' AND org_id > waiting.org_id ORDER BY org_id LIMIT 1)
           FROM waiting WHERE waiting.org_id IS NOT NULL
       ), due AS (
         SELECT busy.org_id, oldest.*, busy.calls + row_number() OVER (PARTITION BY busy.org_id ORDER BY next_attempt_at, id) AS of_org
           FROM (SELECT org_id, coalesce(($4::jsonb ->> org_id::text)::int, 0) AS calls FROM waiting) AS busy
          CROSS JOIN LATERAL (
             SELECT id, host, next_attempt_at FROM job_callbacks
              WHERE org_id = busy.org_id AND status = 'PENDING' AND next_attempt_at <= now() AND host <> ALL ($6)
              ORDER BY next_attempt_at LIMIT greatest(0, $2 - busy.calls)
           ) AS oldest
       ), queued AS (
         SELECT *, row_number() OVER (PARTITION BY host ORDER BY of_org, next_attempt_at, id) AS of_host FROM due
       ), turns AS (
         SELECT org_id, id FROM queued WHERE of_host <= $3 - coalesce(($5::jsonb ->> host)::int, 0)
          ORDER BY of_org, next_attempt_at LIMIT $1
       ), taken AS (
         SELECT c.org_id, c.id FROM job_callbacks c JOIN turns ON turns.org_id = c.org_id AND turns.id = c.id
          WHERE c.status = 'PENDING' AND c.next_attempt_at <= now() FOR UPDATE OF c SKIP LOCKED
       )
       UPDATE job_callbacks c
          SET attempts = attempts + 1, tries = tries + 1, next_attempt_at = now() + interval '${leaseSeconds} seconds'
         FROM taken WHERE c.org_id = taken.org_id AND c.id = taken.id
       RETURNING c.org_id AS "orgId", c.id AS "callbackId", c.attempts AS attempt, c.host`,
      [
        room.free,
        room.perOrg,
        room.perHost,
        JSON.stringify(Object.fromEntries(room.busyOrgs)),
        JSON.stringify(Object.fromEntries(room.busyHosts)),
        fullHosts,
      ],
    ),
  );
}
