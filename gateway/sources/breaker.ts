/** Leaves a failing subgraph alone for a while: calls fail at once instead of waiting, and it gets room to recover. */

export type BreakerState = 'closed' | 'open' | 'half-open';

/** `neutral`: the call says nothing about the subgraph, such as one whose caller had almost no time left. */
export type Outcome = 'success' | 'failure' | 'neutral';

/** `tripped`: a failure that is one too many. `cooled`: a call asks after the cool-down. */
type BreakerEvent = Outcome | 'tripped' | 'cooled';

const transitions: Record<BreakerState, Record<BreakerEvent, BreakerState>> = {
  closed: { success: 'closed', failure: 'closed', neutral: 'closed', tripped: 'open', cooled: 'closed' },
  open: { success: 'open', failure: 'open', neutral: 'open', tripped: 'open', cooled: 'half-open' },
  // The one call that is under way decides; one that says nothing leaves the decision to the next.
  'half-open': { success: 'closed', failure: 'open', neutral: 'half-open', tripped: 'open', cooled: 'half-open' },
};

export interface BreakerOptions {
  /** How many failures in a row open it. */
  failures: number;
  /** Which share of failures, of at least `minCalls` within `windowMs`, opens it. */
  failurePercent: number;
  /** How long it stays open before one call probes. */
  cooldownMs: number;
  /** Told of every change. */
  onChange?: (state: BreakerState) => void;
  now?: () => number;
}

const windowMs = 10_000;
const minCalls = 20;

/** Leave to make one call, to be given back with its outcome. */
export type Permit = number;

export class Breaker {
  #state: BreakerState = 'closed';
  /** Counts changes of state: a call that began in an earlier one has no say any more. */
  #era: Permit = 0;
  #probing = false;
  #openedAt = 0;
  #inRow = 0;
  /** Two halves of the window: the present one and the one before. */
  #half = { since: 0, calls: 0, failures: 0 };
  #halfBefore = { calls: 0, failures: 0 };
  readonly #now: () => number;

  constructor(private readonly options: BreakerOptions) {
    this.#now = options.now ?? Date.now;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Leave to call; undefined while the subgraph is to be left alone. Every permit is given back by `report`. */
  admit(): Permit | undefined {
    if (this.#state === 'closed') return this.#era;
    if (this.#state === 'open' && this.#now() - this.#openedAt >= this.options.cooldownMs) this.#change('cooled');
    if (this.#state !== 'half-open' || this.#probing) return undefined;
    this.#probing = true;
    return this.#era;
  }

  report(permit: Permit, outcome: Outcome): void {
    if (permit !== this.#era) return;
    this.#probing = false;
    if (outcome !== 'neutral') this.#count(outcome === 'failure');
    this.#change(outcome === 'failure' && this.#isOneTooMany() ? 'tripped' : outcome);
  }

  #count(failed: boolean): void {
    const now = this.#now();
    if (now - this.#half.since >= windowMs / 2) {
      this.#halfBefore = now - this.#half.since >= windowMs ? { calls: 0, failures: 0 } : this.#half;
      this.#half = { since: now, calls: 0, failures: 0 };
    }
    this.#half.calls += 1;
    this.#inRow = failed ? this.#inRow + 1 : 0;
    if (failed) this.#half.failures += 1;
  }

  #isOneTooMany(): boolean {
    const calls = this.#half.calls + this.#halfBefore.calls;
    const failures = this.#half.failures + this.#halfBefore.failures;
    const share = (100 * failures) / calls;
    return this.#inRow >= this.options.failures || (calls >= minCalls && share >= this.options.failurePercent);
  }

  #change(event: BreakerEvent): void {
    const next = transitions[this.#state][event];
    if (next === this.#state) return;
    this.#state = next;
    this.#era += 1;
    this.#probing = false;
    if (next === 'open') this.#openedAt = this.#now();
    if (next === 'closed') {
      this.#inRow = 0;
      this.#half = { since: this.#now(), calls: 0, failures: 0 };
      this.#halfBefore = { calls: 0, failures: 0 };
    }
    this.options.onChange?.(next);
  }
}
