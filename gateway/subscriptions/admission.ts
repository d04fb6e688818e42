/** Counts the connections that stay open, and refuses those over a limit. */
import { fail } from '../../platform/errors.js';
import type { GatewayMetrics } from '../../platform/metrics.js';
import type { Caller, CallerLimits } from '../limits/caller-limits.js';

export class Admission {
  #open = 0;
  readonly #byUser = new Map<string, number>();

  /**
   * @param max how many may be open altogether
   * @param maxPerUser how many of one user
   * @param callerLimits counts those of an organisation, or of an address without one, over all processes
   */
  constructor(
    private readonly max: number,
    private readonly maxPerUser: number,
    private readonly metrics: Pick<GatewayMetrics, 'begin' | 'end'>,
    private readonly callerLimits: Pick<CallerLimits, 'connect'> | undefined,
  ) {}

  /** @returns what to call once when the connection is closed. @throws TOO_MANY_STREAMS */
  enter(): () => void {
    if (this.#open >= this.max) {
      const message = `This gateway has its ${this.max} connections open already. Try again later.`;
      fail('TOO_MANY_STREAMS', message, { limit: this.max });
    }
    this.#open += 1;
    this.metrics.begin('sockets');
    return () => {
      this.#open -= 1;
      this.metrics.end('sockets');
    };
  }

  /** @returns what to call once when the caller's connection is closed. @throws TOO_MANY_STREAMS, TOO_MANY_CONNECTIONS */
  async enterAs(caller: Caller): Promise<() => void> {
    const { identity } = caller;
    const leaveUser = identity ? this.#enterUser(`${identity.orgId} ${identity.subject.id}`) : () => {};
    try {
      const leaveAll = await this.callerLimits?.connect(caller);
      return () => {
        leaveUser();
        leaveAll?.();
      };
    } catch (error) {
      leaveUser();
      throw error;
    }
  }

  #enterUser(user: string): () => void {
    const open = this.#byUser.get(user) ?? 0;
    if (open >= this.maxPerUser) {
      const message = `This user has ${this.maxPerUser} connections open already. Close one first.`;
      fail('TOO_MANY_STREAMS', message, { limit: this.maxPerUser });
    }
    this.#byUser.set(user, open + 1);
    return () => {
      const left = this.#byUser.get(user)! - 1;
      if (left > 0) this.#byUser.set(user, left);
      else this.#byUser.delete(user);
    };
  }
}
