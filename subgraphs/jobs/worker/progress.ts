/** How far an attempt is: measured in time that is covered, or guessed from the rows so far. */
import type { RunState } from '../../../query/index.js';
import type { RunPhase } from '../store/jobs.js';
import type { Progress } from '../store/leases.js';

/** What is not over is not at 100. */
const mostPercent = 99;

export class RunProgress {
  #phase: RunPhase = 'RUNNING';
  #covered: number | undefined;
  #coveredSince: string | null = null;
  #estimatedRows: number | undefined;
  #percent = 0;

  take({ rows, mode, covered, since, isMerged, estimatedRows }: RunState): void {
    if (isMerged && covered! > 0) this.#phase = 'MERGING';
    else if (rows.length > 0) this.#phase = 'FETCHING';
    else if (mode === 'REPLACE') this.#phase = 'RUNNING';
    this.#covered = covered;
    this.#coveredSince = since ?? null;
    this.#estimatedRows = estimatedRows;
  }

  /** Never less percent than the time before. */
  at(rowsFetched: number): Omit<Progress, 'columns'> {
    const percent = Math.floor(100 * (this.#covered ?? this.#guess(rowsFetched)));
    this.#percent = Math.max(this.#percent, Math.min(mostPercent, percent));
    return {
      percent: this.#percent,
      rowsFetched,
      phase: this.#phase,
      isExact: this.#covered !== undefined,
      coveredSince: this.#coveredSince,
    };
  }

  #guess(rowsFetched: number): number {
    if (this.#estimatedRows === undefined || rowsFetched === 0) return 0;
    return rowsFetched / Math.max(this.#estimatedRows, rowsFetched);
  }
}
