/**
 * Counts the connections that an organisation holds open at all processes. Each is a lease in Redis that its process renews:
 * those of a process that was killed run out by themselves. While Redis is away, each process counts its own.
 */
import type { Redis } from 'ioredis';
import type { Logger } from '../logging.js';
import type { RedisConnections } from '../redis.js';
import { within } from '../within.js';

/** How long a lease lasts that nobody renews, and how often it is renewed. */
const leaseMs = 45_000;
const renewEveryMs = 15_000;
/** How long a new connection waits for Redis. */
const patienceMs = 250;

/** KEYS[1]: leases by the moment of their end, in milliseconds. ARGV: milliseconds of a lease, the limit, the new lease. */
const enterScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
`;

/** KEYS[1] as above. ARGV: milliseconds of a lease, then the leases; those that Redis has lost are there again. */
const renewScript = `
local time = redis.call('TIME')
local ending = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
for at = 2, #ARGV do redis.call('ZADD', KEYS[1], ending, ARGV[at]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
`;

interface Scripts {
  harborwatchEnter(key: string, leaseMs: number, limit: number, lease: string): Promise<0 | 1>;
  harborwatchRenew(key: string, leaseMs: number, ...leases: string[]): Promise<void>;
}

export interface LeaseTimes {
  leaseMs: number;
  renewEveryMs: number;
}

export class ConnectionLeases {
  readonly #redis: Redis & Scripts;
  readonly #leaseMs: number;
  readonly #timer: NodeJS.Timeout;
  readonly #process = crypto.randomUUID();
  /** The leases of this process by their key. */
  readonly #held = new Map<string, Set<string>>();
  #last = 0;

  /** @param times of leases. Default: 45 s, renewed every 15 s */
  constructor(
    { commands }: Pick<RedisConnections, 'commands'>,
    private readonly logger: Logger,
    times: LeaseTimes = { leaseMs, renewEveryMs },
  ) {
    commands.defineCommand('harborwatchEnter', { numberOfKeys: 1, lua: enterScript });
    commands.defineCommand('harborwatchRenew', { numberOfKeys: 1, lua: renewScript });
    this.#redis = commands as Redis & Scripts;
    this.#leaseMs = times.leaseMs;
    this.#timer = setInterval(() => void this.#renew(), times.renewEveryMs).unref();
  }

  /** @param key of RedisKeys. @returns what to call once when the connection is closed; undefined at the limit */
  async enter(key: string, limit: number): Promise<(() => void) | undefined> {
    const held = this.#held.get(key) ?? new Set();
    this.#held.set(key, held);
    const lease = `${this.#process}:${++this.#last}`;
    const counted = held.size;
    held.add(lease);
    const leave = () => {
      held.delete(lease);
      if (held.size === 0 && this.#held.get(key) === held) this.#held.delete(key);
      if (this.#isReady) this.#redis.zrem(key, lease).catch(() => {});
    };
    const asked = this.#isReady ? this.#redis.harborwatchEnter(key, this.#leaseMs, limit, lease) : undefined;
    const entered = (asked && (await within(patienceMs, asked, undefined))) ?? (counted < limit ? 1 : 0);
    if (entered === 1) return leave;
    leave();
    return undefined;
  }

  /** Gives back what this process holds. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    if (!this.#isReady) return;
    const given = [...this.#held].map(([key, leases]) => this.#redis.zrem(key, ...leases));
    await within(patienceMs, Promise.all(given), undefined);
  }

  get #isReady(): boolean {
    return this.#redis.status === 'ready';
  }

  async #renew(): Promise<void> {
    if (!this.#isReady) return;
    const renewed = [...this.#held].map(([key, leases]) => this.#redis.harborwatchRenew(key, this.#leaseMs, ...leases));
    await Promise.all(renewed).catch((error) =>
      this.logger.warn({ error: String(error) }, 'the leases of connections could not be renewed'),
    );
  }
}
