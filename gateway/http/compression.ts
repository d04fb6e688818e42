/**
 * Compression of whole answers. An answer that holds a secret beside text of an attacker's choice gives the secret away
 * by its size (BREACH) only if the attacker can make the victim's browser send the request: our callers are known by
 * bearer tokens, which a browser never attaches by itself, so there is no such request.
 */
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip, zstdCompress } from 'node:zlib';

/** The encodings that we make, the best first. */
const encodings = ['zstd', 'br', 'gzip'] as const;
export type Encoding = (typeof encodings)[number];

/** Below this, an answer fits into one packet as it is. */
const leastBytes = 1_024;
/** What has to be saved for the trouble of unpacking. */
const leastSaving = 0.1;

const zstdAsync = promisify(zstdCompress);
const brotliAsync = promisify(brotliCompress);
const gzipAsync = promisify(gzip);

/**
 * Speed over ratio. An answer of 90 KB took, on one core: zstd 1 0.5 ms for 23.3 KB (3: 0.7 ms, 22.7 KB), brotli 1 1.0 ms
 * for 24.8 KB (4: 2.2 ms, 23.0 KB), gzip 1 1.4 ms for 26.0 KB (6: 3.0 ms, 21.4 KB). All of it in libuv's threads.
 */
const compress: Record<Encoding, (body: Buffer) => Promise<Buffer>> = {
  zstd: (body) => zstdAsync(body, { params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
  br: (body) =>
    brotliAsync(body, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 1, [constants.BROTLI_PARAM_SIZE_HINT]: body.length },
    }),
  gzip: (body) => gzipAsync(body, { level: 1 }),
};

export interface EncodedBody {
  body: Buffer;
  headers: { 'content-encoding'?: Encoding };
}

const asItIs: EncodedBody['headers'] = Object.freeze({});
/** What was made of a buffer that several answers share; it goes with the buffer. */
const made = new WeakMap<Buffer, Map<Encoding, EncodedBody | Promise<EncodedBody>>>();

/**
 * The body in the encoding that suits the client best, or as it is where that is no worse. A buffer that is given again
 * is not compressed again. Answers at once where nothing is to be done; `Vary` is the caller's part.
 * @param acceptEncoding the request's header
 */
export function encodeBody(body: Buffer, acceptEncoding: string | undefined): EncodedBody | Promise<EncodedBody> {
  const encoding = body.length < leastBytes ? undefined : chooseEncoding(acceptEncoding);
  if (encoding === undefined) return { body, headers: asItIs };
  const ofBody = made.get(body) ?? new Map<Encoding, EncodedBody | Promise<EncodedBody>>();
  made.set(body, ofBody);
  const known = ofBody.get(encoding);
  if (known) return known;
  const keep = (small: Buffer): EncodedBody => {
    const helps = small.length <= body.length * (1 - leastSaving);
    const encoded = helps ? { body: small, headers: { 'content-encoding': encoding } } : { body, headers: asItIs };
    ofBody.set(encoding, encoded);
    return encoded;
  };
  const making = compress[encoding](body).then(keep, () => keep(body));
  ofBody.set(encoding, making);
  return making;
}

/** Choices by header: clients send few different ones. Bounded, since it is their text. */
const choices = new Map<string, Encoding | undefined>();
const maxChoices = 256;
const maxHeaderLength = 256;

/** The encoding of ours that the client likes best; undefined where it takes none or likes the plain body better. */
export function chooseEncoding(acceptEncoding: string | undefined): Encoding | undefined {
  if (!acceptEncoding || acceptEncoding.length > maxHeaderLength) return undefined;
  if (choices.has(acceptEncoding)) return choices.get(acceptEncoding);
  const weights = new Map<string, number>();
  for (const part of acceptEncoding.toLowerCase().split(',')) {
    const [coding = '', ...parameters] = part.split(';').map((text) => text.trim());
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    weights.set(coding === 'x-gzip' ? 'gzip' : coding, weight === undefined ? 1 : Number(weight) || 0);
  }
  const rest = weights.get('*') ?? 0;
  // The plain body is always allowed, but liked better than an encoding only where the client says so.
  let best = weights.get('identity') ?? 0;
  let choice: Encoding | undefined;
  for (const encoding of encodings) {
    const weight = weights.get(encoding) ?? rest;
    if (weight > best || (weight === best && weight > 0 && choice === undefined)) {
      best = weight;
      choice = encoding;
    }
  }
  if (choices.size >= maxChoices) choices.clear();
  choices.set(acceptEncoding, choice);
  return choice;
}
