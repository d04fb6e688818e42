import { describe, expect, it } from 'vitest';
import { Breaker, type BreakerOptions, type Outcome } from './breaker.js';

/** A breaker with a clock of its own. */
function setUp(options: Partial<BreakerOptions> = {}) {
  const clock = { ms: 1_000_000 };
  const breaker = new Breaker({ failures: 3, failurePercent: 50, cooldownMs: 1_000, now: () => clock.ms, ...options });
  const call = (outcome: Outcome) => {
    const permit = breaker.admit();
    if (permit === undefined) return 'refused';
    breaker.report(permit, outcome);
    return breaker.state;
  };
  return { breaker, clock, call };
}

describe('the breaker', () => {
  it('opens after so many failures in a row, and not before', () => {
    const { call } = setUp();
    expect([call('failure'), call('failure'), call('success')]).toEqual(['closed', 'closed', 'closed']);
    expect([call('failure'), call('failure'), call('failure')]).toEqual(['closed', 'closed', 'open']);
    expect(call('success')).toBe('refused');
  });

  it('opens at a share of failures that never come in a row', () => {
    const { call, breaker } = setUp();
    for (let i = 0; i < 19; i++) call(i % 2 === 0 ? 'failure' : 'success');
    expect(breaker.state).toBe('closed');
    expect([call('success'), call('failure')]).toEqual(['closed', 'open']);
  });

  it('forgets failures that are older than the window', () => {
    const { call, clock, breaker } = setUp({ failures: 1_000 });
    for (let i = 0; i < 19; i++) call('failure');
    clock.ms += 10_000;
    expect(call('failure')).toBe('closed');
    expect(breaker.state).toBe('closed');
  });

  it('lets one call probe after the cool-down, and closes or opens by its outcome', () => {
    const { breaker, clock, call } = setUp({ failures: 1 });
    expect(call('failure')).toBe('open');
    clock.ms += 999;
    expect(breaker.admit()).toBeUndefined();
    clock.ms += 1;
    const probe = breaker.admit()!;
    expect([breaker.state, breaker.admit()]).toEqual(['half-open', undefined]);
    breaker.report(probe, 'failure');
    expect([breaker.state, breaker.admit()]).toEqual(['open', undefined]);
    clock.ms += 1_000;
    expect(call('success')).toBe('closed');
  });

  it('gives the next call the probe where one says nothing', () => {
    const { clock, call } = setUp({ failures: 1 });
    call('failure');
    clock.ms += 1_000;
    expect([call('neutral'), call('success')]).toEqual(['half-open', 'closed']);
  });

  it('does not listen to calls from before its change', () => {
    const { breaker, clock, call } = setUp({ failures: 1 });
    const old = breaker.admit()!;
    call('failure');
    clock.ms += 1_000;
    const probe = breaker.admit()!;
    breaker.report(old, 'success');
    expect(breaker.state).toBe('half-open');
    breaker.report(probe, 'success');
    breaker.report(old, 'failure');
    expect(breaker.state).toBe('closed');
  });
});
