/** Keeps the figures of a run: what was stored, and what was rejected for which reason in which lines. */
import { type FileHandle, open } from 'node:fs/promises';
import type { IngestReceipt } from '../../index.js';
import { usageError } from '../failure.js';
import type { Terminal } from '../terminal/terminal.js';
import { formatBytes, formatCount, formatDuration, plural } from '../terminal/units.js';
import { visible } from '../terminal/width.js';
import type { Batch } from './batches.js';
import type { Unreadable } from './format.js';

/** A rejected record, as `--rejects` writes it: one JSON object a line. */
interface Reject {
  /** Its first line in the file, from 1. */
  line: number;
  code: string;
  message: string;
  field?: string;
  /** The beginning of a record that could not be read. */
  text?: string;
  /** The event that the server did not take. */
  event?: unknown;
}

interface Reason {
  code: string;
  /** The message of the first one. */
  message: string;
  count: number;
  lines: number[];
}

const shownLines = 20;
const shownReasons = 10;

export class Report {
  sentRows = 0;
  sentBatches = 0;
  accepted = 0;
  storedBefore = 0;
  rejected = 0;
  unreadable = 0;
  readonly #reasons = new Map<string, Reason>();
  readonly #startedMs = performance.now();
  #file: FileHandle | undefined;
  #writing: Promise<unknown> = Promise.resolve();

  /** @param rejectsFile where all rejects are written; an older file is replaced */
  static async open(rejectsFile: string | undefined): Promise<Report> {
    const report = new Report();
    if (rejectsFile === undefined) return report;
    report.#file = await open(rejectsFile, 'w').catch((error: Error) => {
      throw usageError(`${rejectsFile} cannot be written: ${error.message}.`);
    });
    return report;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }

  get rowsPerSecond(): number {
    return Math.round((this.sentRows / Math.max(this.elapsedMs, 1)) * 1000);
  }

  async addUnreadable(items: readonly Unreadable[]): Promise<void> {
    this.unreadable += items.length;
    await this.#addRejects(items);
  }

  /** @param repeated an earlier try of this run may have stored the batch, which is then no duplicate */
  async addReceipt(batch: Batch, receipt: IngestReceipt, repeated: boolean): Promise<void> {
    this.sentRows += batch.records.length;
    this.sentBatches += 1;
    if (receipt.duplicate && !repeated) this.storedBefore += receipt.accepted;
    else this.accepted += receipt.accepted;
    await this.#addRejects(
      receipt.rejected.map(({ line, code, message, field }) => {
        // The body's lines are the batch's records.
        const record = batch.records[line - 1];
        return {
          line: record?.line ?? 0,
          code,
          message,
          ...(field ? { field } : {}),
          event: record && JSON.parse(record.json),
        };
      }),
    );
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#file?.close();
  }

  async #addRejects(rejects: readonly Reject[]): Promise<void> {
    if (rejects.length === 0) return;
    this.rejected += rejects.length;
    for (const { line, code, message, field } of rejects) {
      // Messages quote the value, so that the field alone tells the reason; without one, what stands before the value does.
      const key = `${code} ${field ?? message.replace(/["\d].*/s, '')}`;
      const reason = this.#reasons.get(key) ?? { code, message, count: 0, lines: [] };
      this.#reasons.set(key, reason);
      reason.count += 1;
      reason.lines.push(line);
      // Batches come back in any order: the smallest line numbers are the ones to show.
      if (reason.lines.length > shownLines * 2) reason.lines = reason.lines.sort(ascending).slice(0, shownLines);
    }
    const file = this.#file;
    if (!file) return;
    const text = rejects.map((reject) => `${JSON.stringify(reject)}\n`).join('');
    this.#writing = this.#writing.then(() => file.writeFile(text));
    await this.#writing;
  }

  /** The summary at the end. */
  print(terminal: Terminal, dataset: string, rejectsFile: string | undefined): void {
    const { sentRows, sentBatches, accepted, storedBefore, rejected, unreadable } = this;
    const rate = sentRows > 0 ? `, ${formatCount(this.rowsPerSecond)} rows/s` : '';
    const rows: [string, string][] = [
      [
        'sent',
        `${formatCount(sentRows)} ${sentRows === 1 ? 'row' : 'rows'} to ${visible(dataset)} in ${plural(sentBatches, 'batch', 'batches')}, ${formatDuration(this.elapsedMs)}${rate}`,
      ],
      ['accepted', formatCount(accepted)],
    ];
    if (storedBefore > 0)
      rows.push(['stored before', `${formatCount(storedBefore)}, by an earlier run; not stored again`]);
    const notSent = unreadable > 0 ? `, ${formatCount(unreadable)} of them unreadable and not sent` : '';
    rows.push(['rejected', rejected === 0 ? '0' : terminal.style('red', `${formatCount(rejected)}${notSent}`)]);
    const width = Math.max(...rows.map(([name]) => name.length));
    for (const [name, value] of rows) terminal.message(`${terminal.style('bold', name.padEnd(width))}  ${value}`);

    const reasons = [...this.#reasons.values()].sort((a, b) => b.count - a.count);
    for (const { code, message, count, lines } of reasons.slice(0, shownReasons)) {
      const first = lines.sort(ascending).slice(0, shownLines);
      const more = count > first.length ? `, and ${formatCount(count - first.length)} more` : '';
      terminal.message(`  ${terminal.style('yellow', code)} in ${plural(count, 'row')}: ${visible(message)}`);
      terminal.message(`    ${count === 1 ? 'line' : 'lines'} ${first.join(', ')}${more}`);
    }
    if (reasons.length > shownReasons)
      terminal.message(`  and ${formatCount(reasons.length - shownReasons)} more reasons`);
    if (rejected > 0) {
      terminal.message(
        rejectsFile === undefined
          ? '  `--rejects FILE` writes all of them to a file.'
          : `  All of them are in ${rejectsFile}.`,
      );
    }
  }
}

const ascending = (a: number, b: number): number => a - b;

/** The line while it runs: how far, how fast, how long still. */
export function progressLine(
  report: Report,
  storedBytes: number,
  totalBytes: number | undefined,
  columns: number,
): string {
  const rows = `${plural(report.sentRows, 'row')}  ${formatCount(report.rowsPerSecond)} rows/s`;
  if (totalBytes === undefined || totalBytes === 0) return `${formatBytes(storedBytes)}  ${rows}`;
  // The end of the file is read before its rows are stored.
  const share = Math.min(storedBytes / totalBytes, 0.99);
  const leftMs = share > 0 ? (report.elapsedMs * (1 - share)) / share : 0;
  const left = share > 0 ? `  ${formatDuration(leftMs)} left` : '';
  const figures = `${String(Math.floor(share * 100)).padStart(3)} %  ${formatBytes(storedBytes)} of ${formatBytes(totalBytes)}  ${rows}${left}`;
  const barWidth = Math.min(30, columns - figures.length - 3);
  if (barWidth < 5) return figures;
  const filled = Math.round(share * barWidth);
  return `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)} ${figures}`;
}
