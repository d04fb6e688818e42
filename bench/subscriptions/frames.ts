/** As much of WebSocket (RFC 6455) as a client needs that must outrun the server. */
import { randomBytes } from 'node:crypto';

const mask = randomBytes(4);

const textOpcode = 1;
const closeOpcode = 8;
const pingOpcode = 9;
const pongOpcode = 10;

/** A text message as a client sends it. */
export const clientMessage = (text: string): Buffer => clientFrame(textOpcode, Buffer.from(text));

/** The answer to a ping. */
export const clientPong = (payload: Buffer): Buffer => clientFrame(pongOpcode, payload);

/** One frame, which a client has to mask; the payload's bytes are masked where they are. */
function clientFrame(opcode: number, payload: Buffer): Buffer {
  for (let index = 0; index < payload.length; index += 1) payload[index]! ^= mask[index % 4]!;
  const head =
    payload.length < 126
      ? [0x80 | opcode, 0x80 | payload.length]
      : [0x80 | opcode, 0x80 | 126, payload.length >> 8, payload.length & 255];
  return Buffer.concat([Buffer.from(head), mask, payload]);
}

/** Finds the messages in what a socket reads. */
export class FrameReader {
  /** The beginning of a frame that is not whole yet. */
  #rest: Buffer | undefined;
  readonly #events: FrameEvents;

  constructor(events: FrameEvents) {
    this.#events = events;
  }

  /** Takes the bytes of a buffer from `start` to `end`; the buffer is used again afterwards. */
  read(buffer: Buffer, start: number, end: number): void {
    let at = start;
    let bytes = buffer;
    let last = end;
    if (this.#rest) {
      bytes = Buffer.concat([this.#rest, buffer.subarray(start, end)]);
      this.#rest = undefined;
      at = 0;
      last = bytes.length;
    }
    while (at < last) {
      const head = last - at < 2 ? undefined : headLength(bytes[at + 1]!);
      const length = head === undefined || last - at < head ? undefined : payloadLength(bytes, at);
      if (head === undefined || length === undefined || last - at < head + length) {
        this.#rest = Buffer.from(bytes.subarray(at, last));
        return;
      }
      const opcode = bytes[at]! & 15;
      const from = at + head;
      at = from + length;
      if (opcode === textOpcode) this.#events.text(bytes, from, at);
      else if (opcode === pingOpcode) this.#events.ping(Buffer.from(bytes.subarray(from, at)));
      else if (opcode === closeOpcode) this.#events.closed(bytes.toString('utf8', from + 2, at));
    }
  }
}

export interface FrameEvents {
  /** A text message: these bytes of this buffer, which is used again afterwards. */
  text(buffer: Buffer, start: number, end: number): void;
  /** A ping, to be answered with its payload: a server ends those that do not. */
  ping(payload: Buffer): void;
  closed(reason: string): void;
}

/** A server's frames are not masked. */
function headLength(second: number): number {
  const length = second & 127;
  return length < 126 ? 2 : length === 126 ? 4 : 10;
}

function payloadLength(bytes: Buffer, at: number): number {
  const length = bytes[at + 1]! & 127;
  if (length < 126) return length;
  return length === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
}
