/** Requests that no proper client would send, byte for byte. */
import { connect } from 'node:net';

export interface RawAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

const answerTimeoutMs = 20_000;

/**
 * Sends a request over a connection of its own and reads until the server closes it. The request says
 * `connection: close` unless its headers say otherwise.
 * @param body sent as it is, in one or several pieces, without a header that tells of it
 */
export async function sendRaw(
  url: string,
  head: { method?: string; path?: string; headers?: Record<string, string> },
  body: readonly (string | Uint8Array)[] = [],
): Promise<RawAnswer> {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  const lines = [`${head.method ?? 'POST'} ${head.path ?? '/graphql'} HTTP/1.1`];
  for (const [name, value] of Object.entries({ host, connection: 'close', ...head.headers }))
    lines.push(`${name}: ${value}`);
  const chunks: Buffer[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    socket.setTimeout(answerTimeoutMs, () => {
      socket.destroy();
      reject(new Error(`No whole answer within ${answerTimeoutMs} ms.`));
    });
    socket.on('data', (chunk) => chunks.push(chunk)).on('close', () => resolve());
    // Who is refused while it still sends may find the connection reset; the answer came before.
    socket.on('error', () => {});
  });
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  for (const piece of body) if (socket.writable) socket.write(piece);
  await ended;
  return parseAnswer(Buffer.concat(chunks).toString('utf8'));
}

/** The body with the headers that tell its length. */
export const withLength = (body: string | Uint8Array, headers: Record<string, string> = {}) => ({
  'content-type': 'application/json',
  'content-length': String(Buffer.byteLength(body)),
  ...headers,
});

/** A body in chunks, whose length nobody tells before. */
export const chunked = (pieces: readonly Uint8Array[]): Uint8Array[] => [
  ...pieces.flatMap((piece) => [Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]),
  Buffer.from('0\r\n\r\n'),
];

function parseAnswer(text: string): RawAnswer {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [line = '', ...fields] = head.split('\r\n');
  const headers = Object.fromEntries(
    fields.map((field) => {
      const colon = field.indexOf(':');
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
    }),
  );
  const body = rest.join('\r\n\r\n');
  return {
    status: Number(line.split(' ')[1] ?? 0),
    headers,
    body: headers['transfer-encoding'] ? unchunk(body) : body,
  };
}

function unchunk(text: string): string {
  let bytes = Buffer.from(text);
  let whole = '';
  for (;;) {
    const end = bytes.indexOf('\r\n');
    const length = Number.parseInt(bytes.subarray(0, end).toString(), 16);
    if (!length) return whole;
    whole += bytes.subarray(end + 2, end + 2 + length).toString();
    bytes = bytes.subarray(end + length + 4);
  }
}
