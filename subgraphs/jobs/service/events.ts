/**
 * The stream of what happens to an organisation's jobs. Each reader walks the log at its own pace from PostgreSQL, in commit
 * order, so nothing waits in memory and nothing is lost; rings only wake the readers. Those that stand at the same place
 * read together.
 */
import type { CursorContext } from '../../../platform/cursor.js';
import { gatherReads } from '../../../platform/gathered-reads.js';
import type { Identity } from '../../../platform/identity.js';
import { liveStream } from '../../../platform/live-stream.js';
import { horizonRetryMs, type LogPosition } from '../../../platform/postgres/follower.js';
import type { PubSub } from '../../../platform/pubsub.js';
import type { EventPage, JobEventRow, JobEventStore } from '../store/events.js';
import { jobsTopic } from '../topics.js';

export type { JobEventRow, JobEventType } from '../store/events.js';

/** How many events a reader may be behind. */
const maxLag = 100_000;
const eventsPerPage = 500;
/** A reader that gets full pages is behind: after so many it is looked at how far. */
const pagesPerLook = 20;
/** How often a reader looks without a ring. */
const recheckMs = 2_000;

export interface JobEventStep {
  event: JobEventRow;
  /** Stands behind the event. */
  cursor: string;
  /** How many events were left out before this one; null where that cannot be said any more. */
  lagged: number | null;
}

export class JobEventStreams {
  readonly #maxLag: number;

  /** @param options for tests */
  constructor(
    private readonly store: JobEventStore,
    private readonly pubsub: PubSub,
    options: { maxLag?: number } = {},
  ) {
    this.#maxLag = options.maxLag ?? maxLag;
  }

  /** Opens a stream behind a cursor; without one it starts with what is committed from now on. @throws INVALID_CURSOR */
  async open(
    identity: Identity,
    after: string | null | undefined,
    { cursors, binding }: CursorContext,
  ): Promise<AsyncIterableIterator<JobEventStep>> {
    let position: LogPosition;
    let lagged: number | null = 0;
    if (after == null) {
      position = await this.store.end(identity);
    } else {
      const [tx, seq] = cursors.decode(binding, after).map(String);
      position = { tx: tx!, seq: seq! };
      // A cursor stands at an event. Where that is not kept any more, others behind it may be gone with it.
      if (!(await this.store.has(identity, position))) lagged = null;
    }

    let events: readonly JobEventRow[] = [];
    let next = 0;
    /** Whether everything was read that was there at the last look. */
    let isDrained = false;
    let fullPages = 0;
    let ring: () => void = () => {};

    const readOn = async () => {
      const page = (await this.#readPage(identity, `${position.tx}/${position.seq}`))!;
      const mayBeFar = page.more === 'FULL' && fullPages++ % pagesPerLook === 0;
      const distance = mayBeFar ? await this.store.distanceToEnd(identity, position) : undefined;
      if (distance && distance.count > this.#maxLag) {
        position = distance.beforeLast;
        if (lagged !== null) lagged += distance.count - 1;
        return;
      }
      events = page.events;
      next = 0;
      isDrained = page.more !== 'FULL';
      if (page.more === 'HELD_BACK') setTimeout(ring, horizonRetryMs);
    };

    return liveStream({
      take: async () => {
        while (next === events.length && !isDrained) await readOn();
        const event = events[next];
        if (!event) {
          isDrained = false; // At the next ring there may be more.
          return undefined;
        }
        next += 1;
        position = { tx: event.tx, seq: event.seq };
        const step = { event, cursor: cursors.encode(binding, [event.tx, event.seq]), lagged };
        lagged = 0;
        return step;
      },
      listen: (heard) => {
        ring = heard;
        return this.pubsub.follow(jobsTopic(identity.orgId), heard);
      },
      // All readers of the process at the same moments, so that they read together.
      recheckInMs: () => recheckMs - (performance.now() % recheckMs),
    });
  }

  readonly #readPage = gatherReads<EventPage>(async (identity, keys) => {
    const positions = keys.map((key) => {
      const [tx, seq] = key.split('/');
      return { tx: tx!, seq: seq! };
    });
    const pages = await this.store.read(identity, positions, eventsPerPage);
    return new Map(keys.map((key, index) => [key, pages[index]!]));
  });
}
