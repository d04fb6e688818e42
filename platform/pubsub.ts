/**
 * Live fan-out between processes: a doorbell, never the data. A message says that something changed; whoever hears it
 * reads the truth from PostgreSQL. A lost message costs at most the time until the listener looks by itself.
 */
import type { Redis } from 'ioredis';
import { liveStream } from './live-stream.js';
import type { RedisConnections } from './redis.js';

type Listener = () => void;

/** Who listens to a topic here. */
interface Channel {
  listeners: Set<Listener>;
  /** Resolves when Redis knows of it. */
  isHeard: Promise<unknown>;
}

/** What PubSub needs to tell topics of different organisations apart. */
export interface Topic {
  orgId: string;
  /** Such as `job:<id>`. */
  name: string;
}

export class PubSub {
  readonly #redis: RedisConnections;
  readonly #channels = new Map<string, Channel>();
  /** The topics that were rung within their interval, and whether they are to be rung at the end of it. */
  readonly #resting = new Map<string, boolean>();
  #subscriber: Redis | undefined;

  constructor(redis: RedisConnections) {
    this.#redis = redis;
  }

  /** Rings the topic in every process. Never waits and never fails: the listeners look again by themselves. */
  ring(topic: Topic): void {
    const key = this.#redis.keys.topic(topic.orgId, topic.name);
    this.#redis.commands.publish(key, '').catch(() => this.#hear(key));
  }

  /** Rings the topic of something that changes often: at once, and then at most once in `everyMs` from this process. */
  ringAtMostEvery(everyMs: number, topic: Topic): void {
    const key = this.#redis.keys.topic(topic.orgId, topic.name);
    if (this.#resting.has(key)) {
      this.#resting.set(key, true);
      return;
    }
    this.ring(topic);
    this.#resting.set(key, false);
    setTimeout(() => {
      const wasRung = this.#resting.get(key);
      this.#resting.delete(key);
      if (wasRung) this.ringAtMostEvery(everyMs, topic);
    }, everyMs);
  }

  /** Calls `listener` at every ring until the answered function is called. */
  listen(topic: Topic, listener: Listener): () => void {
    return this.#listen(topic, listener).stop;
  }

  /** The same for who reads something: calls `look` also once every ring is heard, for what was read before may be old. */
  follow(topic: Topic, look: Listener): () => void {
    const { isHeard, stop } = this.#listen(topic, look);
    isHeard.then(look, () => {});
    return stop;
  }

  #listen(topic: Topic, listener: Listener): { isHeard: Promise<unknown>; stop: () => void } {
    const key = this.#redis.keys.topic(topic.orgId, topic.name);
    const subscriber = this.#connect();
    let channel = this.#channels.get(key);
    if (!channel) {
      channel = { listeners: new Set(), isHeard: subscriber.subscribe(key) };
      channel.isHeard.catch(() => {});
      this.#channels.set(key, channel);
    }
    const { listeners, isHeard } = channel;
    listeners.add(listener);
    const stop = () => {
      if (!listeners.delete(listener) || listeners.size > 0) return;
      this.#channels.delete(key);
      subscriber.unsubscribe(key).catch(() => {});
    };
    return { isHeard, stop };
  }

  #connect(): Redis {
    if (this.#subscriber) return this.#subscriber;
    this.#subscriber = this.#redis.duplicateForSubscriptions();
    this.#subscriber.on('message', (key: string) => this.#hear(key));
    return this.#subscriber;
  }

  #hear(key: string): void {
    for (const listener of this.#channels.get(key)?.listeners ?? []) listener();
  }
}

export interface WatchOptions<State> {
  pubsub: PubSub;
  topic: Topic;
  /** Reads the present state. */
  read(): Promise<State>;
  /** What was read a moment ago: the stream begins with it. Left out, it is read. */
  first?: State;
  /** Tells two states apart; an unchanged state is not sent again. */
  version(state: State): string;
  /** The stream ends after a terminal state. */
  isTerminal(state: State): boolean;
}

/** How often a state is read without a ring. */
const recheckMs = 2_000;

/**
 * A state stream: the present state first, then every change that the reader is fast enough to see (the latest wins),
 * and the end after a terminal state.
 */
export function watchState<State>(options: WatchOptions<State>): AsyncIterableIterator<State> {
  let { first } = options;
  let lastVersion: string | undefined;
  /** Whether the latest state has just been sent: there is no other one before the next ring. */
  let isSent = false;
  return liveStream({
    take: async () => {
      if (isSent) {
        isSent = false;
        return undefined;
      }
      const state = first ?? (await options.read());
      first = undefined;
      const version = options.version(state);
      if (version === lastVersion) return undefined;
      lastVersion = version;
      isSent = true;
      return state;
    },
    listen: (ring) => options.pubsub.follow(options.topic, ring),
    // All streams of the process at the same moments, so that reads that are gathered are few.
    recheckInMs: () => recheckMs - (performance.now() % recheckMs),
    isLast: options.isTerminal,
  });
}
