/** `harborwatch ingest`: a file's records go through the public API, batch by batch. */
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { type Client, DatasetColumnsDocument, HarborwatchClientError } from '../../index.js';
import type { Command } from '../command.js';
import { connectSignedIn, tokenOption, urlOption } from '../connection.js';
import { CommandFailure, exitStatus, toFailure } from '../failure.js';
import { Interrupted, interruptedStatus, interruptible } from '../interruption.js';
import type { Terminal } from '../terminal/terminal.js';
import { formatBytes, formatDuration, plural } from '../terminal/units.js';
import { visible } from '../terminal/width.js';
import { type Batch, readBatches } from './batches.js';
import { createCombinedReader } from './combined.js';
import { createCsvReader } from './csv.js';
import type { ColumnTypes, RecordReader } from './format.js';
import { createNdjsonReader } from './ndjson.js';
import { progressLine, Report } from './report.js';
import { Sender, sendTo } from './sender.js';
import { openSource } from './source.js';

/** Where stderr is no terminal, a line tells the progress this often. */
const progressLineMs = 5_000;
const formats = ['combined', 'ndjson', 'csv'] as const;

export const ingest: Command = {
  name: 'ingest',
  summary: 'Send a file of events to a dataset.',
  positionals: ['FILE'],
  options: {
    dataset: { value: 'NAME', description: 'The dataset that the events go to.', required: true },
    format: {
      value: 'FORMAT',
      description: 'combined: access logs of Apache and Nginx; ndjson: one JSON object a line; csv: with a header.',
      choices: formats,
      required: true,
    },
    rejects: {
      value: 'FILE',
      description: 'Write all rejected records to this file, as NDJSON with line, code and message.',
    },
    url: urlOption,
    token: tokenOption,
  },
  notes: `FILE is read piece by piece and may be gzipped; - is standard input.
A run that is repeated stores nothing twice, also after it was interrupted: the same content is sent under the same names.

Exit status: 0 all accepted, 1 some rejected, 2 wrong usage or unreadable file, 3 server not reachable or not signed in,
130 interrupted.

Example: harborwatch ingest access.log.gz --dataset website_logs --format combined`,

  async run({ positionals, values }, terminal) {
    const file = positionals[0]!;
    const dataset = values.dataset!;
    const { client, url } = await connectSignedIn(values, terminal.surroundings.env);
    const reader = await readerOf(values.format!, client, dataset);
    const report = await Report.open(values.rejects);
    let failure: CommandFailure | undefined;
    try {
      await interruptible((signal) => send({ client, url, dataset, file, reader, report, terminal, signal }));
    } catch (error) {
      failure = error instanceof Interrupted ? new CommandFailure(interruptedStatus, 'Interrupted.') : toFailure(error);
    } finally {
      terminal.clearStatus();
      await report.close();
    }
    if (!failure || report.sentRows + report.rejected > 0) report.print(terminal, dataset, values.rejects);
    if (!failure) return report.rejected > 0 ? exitStatus.failed : exitStatus.success;
    terminal.failure(failure.message);
    if (report.sentRows > 0)
      terminal.message(
        'Not all of the file was sent. Run the same command again to send the rest: nothing is stored twice.',
      );
    return failure.status;
  },
};

interface Run {
  client: Client;
  url: string;
  dataset: string;
  file: string;
  reader: RecordReader;
  report: Report;
  terminal: Terminal;
  signal: AbortSignal;
}

/** @throws Interrupted after the batches on their way have arrived */
async function send({ client, url, dataset, file, reader, report, terminal, signal }: Run): Promise<void> {
  const source = await openSource(file, terminal.surroundings.stdin, signal);
  const showProgress = progressReporter(source.totalBytes, report, terminal);
  // Reading is ahead of storing: progress is how far into the file the stored batches reach.
  const readBytes = new WeakMap<Batch, number>();
  let storedBytes = 0;
  const sender = new Sender({
    send: sendTo(client, dataset, isLocal(url) ? undefined : compress),
    onReceipt: async (batch, receipt, repeated) => {
      await report.addReceipt(batch, receipt, repeated);
      storedBytes = Math.max(storedBytes, readBytes.get(batch)!);
      showProgress(storedBytes);
    },
    onRetry: (error, waitMs) =>
      terminal.message(`${visible(error.message)} Trying again in ${formatDuration(waitMs)}.`),
    signal,
  });
  try {
    for await (const reading of readBatches(source.text, reader)) {
      if ('batch' in reading) {
        readBytes.set(reading.batch, source.readBytes());
        await sender.add(reading.batch);
      } else {
        await report.addUnreadable(reading.unreadable);
      }
      showProgress(storedBytes);
    }
  } finally {
    await sender.finish();
  }
}

async function readerOf(format: string, client: Client, dataset: string): Promise<RecordReader> {
  if (format === 'combined') return createCombinedReader();
  if (format === 'ndjson') return createNdjsonReader();
  return createCsvReader(await columnTypes(client, dataset));
}

async function columnTypes(client: Client, name: string): Promise<ColumnTypes> {
  try {
    const { dataset } = await client.execute(DatasetColumnsDocument, { name });
    return new Map(dataset?.columns.map((column) => [column.name, column.type]));
  } catch (error) {
    // Who may send events need not be allowed to read; the server converts text too where it must.
    if (error instanceof HarborwatchClientError && error.code === 'FORBIDDEN') return new Map();
    throw error;
  }
}

function progressReporter(totalBytes: number | undefined, report: Report, terminal: Terminal): (bytes: number) => void {
  let lineAtMs = progressLineMs;
  return (bytes) => {
    if (terminal.live) {
      terminal.status(progressLine(report, bytes, totalBytes, terminal.statusColumns));
    } else if (report.elapsedMs > lineAtMs) {
      lineAtMs = report.elapsedMs + progressLineMs;
      const total = totalBytes === undefined ? '' : ` of ${formatBytes(totalBytes)}`;
      terminal.message(`${plural(report.sentRows, 'row')} sent, ${formatBytes(bytes)}${total}`);
    }
  };
}

const gzipBody = promisify(gzip) as (body: string, options: { level: number }) => Promise<Buffer<ArrayBuffer>>;
const compress = (body: string): Promise<Uint8Array<ArrayBuffer>> => gzipBody(body, { level: constants.Z_BEST_SPEED });

/** On the same machine compression costs more than it saves. */
const isLocal = (url: string): boolean => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
