import { describe, expect, it } from 'vitest';
import { type Bench, median, percentile, print } from './frame.js';

describe('the benchmark frame', () => {
  it('takes the middle of an odd and the mean of an even number of values', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 2, 9])).toBe(3);
    expect(() => median([])).toThrow(/no median/);
  });

  it('takes the value that a share of all do not exceed', () => {
    const values = Array.from({ length: 200 }, (_, index) => index + 1);
    expect([0, 0.5, 0.99, 1].map((share) => percentile(values, share))).toEqual([1, 100, 198, 200]);
    expect(percentile([7], 0.99)).toBe(7);
    expect(() => percentile([], 0.5)).toThrow(/no percentile/);
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

  it('says of each promise whether it was kept, and names in the JSON those that were not', () => {
    const lines: string[] = [];
    const floors = [
      { name: 'speedup', at: 'least', value: 2, what: 'over the other' },
      { name: 'seconds', at: 'most', value: 1, what: 'for one' },
      { name: 'unmeasured', at: 'most', value: 1, what: 'nothing' },
    ] as const;
    const report = { figures: { seconds: 1.2 }, ratios: { speedup: 2 }, scale: {}, versions: {}, floors };
    const json = print({ name: 'x' } as Bench, report, (line) => lines.push(line));
    expect(JSON.parse(json)).toMatchObject({ missed: ['seconds'] });
    expect(lines.join('\n')).toMatch(/speedup: 2, at least 2: met .*\n.*seconds: 1\.2, at most 1: NOT MET/);
    expect(lines.join('\n')).not.toContain('unmeasured');
  });
});
