/** Reads request bodies within a bound, inflating gzip; the bound holds for what comes out. */
import type { IncomingMessage } from 'node:http';
import { createGunzip } from 'node:zlib';
import { fail } from '../platform/errors.js';

/**
 * @param limitBytes the most bytes after inflation
 * @throws PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE for another encoding, BAD_USER_INPUT for broken gzip
 */
export async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const tooLarge = () =>
    fail(
      'PAYLOAD_TOO_LARGE',
      `The body is over the limit of ${limitBytes.toLocaleString('en')} bytes. Send less at a time.`,
      { limitBytes },
    );
  const encoding = request.headers['content-encoding']?.toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip') {
    fail('UNSUPPORTED_MEDIA_TYPE', `The content encoding "${encoding}" is not taken; use gzip or none.`, {
      argument: 'Content-Encoding',
    });
  }
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) tooLarge();
  const stream = encoding === 'gzip' ? request.pipe(createGunzip()) : request;
  if (stream !== request) request.on('error', (error) => stream.destroy(error));
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limitBytes) tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if ((error as { code?: string }).code?.startsWith('Z_'))
      fail('BAD_USER_INPUT', 'The body is not valid gzip.', { argument: 'body' });
    throw error;
  }
  return Buffer.concat(chunks, size);
}
