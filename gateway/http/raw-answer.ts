/** Answers on connections that `node:http` has given up, or handed on for an upgrade. */
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ErrorCode, errorRegistry } from '../../platform/errors.js';

/** How long the other side has to read the answer and close. */
const closeMs = 1_000;

/**
 * Answers an error in GraphQL's shape and closes the connection, also where the other side keeps its half open: no
 * timeout of the server looks at it any more.
 */
export function answerRaw(stream: Duplex, code: ErrorCode, message: string, details: object = {}): void {
  const { status } = errorRegistry[code];
  const body = JSON.stringify({ errors: [{ message, extensions: { code, ...details } }] });
  stream.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: application/json; charset=utf-8\r\n` +
      `cache-control: no-store\r\nx-content-type-options: nosniff\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  // Unread bytes would hide that the other side has closed, and reset the connection under the answer.
  stream.resume();
  const late = setTimeout(() => stream.destroy(), closeMs);
  stream.once('close', () => clearTimeout(late));
}
