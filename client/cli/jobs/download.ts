/** A download that goes on where it broke off: within one command, and in a file also from one to the next. */
import { open, rename, stat } from 'node:fs/promises';
import { type Client, type DownloadFormat, HarborwatchClientError } from '../../index.js';
import { CommandFailure, exitStatus } from '../failure.js';
import { Interrupted, pause } from '../interruption.js';
import type { Terminal } from '../terminal/terminal.js';
import { formatBytes } from '../terminal/units.js';

/** How often in a row a download that brings nothing is tried again, and the first pause before that. */
const maxRetries = 5;
const firstPauseMs = 500;

/** Where the bytes go. */
interface Sink {
  /** How many bytes are there. */
  readonly size: number;
  write(bytes: Uint8Array): Promise<void>;
  /** Forgets what is there. @throws CommandFailure where that cannot be */
  restart(): Promise<void>;
}

interface Order {
  id: string;
  format: DownloadFormat;
  /** What the bytes that are there are of; undefined where that is not known yet. */
  etag: string | undefined;
  sink: Sink;
  terminal: Terminal;
  signal: AbortSignal;
}

/** Brings the whole download into the sink. @returns its size. @throws Interrupted, HarborwatchClientError */
export async function download(client: Client, order: Order): Promise<number> {
  const { id, format, sink, terminal, signal } = order;
  let { etag } = order;
  for (let retries = 0; ; retries += 1) {
    const before = sink.size;
    try {
      const found = await client.download(id, format, { start: before, signal, ...(etag ? { etag } : {}) });
      if (found.start !== before) await sink.restart();
      etag = found.etag;
      for await (const bytes of found.body) {
        await sink.write(bytes);
        terminal.status(formatBytes(sink.size) + (found.size === undefined ? '' : ` of ${formatBytes(found.size)}`));
      }
      return sink.size;
    } catch (error) {
      terminal.clearStatus();
      if (signal.aborted) throw new Interrupted();
      if (!(error instanceof HarborwatchClientError)) throw error;
      // Nothing is behind what is there: it was whole.
      if (error.code === 'RANGE_NOT_SATISFIABLE' && error.details.size === sink.size) return sink.size;
      if (sink.size > before) retries = 0;
      if (error.code !== 'UNREACHABLE' || sink.size === 0 || retries >= maxRetries) throw error;
      terminal.message(`The connection was lost at ${formatBytes(sink.size)}; going on.`);
      await pause(firstPauseMs * 2 ** retries, signal);
    }
  }
}

/** Standard output, whose reader has what was written. */
export function toStdout(terminal: Terminal): Sink {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let size = 0;
  return {
    get size() {
      return size;
    },
    async write(bytes) {
      await terminal.data(decoder.decode(bytes, { stream: true }));
      size += bytes.length;
    },
    restart: async () => {
      if (size > 0)
        throw new CommandFailure(exitStatus.failed, 'The result is another one than when the download began.');
    },
  };
}

/** The name of a file that is not whole: its bytes are of one entity tag, and never mixed with another's. */
export const partOf = (file: string, etag: string | undefined): string =>
  `${file}.${etag?.replaceAll(/[^\w-]/g, '').slice(0, 40) ?? 'download'}.part`;

/** A file that what comes is added to. Moving it throws CommandFailure where others added to it as well. */
export async function toFile(
  part: string,
): Promise<Sink & { close(): Promise<void>; moveTo(file: string): Promise<void> }> {
  const handle = await open(part, 'a');
  let { size } = await stat(part);
  return {
    get size() {
      return size;
    },
    async write(bytes) {
      await handle.appendFile(bytes);
      size += bytes.length;
    },
    async restart() {
      await handle.truncate(0);
      size = 0;
    },
    close: () => handle.close(),
    async moveTo(file) {
      // The same command may run twice: what both added is no file of either.
      if ((await stat(part)).size !== size) {
        throw new CommandFailure(exitStatus.failed, `Something else wrote to ${part} too. Remove it, and begin again.`);
      }
      await rename(part, file);
    },
  };
}
