/**
 * The transactional outbox: named, typed domain events that take effect in another domain. An event is written in the
 * transaction of what it tells, and handed to every domain that subscribed to its type, at least once and in commit order.
 */
import type { Logger } from './logging.js';
import { Follower, type LogRow, type LogSource } from './postgres/follower.js';
import type { Postgres, Tx } from './postgres/postgres.js';
import { toStorable } from './storable.js';

/** What Harborwatch writes down about itself; see platform/self-audit.ts. */
export interface SelfAuditEntry {
  /** What was done, such as `sign-in`, `grant`, `api-key.create`, `audit.read`. */
  op: string;
  /** The part that it was done in, such as `accounts`; the entry's `module`. */
  module: string;
  /** Who did it: an email address where there is one, else what was typed or opened. */
  who: string;
  /** What it was done to: its kind, such as `user`, and its id. */
  class: string;
  instanceId: string | null;
  outcome: 'SUCCESS' | 'FAILURE';
  /** A sentence for people. */
  message: string;
  /** Why it failed. */
  error?: string;
  remoteIp: string | null;
  /** RFC 3339. */
  at: string;
  /** Figures and names that help; never secrets. */
  data?: Record<string, unknown>;
  /** INFO where absent. */
  priority?: 'INFO' | 'WARN' | 'SEC';
}

/** Every domain event with what it carries. */
export interface DomainEvents {
  /** Something that Harborwatch writes down about itself: see platform/self-audit.ts. */
  'audit.entry': SelfAuditEntry;
  /** A collection was created, started or stopped. */
  'collections.changed': { collectionId: string };
}

export type DomainEventType = keyof DomainEvents;

export interface DomainEvent<T extends DomainEventType = DomainEventType> extends LogRow {
  type: T;
  payload: DomainEvents[T];
}

const source: LogSource<DomainEvent> = {
  table: 'outbox',
  columns: 'type, payload',
  channel: 'harborwatch_outbox',
  map: (row) => row as unknown as DomainEvent,
};

/** Writes an event; call it in the transaction of what it tells. */
export async function emit<T extends DomainEventType>(
  tx: Tx,
  orgId: string,
  type: T,
  payload: DomainEvents[T],
): Promise<void> {
  await tx.query('INSERT INTO outbox (org_id, type, payload) VALUES ($1, $2, $3)', [
    orgId,
    type,
    // Texts in it come from callers too; one that cannot be stored must not undo the act.
    JSON.stringify(toStorable(payload)),
  ]);
  await tx.query(`SELECT pg_notify('harborwatch_outbox', '')`);
}

/** What a domain does with each type of event; each must be idempotent. */
export type EventHandlers = { [T in DomainEventType]?: (event: DomainEvent<T>) => Promise<void> };

/** Hands events to one domain's handlers, with a checkpoint in the domain's name. */
export function followOutbox(
  postgres: Postgres,
  domain: string,
  handlers: EventHandlers,
  logger: Logger,
): Follower<DomainEvent> {
  return new Follower(postgres, {
    source,
    consumer: domain,
    logger,
    handle: async (events) => {
      for (const event of events) {
        await (handlers[event.type] as ((event: DomainEvent) => Promise<void>) | undefined)?.(event);
      }
    },
  });
}
