/**
 * The live tail. Each reader walks the change feed at its own pace from PostgreSQL, so nothing waits in memory and
 * nothing is lost; the process-wide follower only wakes the readers. A reader that is too far behind is moved to the
 * end and told how many events it missed.
 */
import type { Dataset } from '../../datasets/types.js';
import type { CursorContext } from '../../platform/cursor.js';
import { type FeedRow, followFeed } from '../../platform/feed.js';
import type { Identity } from '../../platform/identity.js';
import { liveStream } from '../../platform/live-stream.js';
import type { Logger } from '../../platform/logging.js';
import type { Follower, LogPosition } from '../../platform/postgres/follower.js';
import type { EventsStore, StoredEvent } from './store.js';

/** How many events a reader may be behind. */
const maxLag = 10_000;
const feedRowsPerRead = 200;
const eventsPerRead = 500;
/** How often a reader looks without being woken. */
const recheckMs = 5_000;

export interface TailStep {
  event: Record<string, unknown> | null;
  cursor: string;
  lagged: number;
}

/** Where a reader stands: behind a whole feed row, or inside one behind an event. */
interface TailPosition {
  feed: LogPosition;
  /** The feed row in hand, the last event of it that was sent, and how many were. */
  inside?: { tx: string; seq: string; id: string; sent: number };
}

export class EventTails {
  readonly #wakers = new Map<string, Set<() => void>>();
  #follower: Follower<FeedRow> | undefined;

  constructor(
    private readonly store: EventsStore,
    private readonly logger: Logger,
  ) {}

  /** Opens a tail. Without `after` it starts with what is ingested from now on. */
  async open(
    identity: Identity,
    dataset: Dataset,
    after: string | null | undefined,
    cursor: CursorContext,
  ): Promise<AsyncIterableIterator<TailStep>> {
    await this.#startFollower();
    const position = after == null ? { feed: await this.store.feedEnd(identity) } : decode(cursor, after);
    return liveStream({
      take: this.#steps(identity, dataset, position, cursor),
      listen: (ring) => this.#listen(`${identity.orgId}/${dataset.name}`, ring),
      recheckInMs: () => recheckMs,
    });
  }

  async close(): Promise<void> {
    await this.#follower?.stop();
  }

  /** Answers the next step, or undefined when there is nothing new. */
  #steps(
    identity: Identity,
    dataset: Dataset,
    start: TailPosition,
    cursor: CursorContext,
  ): () => Promise<TailStep | undefined> {
    let { feed } = start;
    let inside = start.inside;
    let pending: FeedRow[] = [];
    let buffer: StoredEvent[] = [];
    let drained = false;
    const toCursor = () =>
      cursor.cursors.encode(cursor.binding, [
        feed.tx,
        feed.seq,
        inside?.tx ?? null,
        inside?.seq ?? null,
        inside?.id ?? null,
        inside?.sent ?? null,
      ]);
    const isInside = (row: FeedRow) => inside?.tx === row.tx && inside.seq === row.seq;
    /** How many events the pending feed rows still have for this reader. */
    const behind = () =>
      pending.reduce((sum, row) => sum + row.rowCount - (isInside(row) ? (inside?.sent ?? 0) : 0), 0);
    const skip = (): TailStep => {
      const last = pending.at(-1)!;
      const lagged = behind();
      feed = { tx: last.tx, seq: last.seq };
      inside = undefined;
      pending = [];
      return { event: null, cursor: toCursor(), lagged };
    };
    return async () => {
      for (;;) {
        const event = buffer.shift();
        if (event) {
          const row = pending[0]!;
          inside = { tx: row.tx, seq: row.seq, id: event.id, sent: (isInside(row) ? inside!.sent : 0) + 1 };
          return { event: event.event, cursor: toCursor(), lagged: 0 };
        }
        const row = pending[0];
        if (!row) {
          pending = await this.store.readFeed(identity, dataset.name, feed, feedRowsPerRead);
          if (pending.length === 0) return undefined;
          if (pending.length > 1 && behind() > maxLag) return skip();
          continue;
        }
        const afterId = isInside(row) ? inside!.id : null;
        if (!drained) buffer = await this.store.readBatch(identity, dataset, row, afterId, eventsPerRead);
        drained = buffer.length > 0 && buffer.length < eventsPerRead;
        if (buffer.length > 0) continue;
        feed = { tx: row.tx, seq: row.seq };
        inside = undefined;
        drained = false;
        pending.shift();
      }
    };
  }

  #listen(key: string, ring: () => void): () => void {
    const wakers = this.#wakers.get(key) ?? new Set();
    this.#wakers.set(key, wakers.add(ring));
    return () => wakers.delete(ring);
  }

  async #startFollower(): Promise<void> {
    this.#follower ??= followFeed(this.store.postgres, {
      logger: this.logger,
      handle: async (rows) => {
        for (const key of new Set(rows.map((row) => `${row.orgId}/${row.dataset}`))) {
          for (const wake of this.#wakers.get(key) ?? []) wake();
        }
      },
    });
    await this.#follower.started;
  }
}

function decode(cursor: CursorContext, after: string): TailPosition {
  const [tx, seq, insideTx, insideSeq, id, sent] = cursor.cursors.decode(cursor.binding, after).map(String);
  const feed = { tx: tx!, seq: seq! };
  return id === 'null' ? { feed } : { feed, inside: { tx: insideTx!, seq: insideSeq!, id: id!, sent: Number(sent) } };
}
