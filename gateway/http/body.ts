/** Reads request bodies within a bound, inflating gzip; the bound holds for what comes out. */
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { createGunzip, type Gunzip, gunzip } from 'node:zlib';
import { HarborwatchError } from '../../platform/errors.js';

/** The client broke off: there is nobody to answer. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/** Bodies that were read as they came, before their route asks for them. */
const rawBodies = new WeakMap<IncomingMessage, Buffer>();

/**
 * Reads a body as it came over the wire, which is what a signature is of; `readBody` answers it afterwards.
 * @throws PAYLOAD_TOO_LARGE, ClientGone
 */
export async function readRawBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const raw = await collect(request, limitBytes, 'identity');
  rawBodies.set(request, raw);
  return raw;
}

/**
 * Whatever it answers, the connection stays as it is: a client that is told of a mistake while it still sends must be able
 * to read that (see `discardBody`).
 * @param limitBytes the most bytes after inflation
 * @throws PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE for another encoding, BAD_USER_INPUT for broken gzip, ClientGone
 */
export async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const encoding = request.headers['content-encoding']?.toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip') throw unsupportedEncoding(encoding);
  const raw = rawBodies.get(request);
  if (!raw) return collect(request, limitBytes, encoding);
  if (raw.length > limitBytes) throw tooLarge(limitBytes);
  return encoding === 'gzip' ? inflate(raw, limitBytes) : raw;
}

async function inflate(raw: Buffer, limitBytes: number): Promise<Buffer> {
  try {
    return await promisify(gunzip)(raw, { maxOutputLength: limitBytes });
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? tooLarge(limitBytes) : notGzip();
  }
}

function collect(request: IncomingMessage, limitBytes: number, encoding: 'identity' | 'gzip'): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers['content-length'] ?? 0) > limitBytes) return reject(tooLarge(limitBytes));

    const chunks: Buffer[] = [];
    let size = 0;
    let inflating: Gunzip | undefined;
    const settle = (): void => {
      request.off('data', take).off('end', end).off('error', brokenOff).off('close', brokenOff);
      if (inflating) request.unpipe(inflating);
      inflating?.destroy();
      // What is left is dropped, or the connection could not take its next request.
      request.resume();
    };
    const stop = (error: unknown): void => {
      settle();
      reject(error);
    };
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > limitBytes) stop(tooLarge(limitBytes));
      else chunks.push(chunk);
    };
    const end = (): void => {
      settle();
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size));
    };
    const brokenOff = (): void => {
      if (!request.complete) stop(new ClientGone());
    };

    request.on('error', brokenOff).on('close', brokenOff);
    if (encoding === 'identity') request.on('data', take).on('end', end);
    else {
      inflating = createGunzip();
      // An error behind the end of our interest has nobody else to hear it.
      inflating
        .on('error', () => stop(notGzip()))
        .on('data', take)
        .on('end', end);
      request.pipe(inflating);
    }
  });
}

/**
 * Drops the rest of a body that nobody wants. A client that sends all before it listens would otherwise find its
 * connection reset, and never read why.
 * @param maxBytes how much is dropped at most
 * @param maxMs how long it may take
 */
export function discardBody(request: IncomingMessage, maxBytes: number, maxMs: number): Promise<void> {
  if (request.complete || request.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let left = maxBytes;
    const done = (): void => {
      clearTimeout(timer);
      request.off('data', drop).off('end', done).off('close', done).off('error', done);
      request.pause();
      resolve();
    };
    const drop = (chunk: Buffer): void => {
      left -= chunk.length;
      if (left < 0) done();
    };
    const timer = setTimeout(done, maxMs);
    request.on('end', done).on('close', done).on('error', done).on('data', drop);
    request.resume();
  });
}

const tooLarge = (limitBytes: number): HarborwatchError =>
  new HarborwatchError(
    'PAYLOAD_TOO_LARGE',
    `The body is over the limit of ${limitBytes.toLocaleString('en')} bytes. Send less at a time.`,
    { limitBytes },
  );

const unsupportedEncoding = (encoding: string): HarborwatchError =>
  new HarborwatchError(
    'UNSUPPORTED_MEDIA_TYPE',
    `The content encoding "${encoding.slice(0, 40)}" is not taken; use gzip or none.`,
    { argument: 'Content-Encoding' },
  );

const notGzip = (): HarborwatchError =>
  new HarborwatchError('BAD_USER_INPUT', 'The body is not valid gzip.', { argument: 'body' });
