/** One client's part in a shared subscription, with the bounded queue that waits for it. */
import { Gap, type Item, Message } from './message.js';
import type { Sharing } from './stream-sharing.js';

/** Where a transport takes a subscription's messages. */
export interface Sink {
  /** False while the client does not read what was sent. The transport calls `Subscriber.resume` when it does again. */
  readonly ready: boolean;
  /** Sends messages, all at once. */
  send(messages: readonly Message[]): void;
  /** Says that no more will come. */
  complete(): void;
}

/** How much may wait for one subscriber. What waits for several is in memory once. */
export interface QueueBounds {
  messages: number;
  bytes: number;
}

/** A queue takes this many messages however large they are: those that were under way when the client fell behind. */
const messagesAtLeast = 8;

export class Subscriber {
  #queue: Message[] = [];
  #queuedBytes = 0;
  #missed = 0;
  #ending = false;
  #left = false;

  /**
   * @param leave is called once, when the subscriber wants or gets no more
   * @param wake is called when it is ready again
   * @param sent is called for every message that goes out
   */
  constructor(
    private readonly sink: Sink,
    private readonly sharing: Sharing,
    private readonly bounds: QueueBounds,
    private readonly events: { leave(): void; wake(): void; sent(): void },
  ) {}

  /** Whether it has caught up. A stream that nobody is ready for waits at its source. */
  get ready(): boolean {
    return this.#queue.length === 0 && this.#missed === 0 && this.sink.ready;
  }

  /** Sends, or queues while the client does not read. */
  take(items: readonly Item[]): void {
    if (this.#left) return;
    if (this.ready && !items.some((item) => item instanceof Gap)) {
      this.#send(items as readonly Message[]);
      return;
    }
    for (const item of items) this.#enqueue(item);
    if (this.sink.ready) this.resume();
  }

  /** The stream has ended: so does the subscription, behind what waits for it. */
  end(): void {
    this.#ending = true;
    this.resume();
  }

  /** The client reads again. */
  resume(): void {
    if (this.#left) return;
    while (this.#queue.length > 0 && this.sink.ready) {
      const messages = this.#queue.splice(0, messagesAtLeast);
      for (const { bytes } of messages) this.#queuedBytes -= bytes;
      this.#send(messages);
    }
    if (this.#queue.length > 0 || !this.sink.ready) return;
    if (this.#missed > 0) {
      this.#send([lagged(this.#missed)]);
      this.#ending = true;
    }
    if (this.#ending) {
      this.leave();
      this.sink.complete();
    } else {
      this.events.wake();
    }
  }

  /** The client wants no more. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#queue = [];
    this.events.leave();
  }

  #send(messages: readonly Message[]): void {
    this.sink.send(messages);
    for (let sent = 0; sent < messages.length; sent += 1) this.events.sent();
  }

  #enqueue(item: Item): void {
    if (item instanceof Gap) {
      this.#missed += item.missed;
    } else if (this.sharing === 'state') {
      this.#queue = [item];
      this.#queuedBytes = item.bytes;
    } else if (this.#missed > 0 || this.#isFull) {
      this.#missed += 1;
    } else {
      this.#queue.push(item);
      this.#queuedBytes += item.bytes;
    }
  }

  get #isFull(): boolean {
    const { length } = this.#queue;
    return length >= this.bounds.messages || (length >= messagesAtLeast && this.#queuedBytes >= this.bounds.bytes);
  }
}

const lagged = (missed: number): Message =>
  Message.ofErrors([
    {
      message: `The subscriber reads too slowly and missed ${missed} events. Subscribe again, from the last cursor where the field takes one.`,
      extensions: { code: 'SUBSCRIPTION_LAGGED', missed },
    },
  ]);
