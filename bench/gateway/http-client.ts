/** Requests over bare sockets: what measures must outrun every gateway that it measures. */
import { connect } from 'node:net';

/** Takes answers. */
export interface AnswerCheck {
  /** Whether the next answer, of this many bytes, is to be read whole; its bytes are thrown away otherwise. */
  wantsBody(length: number): boolean;
  /** An answer that was read whole. */
  body(body: Buffer): void;
  fail(message: string): void;
}

/** Every socket reads into this: its callback has looked at it before the next one writes. */
const shared = Buffer.allocUnsafe(256 * 1024);

export function postRequest(port: number, path: string, body: string, token?: string): Buffer {
  const authorization = token === undefined ? '' : `authorization: Bearer ${token}\r\n`;
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\n${authorization}` +
      `accept: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** One keep-alive connection in a closed loop: sends what `next` gives until it gives nothing, one request at a time. */
export function drive(
  port: number,
  next: () => Buffer | undefined,
  check: AnswerCheck,
  onTime: (ms: number) => void,
): Promise<void> {
  return new Promise((resolve) => {
    let sentAt = 0;
    let done = false;
    const send = () => {
      const request = next();
      if (request) {
        sentAt = performance.now();
        socket.write(request);
        return;
      }
      done = true;
      socket.end();
      resolve();
    };
    const reader = new AnswerReader(check, () => {
      onTime(performance.now() - sentAt);
      send();
    });
    const socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: shared,
        callback: (length) => {
          reader.read(shared, length);
          return true;
        },
      },
    });
    const broken = (error?: Error) => {
      if (!done) check.fail(`the connection broke off: ${error?.message ?? 'closed'}`);
      done = true;
      resolve();
    };
    socket
      .once('connect', send)
      .once('error', broken)
      .once('close', () => broken());
  });
}

/** Reads HTTP/1.1 answers, with a Content-Length or in chunks, one at a time. */
export class AnswerReader {
  /** The head, or a chunk's size line, until it is whole. */
  #text = '';
  #inBody = false;
  #status = 0;
  /** Bytes of the body that are still to come; of a chunked one, of the chunk at hand and the line's end behind it. */
  #left = 0;
  #chunked = false;
  /** The body, where it is read whole. */
  #parts: Buffer[] | undefined;
  readonly #check: AnswerCheck;
  readonly #done: () => void;

  constructor(check: AnswerCheck, done: () => void) {
    this.#check = check;
    this.#done = done;
  }

  /** Takes the first `length` bytes of a buffer that is used again afterwards. */
  read(buffer: Buffer, length: number): void {
    let at = 0;
    while (at < length) {
      if (!this.#inBody) at = this.#readHead(buffer, at, length);
      else if (this.#chunked) at = this.#readChunk(buffer, at, length);
      else at = this.#readBody(buffer, at, length);
    }
  }

  #readHead(buffer: Buffer, at: number, length: number): number {
    const known = this.#text.length;
    this.#text += buffer.toString('latin1', at, length);
    const headEnd = this.#text.indexOf('\r\n\r\n');
    if (headEnd < 0) return length;
    const head = this.#text.slice(0, headEnd + 2);
    this.#text = '';
    this.#inBody = true;
    this.#status = Number(head.slice(9, 12));
    const declared = /\r\ncontent-length: *(\d+)\r\n/i.exec(head);
    this.#chunked = !declared;
    this.#left = declared ? Number(declared[1]) : 0;
    const isWanted = this.#status !== 200 || this.#chunked || this.#check.wantsBody(this.#left);
    this.#parts = isWanted ? [] : undefined;
    if (declared && this.#left === 0) this.#finish();
    return at + headEnd + 4 - known;
  }

  #readBody(buffer: Buffer, at: number, length: number): number {
    const end = Math.min(length, at + this.#left);
    this.#parts?.push(Buffer.from(buffer.subarray(at, end)));
    this.#left -= end - at;
    if (this.#left === 0) this.#finish();
    return end;
  }

  #readChunk(buffer: Buffer, at: number, length: number): number {
    if (this.#left > 0) {
      const end = Math.min(length, at + this.#left);
      const dataEnd = Math.min(end, at + this.#left - 2);
      if (dataEnd > at) this.#parts?.push(Buffer.from(buffer.subarray(at, dataEnd)));
      this.#left -= end - at;
      return end;
    }
    const lineEnd = buffer.indexOf('\n', at);
    if (lineEnd < 0 || lineEnd >= length) {
      this.#text += buffer.toString('latin1', at, length);
      return length;
    }
    const line = (this.#text + buffer.toString('latin1', at, lineEnd)).trim();
    this.#text = '';
    const size = Number.parseInt(line, 16);
    // The chunk of size 0 is the last one, and an empty line ends it.
    if (line === '') this.#finish();
    else if (size > 0) this.#left = size + 2;
    return lineEnd + 1;
  }

  #finish(): void {
    this.#inBody = false;
    const parts = this.#parts;
    this.#parts = undefined;
    if (parts) {
      const body = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      if (this.#status !== 200) this.#check.fail(`status ${this.#status}: ${body.toString('utf8', 0, 300)}`);
      else if (!this.#chunked || this.#check.wantsBody(body.length)) this.#check.body(body);
    }
    this.#done();
  }
}
