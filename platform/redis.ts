/** Connections to Redis, and the one place where its keys are made. Redis may vanish at any time: nothing is only there. */
import { Redis } from 'ioredis';
import type { Logger } from './logging.js';

/** Everything that Harborwatch keeps in Redis. The organisation is part of every key but of those who have none yet. */
export class RedisKeys {
  constructor(readonly prefix: string) {}
  /** A cached answer of the analytics widgets. */
  widget(orgId: string, name: string, variant: string): string {
    return `${this.prefix}:{${orgId}}:widget:${name}:${variant}`;
  }
  /** The id of a call between gateway and subgraph, so that it is taken once. */
  hop(orgId: string, id: string): string {
    return `${this.prefix}:{${orgId}}:hop:${id}`;
  }
  /** Failed attempts to sign in, by what they are counted for; `hash` is of what was typed, or of an address. */
  signIns(of: 'account' | 'address' | 'pair', hash: string): string {
    return `${this.prefix}:{sign-in}:${of}:${hash}`;
  }
  /** What BullMQ's keys begin with; of an organisation's, the id of the ring follows. */
  get queues(): string {
    return `${this.prefix}-queue`;
  }
  /** The id of a ring for an organisation's job, within its queue. */
  ring(orgId: string, id: string): string {
    return `${orgId}-${id}`;
  }
  /** A live topic, such as `job:<id>`. */
  topic(orgId: string, topic: string): string {
    return `${this.prefix}:{${orgId}}:topic:${topic}`;
  }
  /** The requests that an organisation, or an address without one (`address/...`), has taken of its rate. */
  rate(who: string): string {
    return `${this.prefix}:{${who}}:rate`;
  }
  /** The connections that an organisation, or an address without one (`address/...`), holds open. */
  connections(who: string): string {
    return `${this.prefix}:{${who}}:connections`;
  }
  /** What a collection keeps beside its entries: `index`, `marker`. */
  collection(orgId: string, redisKeyBase: string, part: string): string {
    return `${this.prefix}:{${orgId}}:collection:${redisKeyBase}:${part}`;
  }
  /** An entry of a collection, which other programs read too. The key base begins with the organisation's slug. */
  collectionEntry(redisKeyBase: string, keyHash: string): string {
    return `${this.prefix}:${redisKeyBase}:${keyHash}`;
  }
}

export interface RedisConnections {
  keys: RedisKeys;
  /** Commands fail at once while Redis is away, so that nobody waits for it. */
  commands: Redis;
  /** A connection of its own with the settings that BullMQ asks for. */
  duplicateForQueue(): Redis;
  /** A connection of its own that only subscribes. */
  duplicateForSubscriptions(): Redis;
  ping(): Promise<boolean>;
  close(): Promise<void>;
}

/** Opens the connections; they come back by themselves after an outage. */
export function connectRedis(url: string, prefix: string, logger: Logger): RedisConnections {
  const open: Redis[] = [];
  let complained = false;
  const connect = (options: {
    maxRetriesPerRequest: number | null;
    enableOfflineQueue: boolean;
    commandTimeout?: number;
  }) => {
    const redis = new Redis(url, {
      ...options,
      retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 6), 2_000),
    });
    redis.on('error', (error: Error) => {
      if (!complained) logger.warn({ error: String(error) }, 'Redis does not answer; going on without it');
      complained = true;
    });
    redis.on('ready', () => {
      complained = false;
    });
    open.push(redis);
    return redis;
  };
  const commands = connect({ maxRetriesPerRequest: 1, enableOfflineQueue: false, commandTimeout: 2_000 });
  return {
    keys: new RedisKeys(prefix),
    commands,
    duplicateForQueue: () => connect({ maxRetriesPerRequest: null, enableOfflineQueue: true }),
    duplicateForSubscriptions: () => connect({ maxRetriesPerRequest: null, enableOfflineQueue: true }),
    ping: () =>
      commands.ping().then(
        () => true,
        () => false,
      ),
    close: async () => {
      for (const redis of open) redis.disconnect();
    },
  };
}
