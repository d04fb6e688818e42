/** Sends items to the subscribers of one execution, each once and in order, without keeping the event loop to itself. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Item } from './message.js';
import type { Subscriber } from './subscriber.js';

/** How much may go out in one go, before the source waits: one client's messages of a go are one write. */
const maxBatchMessages = 64;
const maxBatchBytes = 65_536;
const maxBatchFrames = 16_384;
/** How many clients are written to before other work gets its turn. */
const writesPerTurn = 1_000;

interface Entry {
  item: Item;
  /** The only ones to get it; undefined where all do. */
  to: ReadonlySet<Subscriber> | undefined;
}

export class FanOut {
  readonly #subscribers = new Set<Subscriber>();
  #outbox: Entry[] = [];
  #bytes = 0;
  #flushing = false;
  #started = false;
  #finished = false;

  /** @param onFlushed is called when there is room again */
  constructor(private readonly onFlushed: () => void) {}

  get size(): number {
    return this.#subscribers.size;
  }

  /** Whether something has gone out: whoever is added now has missed it. */
  get started(): boolean {
    return this.#started;
  }

  /** Whether there is room, and somebody who takes more. */
  get ready(): boolean {
    if (this.full) return false;
    for (const subscriber of this.#subscribers) if (subscriber.ready) return true;
    return false;
  }

  get full(): boolean {
    const { length } = this.#outbox;
    return (
      length >= maxBatchMessages ||
      this.#bytes >= maxBatchBytes ||
      (length > 0 && length * this.#subscribers.size >= maxBatchFrames)
    );
  }

  /** Whether something for everybody is about to go out, to those added now too. */
  get pending(): boolean {
    return this.#outbox.some(({ to }) => to === undefined);
  }

  add(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber);
  }

  delete(subscriber: Subscriber): boolean {
    return this.#subscribers.delete(subscriber);
  }

  push(item: Item, to?: ReadonlySet<Subscriber>): void {
    this.#outbox.push({ item, to });
    this.#bytes += 'bytes' in item ? item.bytes : 0;
    this.#flushSoon();
  }

  /** Ends every subscription behind what was pushed. */
  finish(): void {
    this.#finished = true;
    this.#flushSoon();
  }

  /** At the end of this turn of the event loop: what comes until then goes out in the same writes. */
  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => void this.#flush());
  }

  async #flush(): Promise<void> {
    while (this.#outbox.length > 0) {
      const batch = this.#outbox;
      this.#outbox = [];
      this.#bytes = 0;
      this.#started = true;
      const forAll = batch.filter(({ to }) => to === undefined).map(({ item }) => item);
      const itemsFor = (subscriber: Subscriber): Item[] =>
        forAll.length === batch.length
          ? forAll
          : batch.filter(({ to }) => to === undefined || to.has(subscriber)).map(({ item }) => item);
      let writes = 0;
      for (const subscriber of [...this.#subscribers]) {
        if (writes > 0 && writes % writesPerTurn === 0) await nextTurn();
        writes += 1;
        subscriber.take(itemsFor(subscriber));
      }
      this.onFlushed();
      if (this.#outbox.length > 0) await nextTurn();
    }
    this.#flushing = false;
    if (this.#finished) for (const subscriber of [...this.#subscribers]) subscriber.end();
  }
}
