/** What the probes found. */
export class Report {
  probes = 0;
  readonly #columns = new Map<string, number>();
  /** Each with the probe that found it. */
  readonly faults = new Set<string>();

  /** Counts a probe, and keeps what is wrong. */
  take(column: string, probe: string, fault: string | undefined): void {
    this.probes += 1;
    this.#columns.set(column, (this.#columns.get(column) ?? 0) + 1);
    if (fault !== undefined) this.faults.add(`${column}: ${probe}: ${fault}`);
  }

  /** Such as `isolation matrix: 3,412 probes, 0 leaks`. */
  summary(): string {
    const columns = [...this.#columns].map(([name, count]) => `${name} ${count.toLocaleString('en')}`);
    const { length } = [...this.faults];
    return `isolation matrix: ${this.probes.toLocaleString('en')} probes, ${length.toLocaleString('en')} leaks (${columns.join(', ')})`;
  }
}
