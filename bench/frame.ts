/** What every benchmark shares: its shape, the machine it ran on, medians, and the report whose last line is JSON. */
import { availableParallelism, cpus, totalmem } from 'node:os';
import { type Floor, judge } from './floors.js';

export interface BenchReport {
  /** Measured figures by name, with their unit at the end of the name. */
  figures: Record<string, number>;
  /** Figures over a baseline of the same run. */
  ratios: Record<string, number>;
  /** What was measured over: row counts, sizes, repetitions. */
  scale: Record<string, number | string>;
  /** Versions of what took part. */
  versions: Record<string, string>;
  /** What the ratios and figures were promised to be. */
  floors?: readonly Floor[];
}

export interface BenchOptions {
  say(line: string): void;
  /** Runs these parts of the benchmark alone; empty for all. */
  only: readonly string[];
}

export interface Bench {
  name: string;
  /** One line: what it measures. */
  about: string;
  /** The names that `--only` takes. */
  parts?: readonly string[];
  run(options: BenchOptions): Promise<BenchReport>;
}

/** The middle value; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('There is no median of nothing.');
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The value that `share` of the sorted values do not exceed. */
export function percentile(sorted: Float64Array | readonly number[], share: number): number {
  if (sorted.length === 0) throw new Error('There is no percentile of nothing.');
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}

/** The machine in one line. */
export function machine(): string {
  const gib = Math.round(totalmem() / 2 ** 30);
  return `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${gib} GiB, ${process.platform}-${process.arch}, Node ${process.versions.node}`;
}

const round = (figures: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Number(value.toPrecision(4))]));

/** Prints a report: people's lines to `say`, then the JSON line. */
export function print(bench: Bench, report: BenchReport, say: (line: string) => void): string {
  const list = (title: string, entries: Record<string, unknown>) => {
    for (const [index, [name, value]] of Object.entries(entries).entries()) {
      say(`${(index === 0 ? title : '').padEnd(9)} ${name}: ${value}`);
    }
  };
  say(`machine   ${machine()}`);
  list('versions', report.versions);
  list('scale', report.scale);
  list('figures', round(report.figures));
  list('ratios', round(report.ratios));
  const { lines, missed } = judge(report.floors ?? [], { ...report.figures, ...report.ratios });
  list('floors', lines);
  const json = { name: bench.name, ratios: round(report.ratios), figures: round(report.figures) };
  return JSON.stringify(report.floors ? { ...json, missed } : json);
}
