import { describe, expect, it } from 'vitest';
import { AnswerReader } from './http-client.js';

const sized = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nContent-Length: 13\r\n\r\n{"data":"é"}';
const chunked = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"dat\r\n7\r\na":"x"}\r\n0\r\n\r\n';
const failed = 'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy';

/** Reads answers that arrive in pieces of this size. */
function read(text: string, pieceBytes: number) {
  const bodies: string[] = [];
  const failures: string[] = [];
  let done = 0;
  const check = {
    wantsBody: () => true,
    body: (body: Buffer) => void bodies.push(body.toString()),
    fail: (message: string) => void failures.push(message),
  };
  const reader = new AnswerReader(check, () => {
    done += 1;
  });
  const bytes = Buffer.from(text);
  const shared = Buffer.alloc(pieceBytes);
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.read(shared, bytes.copy(shared, 0, at, at + pieceBytes));
  return { bodies, failures, done };
}

describe('the load generator reads answers', () => {
  it.each([1, 2, 3, 7, 16, 1_000])('with a length or in chunks, in pieces of %i bytes', (pieceBytes) => {
    expect(read(sized + chunked + sized, pieceBytes)).toEqual({
      bodies: ['{"data":"é"}', '{"data":"x"}', '{"data":"é"}'],
      failures: [],
      done: 3,
    });
  });

  it('and counts another status than 200 as a failure, with what it says', () => {
    expect(read(failed + sized, 10)).toEqual({ bodies: ['{"data":"é"}'], failures: ['status 503: busy'], done: 2 });
  });
});
