/** Opens what is to be ingested as a stream of text, never whole in memory: a file or standard input, gzipped or not. */
import { open } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { usageError } from '../failure.js';
import { Interrupted } from '../interruption.js';

export interface Source {
  text: AsyncIterable<string>;
  /** How many bytes of the file were read so far. */
  readBytes(): number;
  /** The file's size; undefined where it cannot be known. */
  totalBytes: number | undefined;
}

const readChunkBytes = 262_144;
const gzipMagic = Buffer.from([0x1f, 0x8b]);
/** Formats that are recognised in order to say what to do. */
const foreign: [string, Buffer, string][] = [
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), 'zstd -dc'],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58]), 'xz -dc'],
  ['bzip2', Buffer.from('BZh'), 'bzip2 -dc'],
  ['zip', Buffer.from([0x50, 0x4b, 0x03, 0x04]), 'unzip -p'],
];
const utf16Marks = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])];

/**
 * @param file a path, or `-` for standard input
 * @param signal ends the text with Interrupted
 * @throws CommandFailure for a file that cannot be read, now or while reading
 */
export async function openSource(file: string, stdin: Readable, signal: AbortSignal): Promise<Source> {
  const { stream, totalBytes } = file === '-' ? { stream: stdin, totalBytes: undefined } : await openFile(file);
  // Also while standard input is silent.
  const interrupt = () => stream.destroy(new Interrupted());
  signal.addEventListener('abort', interrupt, { once: true });
  let readBytes = 0;
  async function* counted(): AsyncGenerator<Buffer> {
    for await (const chunk of stream) {
      readBytes += chunk.length;
      yield chunk as Buffer;
    }
  }
  async function* text(): AsyncGenerator<string> {
    try {
      yield* decode(await inflate(counted(), file), file);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code?.startsWith('Z_')) throw usageError(`${nameOf(file)}: the gzip data is broken or cut off (${message}).`);
      if (code?.startsWith('E')) throw usageError(`${nameOf(file)} cannot be read to its end: ${message}.`);
      throw error;
    }
  }
  return { text: text(), readBytes: () => readBytes, totalBytes };
}

const nameOf = (file: string): string => (file === '-' ? 'Standard input' : file);

async function openFile(file: string): Promise<{ stream: Readable; totalBytes: number | undefined }> {
  try {
    const handle = await open(file);
    const info = await handle.stat();
    if (info.isDirectory()) {
      await handle.close();
      throw usageError(`${file} is a directory; ingest takes a file.`);
    }
    return {
      stream: handle.createReadStream({ highWaterMark: readChunkBytes }),
      totalBytes: info.isFile() ? info.size : undefined,
    };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw usageError(`There is no file ${file}.`);
    if (code === 'EACCES') throw usageError(`You may not read ${file}.`);
    throw code ? usageError(`${file} cannot be opened: ${message}.`) : error;
  }
}

/** Looks at the first bytes, and inflates what is gzip. */
async function inflate(chunks: AsyncGenerator<Buffer>, file: string): Promise<AsyncIterable<Buffer>> {
  let first = Buffer.alloc(0);
  // A pipe may hand over a byte at a time.
  while (first.length < 4) {
    const { done, value } = await chunks.next();
    if (done) break;
    first = Buffer.concat([first, value]);
  }
  async function* whole(): AsyncGenerator<Buffer> {
    yield first;
    yield* chunks;
  }
  for (const [name, magic, tool] of foreign) {
    if (!startsWith(first, magic)) continue;
    throw usageError(
      `${nameOf(file)} is compressed with ${name}. Unpack it on the way: ${tool} FILE | harborwatch ingest - ...`,
    );
  }
  if (!startsWith(first, gzipMagic)) return whole();
  const inflater = createGunzip({ chunkSize: readChunkBytes });
  // What fails on either side comes out of the inflater.
  pipeline(Readable.from(whole(), { objectMode: false }), inflater, () => {});
  return inflater;
}

/** UTF-8 without its byte order mark. */
async function* decode(chunks: AsyncIterable<Buffer>, file: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8');
  let first = true;
  for await (const chunk of chunks) {
    if (first && utf16Marks.some((mark) => startsWith(chunk, mark))) {
      throw usageError(
        `${nameOf(file)} is UTF-16 text. Make it UTF-8 on the way: iconv -f UTF-16 -t UTF-8 FILE | harborwatch ingest - ...`,
      );
    }
    first = false;
    yield decoder.decode(chunk, { stream: true });
  }
  yield decoder.decode();
}

const startsWith = (bytes: Buffer, magic: Buffer): boolean => bytes.subarray(0, magic.length).equals(magic);
