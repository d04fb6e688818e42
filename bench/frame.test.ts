import { describe, expect, it } from 'vitest';
import { type Bench, median, print } from './frame.js';

describe('the benchmark frame', () => {
  it('takes the middle of an odd and the mean of an even number of values', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 2, 9])).toBe(3);
    expect(() => median([])).toThrow(/no median/);
  });

  it('ends with one JSON line, below the machine, the versions and the row counts', () => {
    const lines: string[] = [];
    const report = {
      figures: { seconds: 1.23456 },
      ratios: { speedup: 2 },
      scale: { rows: 10 },
      versions: { thing: '1.0' },
    };
    const json = print({ name: 'x' } as Bench, report, (line) => lines.push(line));
    expect(JSON.parse(json)).toEqual({ name: 'x', ratios: { speedup: 2 }, figures: { seconds: 1.235 } });
    expect(lines.join('\n')).toMatch(/machine .* cores[\s\S]*thing: 1\.0[\s\S]*rows: 10/);
  });
});
