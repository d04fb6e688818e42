/** The rows of the audit log. Row policies cut every read down to the caller's organisation and scope. */
import type { Identity } from '../../platform/identity.js';
import type { CappedCount } from '../../platform/paging.js';
import { countRows } from '../../platform/postgres/count.js';
import type { Postgres, Tx } from '../../platform/postgres/postgres.js';
import { type Entry, type PriorityName, priorities } from './entry.js';
import { toMicrosecondMoment } from './nanoseconds.js';
import type { ParsedEntry } from './wire.js';

/** Activity, data changes and what is unknown; or debug entries alone. */
export type LogName = 'activityLog' | 'debugLog';

/** Which entries a timeline shows. */
export interface TimelineFilter {
  log: LogName;
  app: string;
  who?: string | null | undefined;
  class?: string | null | undefined;
  instanceId?: string | null | undefined;
  module?: string | null | undefined;
  traceId?: string | null | undefined;
  /** Entries of this priority and above. */
  priority?: PriorityName | null | undefined;
}

/** What stays the same from the first page of a walk to its last. */
export interface Walk {
  /** The snapshot of page 1 (pg_snapshot): what was committed later is not part of the walk. */
  asOf: string;
  /** Where the window of days begins, in milliseconds since 1970. */
  sinceMs: number;
  /** The database cluster that `asOf` belongs to: transaction numbers mean nothing in another one. */
  cluster: string;
}

/** A place in a timeline. */
export interface Place {
  whenNs: string;
  id: string;
}

export interface ReadOptions {
  /** NEWER reads from the oldest entry up, or from `from` up. */
  towards: 'OLDER' | 'NEWER';
  from?: Place | undefined;
  /** Whether an entry at `from` itself counts. Default false. */
  inclusive?: boolean;
  limit: number;
}

export interface AppNames {
  name: string;
  modules: string[];
  classes: string[];
}

export interface ActorSpan {
  firstNs: string;
  lastNs: string;
}

const entryColumns = `id, app, system, module, type, pri, when_ns::text AS "whenNs", who, op, class, instance_id AS "instanceId", status, error,
  remote, host(remote_ip) AS "remoteIp", msg, data, trace_id AS "traceId", span_id AS "spanId"`;

const newestFirst = 'event_time DESC, when_ns DESC, id DESC';
const oldestFirst = 'event_time, when_ns, id';

export class AuditStore {
  constructor(readonly postgres: Postgres) {}

  /**
   * Writes entries; one with the app, moment and id of a stored one is that one. Neither statement names a conflict
   * target or returns rows, since either would ask the writer for the right to read. Rows go in one order, so that two
   * writers of the same entries never wait for each other in a circle.
   */
  async insertEntries(tx: Tx, orgId: string, batchNo: string, entries: readonly ParsedEntry[]): Promise<void> {
    const rows = JSON.stringify(entries.map((entry) => ({ ...entry, eventTime: toMicrosecondMoment(entry.whenNs) })));
    await tx.query(
      `INSERT INTO audit_names (org_id, app, module, class)
       SELECT DISTINCT $1::uuid, app, module, class FROM json_to_recordset($2::json) AS e (app text, module text, class text)
        ORDER BY app, module, class ON CONFLICT DO NOTHING`,
      [orgId, rows],
    );
    await tx.query(
      `INSERT INTO audit_log (org_id, batch_no, id, app, system, module, type, pri, event_time, when_ns, who, op, class, instance_id, status,
         error, remote, remote_ip, msg, data, trace_id, span_id, attributes)
       SELECT $1::uuid, $2::bigint, id, app, system, module, type, pri, "eventTime", "whenNs", who, op, class, "instanceId", status,
         error, remote, "remoteIp", msg, data, "traceId", "spanId", attributes
         FROM json_to_recordset($3::json) AS e (id text, app text, system text, module text, type text, pri smallint, "eventTime" timestamptz,
           "whenNs" bigint, who text, op text, class text, "instanceId" text, status text, error text, remote text, "remoteIp" inet, msg text,
           data jsonb, "traceId" text, "spanId" text, attributes jsonb)
        ORDER BY app, "whenNs", id COLLATE "C" ON CONFLICT DO NOTHING`,
      [orgId, batchNo, rows],
    );
  }

  /** Starts a walk now. */
  async beginWalk(tx: Tx, sinceMs: number): Promise<Walk> {
    const [row] = await tx.query<Pick<Walk, 'asOf' | 'cluster'>>(
      `SELECT pg_current_snapshot()::text AS "asOf", system_identifier::text AS cluster FROM pg_control_system()`,
    );
    return { ...row!, sinceMs };
  }

  /** The cluster that we are on. */
  async cluster(tx: Tx): Promise<string> {
    const [row] = await tx.query<{ cluster: string }>(
      'SELECT system_identifier::text AS cluster FROM pg_control_system()',
    );
    return row!.cluster;
  }

  /** Entries of a timeline in the direction of reading. */
  async readTimeline(tx: Tx, filter: TimelineFilter, walk: Walk, options: ReadOptions): Promise<Entry[]> {
    const { sql, parameters } = matching(filter, walk, options);
    const order = options.towards === 'OLDER' ? newestFirst : oldestFirst;
    return tx.query<Entry>(
      `SELECT ${entryColumns} FROM audit_log WHERE ${sql} ORDER BY ${order} LIMIT ${options.limit}`,
      parameters,
    );
  }

  async countTimeline(tx: Tx, filter: TimelineFilter, walk: Walk): Promise<CappedCount> {
    const { sql, parameters } = matching(filter, walk);
    return countRows(tx, `audit_log WHERE ${sql}`, parameters);
  }

  async countApp(tx: Tx, app: string): Promise<CappedCount> {
    return countRows(tx, 'audit_log WHERE app = $1', [app]);
  }

  /** Whether the caller sees any entry of the app. Its names tell of all types at once, but not to readers of debug entries alone. */
  async seesApp(tx: Tx, app: string): Promise<boolean> {
    const [row] = await tx.query<{ sees: boolean }>(
      `SELECT EXISTS (SELECT FROM audit_names WHERE app = $1)
           OR EXISTS (SELECT FROM audit_log WHERE app = $1 AND type = 'D') AS sees`,
      [app],
    );
    return row!.sees;
  }

  /** The apps of which the caller may see an entry, by name; all of them, or those of `names`. */
  async findApps(tx: Tx, names?: readonly string[]): Promise<AppNames[]> {
    return tx.query<AppNames>(
      `SELECT app AS name,
              coalesce(array_agg(DISTINCT module) FILTER (WHERE module IS NOT NULL), '{}') AS modules,
              coalesce(array_agg(DISTINCT class) FILTER (WHERE class IS NOT NULL), '{}') AS classes
         FROM audit_names WHERE $1::text[] IS NULL OR app = ANY($1) GROUP BY app ORDER BY app`,
      [names ?? null],
    );
  }

  /** When each actor was first and last seen, in the order of `actors`; null for one of whom there is no entry. */
  async findActorSpans(tx: Tx, actors: readonly { app: string; who: string }[]): Promise<(ActorSpan | null)[]> {
    const seen = (order: string) =>
      `(SELECT when_ns::text FROM audit_log WHERE app = actor.app AND who = actor.who ORDER BY ${order} LIMIT 1)`;
    const rows = await tx.query<{ firstNs: string | null; lastNs: string | null }>(
      `SELECT ${seen(oldestFirst)} AS "firstNs", ${seen(newestFirst)} AS "lastNs"
         FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS actor (app, who, place) ORDER BY place`,
      [actors.map(({ app }) => app), actors.map(({ who }) => who)],
    );
    return rows.map(({ firstNs, lastNs }) => (firstNs !== null && lastNs !== null ? { firstNs, lastNs } : null));
  }

  read<T>(identity: Identity, fn: (tx: Tx) => Promise<T>): Promise<T> {
    return this.postgres.withOrg(identity, fn, { readOnly: true });
  }

  /** A short transaction that writes. */
  write<T>(identity: Identity, fn: (tx: Tx) => Promise<T>): Promise<T> {
    return this.postgres.withOrg(identity, fn, { timeoutMs: 2_000 });
  }
}

/**
 * The condition of a timeline, from a place on. A row comparison alone does not tell PostgreSQL which partitions can be
 * left out, so the bounds of time stand beside it.
 */
function matching(filter: TimelineFilter, walk: Walk, options?: ReadOptions): { sql: string; parameters: unknown[] } {
  const parameters: unknown[] = [];
  const bind = (value: unknown): string => `$${parameters.push(value)}`;
  const conditions = [
    `app = ${bind(filter.app)}`,
    filter.log === 'debugLog' ? `type = 'D'` : `type <> 'D'`,
    `event_time >= ${bind(new Date(walk.sinceMs).toISOString())}::timestamptz`,
    `pg_visible_in_snapshot(tx, ${bind(walk.asOf)}::pg_snapshot)`,
  ];
  for (const [column, value] of [
    ['who', filter.who],
    ['class', filter.class],
    ['instance_id', filter.instanceId],
    ['module', filter.module],
    ['trace_id', filter.traceId],
  ] as const) {
    if (value != null) conditions.push(`${column} = ${bind(value)}`);
  }
  if (filter.priority != null) conditions.push(`pri >= ${bind(priorities.indexOf(filter.priority))}`);
  if (options?.from) {
    const comparison = (options.towards === 'OLDER' ? '<' : '>') + (options.inclusive ? '=' : '');
    const time = `${bind(toMicrosecondMoment(options.from.whenNs))}::timestamptz`;
    const place = `(${time}, ${bind(options.from.whenNs)}::bigint, ${bind(options.from.id)}::text)`;
    conditions.push(
      `event_time ${options.towards === 'OLDER' ? '<=' : '>='} ${time}`,
      `(event_time, when_ns, id) ${comparison} ${place}`,
    );
  }
  return { sql: conditions.join(' AND '), parameters };
}
