import { describe, expect, test } from 'vitest';
import { births, isTerminal, jobEvents, jobStatuses, step, transitions } from './states.js';

describe('the table of states', () => {
  test('leads every event to one status, whatever it comes from', () => {
    for (const event of jobEvents) {
      const targets = new Set(jobStatuses.map((status) => transitions[status][event]).filter((to) => to !== null));
      expect(targets.size).toBe(1);
      expect(step(event).to).toBe(`'${[...targets][0]}'`);
    }
  });

  test('lets every job come to an end, and none leave it', () => {
    expect(jobStatuses.filter(isTerminal)).toEqual(['COMPLETED', 'FAILED', 'CANCELLED']);
    for (const status of ['PENDING', 'RUNNING'] as const) expect(transitions[status].cancel).toBe('CANCELLED');
  });

  test('reaches every status from a birth', () => {
    const reached = new Set<string>(Object.values(births));
    for (const status of jobStatuses) {
      if (reached.has(status)) for (const event of jobEvents) reached.add(transitions[status][event] ?? status);
    }
    expect(reached).toEqual(new Set(jobStatuses));
  });
});
