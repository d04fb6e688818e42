/** Reads request bodies within a bound, inflating gzip; the bound holds for what comes out. */
import type { IncomingMessage } from 'node:http';
import { createGunzip, type Gunzip } from 'node:zlib';
import { HarborwatchError } from '../../platform/errors.js';

/** The client broke off: there is nobody to answer. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/**
 * Whatever it answers, the connection stays as it is: a client that is told of a mistake while it still sends must be able
 * to read that (see `discardBody`).
 * @param limitBytes the most bytes after inflation
 * @throws PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE for another encoding, BAD_USER_INPUT for broken gzip, ClientGone
 */
export function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const encoding = request.headers['content-encoding']?.toLowerCase() ?? 'identity';
    if (encoding !== 'identity' && encoding !== 'gzip') return reject(unsupportedEncoding(encoding));
    if (Number(request.headers['content-length'] ?? 0) > limitBytes) return reject(tooLarge(limitBytes));

    const chunks: Buffer[] = [];
    let size = 0;
    let gunzip: Gunzip | undefined;
    const settle = (): void => {
      request.off('data', take).off('end', end).off('error', brokenOff).off('close', brokenOff);
      if (gunzip) request.unpipe(gunzip);
      gunzip?.destroy();
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
      gunzip = createGunzip();
      // An error behind the end of our interest has nobody else to hear it.
      gunzip
        .on('error', () => stop(notGzip()))
        .on('data', take)
        .on('end', end);
      request.pipe(gunzip);
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
