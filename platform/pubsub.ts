/**
 * Live fan-out between processes: a doorbell, never the data. A message says that something changed; whoever hears it
 * reads the truth from PostgreSQL. A lost message costs at most one interval of `recheckMs`.
 */
import type { Redis } from 'ioredis';
import type { RedisConnections } from './redis.js';

type Listener = () => void;

/** What PubSub needs to tell topics of different organisations apart. */
export interface Topic {
  orgId: string;
  /** Such as `job:<id>`. */
  name: string;
}

export class PubSub {
  readonly #redis: RedisConnections;
  readonly #listeners = new Map<string, Set<Listener>>();
  #subscriber: Redis | undefined;

  constructor(redis: RedisConnections) {
    this.#redis = redis;
  }

  /** Rings the topic in every process. Never waits and never fails: the listeners look again by themselves. */
  ring(topic: Topic): void {
    const key = this.#redis.keys.topic(topic.orgId, topic.name);
    this.#redis.commands.publish(key, '').catch(() => this.#hear(key));
  }

  /** Calls `listener` at every ring until the answered function is called. */
  listen(topic: Topic, listener: Listener): () => void {
    const key = this.#redis.keys.topic(topic.orgId, topic.name);
    const subscriber = this.#connect();
    const listeners = this.#listeners.get(key) ?? new Set();
    if (listeners.size === 0) {
      this.#listeners.set(key, listeners);
      subscriber.subscribe(key).catch(() => {});
    }
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size > 0) return;
      this.#listeners.delete(key);
      subscriber.unsubscribe(key).catch(() => {});
    };
  }

  #connect(): Redis {
    if (this.#subscriber) return this.#subscriber;
    this.#subscriber = this.#redis.duplicateForSubscriptions();
    this.#subscriber.on('message', (key: string) => this.#hear(key));
    return this.#subscriber;
  }

  #hear(key: string): void {
    for (const listener of this.#listeners.get(key) ?? []) listener();
  }
}

export interface WatchOptions<State> {
  pubsub: PubSub;
  topic: Topic;
  /** Reads the present state. */
  read(): Promise<State>;
  /** Tells two states apart; an unchanged state is not sent again. */
  version(state: State): string;
  /** The stream ends after a terminal state. */
  isTerminal(state: State): boolean;
  /** How often to look without being rung. Default 2,000. */
  recheckMs?: number;
}

/**
 * A state stream: the present state first, then every change that the reader is fast enough to see (the latest wins),
 * and the end after a terminal state. Not an async generator: `return()` must take effect while `next()` waits.
 */
export function watchState<State>(options: WatchOptions<State>): AsyncIterableIterator<State> {
  let ended = false;
  let rung = true;
  let lastVersion: string | undefined;
  let wake: () => void = () => {};
  const ring = () => {
    rung = true;
    wake();
  };
  const stopListening = options.pubsub.listen(options.topic, ring);
  const timer = setInterval(ring, options.recheckMs ?? 2_000);
  const end = () => {
    if (ended) return;
    ended = true;
    clearInterval(timer);
    stopListening();
    wake();
  };
  const done = { done: true, value: undefined } as const;
  return {
    async next() {
      while (!ended) {
        if (!rung) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        rung = false;
        try {
          const state = await options.read();
          if (ended) return done;
          const version = options.version(state);
          if (version === lastVersion) continue;
          lastVersion = version;
          if (options.isTerminal(state)) end();
          return { done: false, value: state };
        } catch (error) {
          end();
          throw error;
        }
      }
      return done;
    },
    async return() {
      end();
      return done;
    },
    async throw(error) {
      end();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
