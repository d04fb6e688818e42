/** What a benchmark promises, and whether a run kept it. */
export interface Floor {
  /** The name of a ratio or figure. */
  name: string;
  /** `least`: it must not be lower; `most`: not higher. */
  at: 'least' | 'most';
  value: number;
  what: string;
}

/** One line for each promise, in order, and the names of those that were not kept. What was not measured is neither. */
export function judge(
  floors: readonly Floor[],
  measured: Record<string, number>,
): { lines: Record<string, string>; missed: string[] } {
  const lines: Record<string, string> = {};
  const missed: string[] = [];
  for (const { name, at, value, what } of floors) {
    const got = measured[name];
    if (got === undefined) continue;
    const isMet = at === 'least' ? got >= value : got <= value;
    if (!isMet) missed.push(name);
    lines[name] = `${Number(got.toPrecision(3))}, at ${at} ${value}: ${isMet ? 'met' : 'NOT MET'} (${what})`;
  }
  return { lines, missed };
}
