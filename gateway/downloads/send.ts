/** Sends bytes as they come and as fast as the client takes them. */
import type { ServerResponse } from 'node:http';
import { constants, type Http2ServerResponse } from 'node:http2';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  type BrotliCompress,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  type Gzip,
  type ZstdCompress,
  constants as zlib,
} from 'node:zlib';
import { ClientGone } from '../http/body.js';
import type { Encoding } from '../http/compression.js';

/** How long a client may take nothing before it is left. */
const stallMs = 120_000;

/** Speed over ratio, as for whole answers. */
const compressors: Record<Encoding, () => Gzip | BrotliCompress | ZstdCompress> = {
  zstd: () => createZstdCompress({ params: { [zlib.ZSTD_c_compressionLevel]: 1 } }),
  br: () => createBrotliCompress({ params: { [zlib.BROTLI_PARAM_QUALITY]: 1 } }),
  gzip: () => createGzip({ level: 1 }),
};

/**
 * Sends a body and ends the answer. What goes wrong in the middle breaks the answer off, so that nobody takes a part for
 * the whole.
 * @throws ClientGone where the client left, or took nothing for too long; what the source throws
 */
export async function sendBytes(
  source: AsyncGenerator<Buffer>,
  encoding: Encoding | undefined,
  response: ServerResponse,
): Promise<void> {
  try {
    for await (const bytes of encoding === undefined ? source : compressed(source, encoding)) {
      if (isGone(response)) throw new ClientGone();
      if (!response.write(bytes)) await drained(response);
    }
    response.end();
  } catch (error) {
    breakOff(response);
    throw error;
  }
}

function compressed(source: AsyncGenerator<Buffer>, encoding: Encoding): AsyncIterable<Buffer> {
  const compressor = compressors[encoding]();
  // Its errors come out of the compressor.
  pipeline(Readable.from(source), compressor).catch(() => {});
  return compressor;
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      response.off('drain', drain).off('close', leave);
    };
    const drain = (): void => {
      settle();
      resolve();
    };
    const leave = (): void => {
      settle();
      reject(new ClientGone());
    };
    const timer = setTimeout(leave, stallMs);
    response.on('drain', drain).on('close', leave);
    if (isGone(response)) leave();
  });
}

/** The stream under an answer over HTTP/2. */
const streamOf = (response: ServerResponse) => (response as unknown as Partial<Http2ServerResponse>).stream;

const isGone = (response: ServerResponse): boolean => streamOf(response)?.destroyed ?? response.destroyed;

/** Ends an answer so that the client sees that it is not whole. */
function breakOff(response: ServerResponse): void {
  const stream = streamOf(response);
  if (stream) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  else response.destroy();
}
