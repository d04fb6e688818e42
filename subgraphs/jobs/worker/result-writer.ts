/** Stores what a run finds while it goes on, so that it can be read, and kept, before the end. */
import { fail } from '../../../platform/errors.js';
import type { JsonValue, ResultColumn, RunState } from '../../../query/index.js';
import { ChunkBuilder } from '../store/chunks.js';
import type { Chunk, Lease, LeaseStore, Progress } from '../store/leases.js';
import { RunProgress } from './progress.js';

/** The most rows of one result. */
const maxResultRows = 1_000_000;
/** The most bytes of one result, as it is stored: compressed. */
const maxResultBytes = 268_435_456;
/** What came is stored after so long, also where it is little; what is replaced sooner is never stored. */
const storeEveryMs = 500;

/** The job went on without this attempt. */
export class LeaseLost extends Error {}

/** What the job's last write takes with it. */
interface Finished {
  columns: ResultColumn[];
  rowCount: number;
  last: Chunk | undefined;
}

export class ResultWriter {
  readonly #leases: LeaseStore;
  readonly #lease: Lease;
  readonly #onStored: () => void;
  readonly #progress = new RunProgress();
  #columns: ResultColumn[] | undefined;
  /** A whole state of the result that is to take the place of what is stored. */
  #whole: JsonValue[][] | undefined;
  /** Rows that follow those that are stored. */
  #chunks = new ChunkBuilder();
  #hasStoredRows = false;
  #storedBytes = 0;
  /** Nothing came since the last write. The first one says that the query runs. */
  #isStored = false;
  #storedAt = performance.now();

  /** @param onStored called after each write */
  constructor(leases: LeaseStore, lease: Lease, onStored: () => void) {
    this.#leases = leases;
    this.#lease = lease;
    this.#onStored = onStored;
  }

  /** How long until the next write is due. */
  get dueInMs(): number {
    return Math.max(0, this.#storedAt + storeEveryMs - performance.now());
  }

  /** Takes what came. A full chunk of rows is stored at once. @throws as store */
  async take(state: RunState): Promise<void> {
    if (state.columns.length > 0) this.#columns = state.columns;
    this.#isStored = false;
    if (state.mode === 'REPLACE') {
      this.#progress.take(state);
      this.#whole = state.rows;
      this.#chunks = new ChunkBuilder();
      this.#storedBytes = 0;
      return;
    }
    // What was covered before these rows came is said with them.
    if (this.#whole !== undefined && state.rows.length > 0) await this.#replace();
    this.#progress.take(state);
    for (const row of state.rows) {
      // A full chunk goes before the next row, so that the last one goes with the job's end.
      if (this.#chunks.isFull) await this.#append();
      this.#add(row);
    }
  }

  /** Stores what came since the last write. @throws RESULT_TOO_LARGE, QUOTA_EXCEEDED, LeaseLost */
  async store(): Promise<void> {
    this.#storedAt = performance.now();
    if (this.#isStored) return;
    if (this.#whole !== undefined) await this.#replace();
    else await this.#append();
  }

  /** Stores all but what goes with the job's end. @throws as store */
  async finish(): Promise<Finished> {
    const isMore = this.#whole !== undefined && this.#hasStoredRows;
    const packed = await this.#pack();
    const isLast = !isMore && packed.length <= 1;
    if (!isLast) await this.#put(packed);
    return { columns: this.#columns ?? [], rowCount: this.#chunks.rowCount, last: isLast ? packed[0] : undefined };
  }

  async #append(): Promise<void> {
    const [chunk] = await this.#pack();
    this.#hasStoredRows ||= chunk !== undefined;
    this.#check(await this.#leases.append(this.#lease, chunk, this.#told()));
  }

  async #replace(): Promise<void> {
    // In place of nothing stands nothing.
    if (this.#whole?.length === 0 && !this.#hasStoredRows) this.#whole = undefined;
    else await this.#put(await this.#pack());
  }

  async #put(chunks: Chunk[]): Promise<void> {
    this.#hasStoredRows = chunks.length > 0;
    this.#check(await this.#leases.replace(this.#lease, chunks, this.#told()));
  }

  #check(isHeld: boolean): void {
    if (!isHeld) throw new LeaseLost();
    this.#storedAt = performance.now();
    this.#isStored = true;
    this.#onStored();
  }

  /** Packs all rows that wait: several chunks only of a whole state. */
  async #pack(): Promise<Chunk[]> {
    const packed: Chunk[] = [];
    const pack = async () => {
      const chunk = await this.#chunks.take();
      if (chunk === undefined) return;
      packed.push(chunk);
      this.#storedBytes += chunk.data.length;
      if (this.#storedBytes > maxResultBytes) tooLarge('it takes more than 256 MB compressed');
    };
    if (this.#whole !== undefined) {
      for (const row of this.#whole) {
        if (this.#chunks.isFull) await pack();
        this.#add(row);
      }
      this.#whole = undefined;
    }
    await pack();
    return packed;
  }

  #add(row: JsonValue[]): void {
    this.#chunks.add(row);
    if (this.#chunks.rowCount > maxResultRows) tooLarge(`it has more than ${maxResultRows.toLocaleString('en')} rows`);
  }

  /** Once all rows that wait are packed. */
  #told(): Progress {
    return { ...this.#progress.at(this.#chunks.rowCount), columns: this.#columns };
  }
}

function tooLarge(why: string): never {
  fail('RESULT_TOO_LARGE', `The result is too large for one job: ${why}. Aggregate, or narrow the time range.`);
}
