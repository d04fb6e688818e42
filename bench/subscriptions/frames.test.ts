import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { clientMessage, clientPong, FrameReader } from './frames.js';

const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
afterAll(() => server.close());

/** A bare socket that has upgraded, and the server's end of it. */
async function open(onBytes: (bytes: Buffer) => void) {
  if (!server.address()) await once(server, 'listening');
  const connected = once(server, 'connection');
  const socket = connect((server.address() as { port: number }).port, '127.0.0.1');
  socket.write(
    'GET / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n' +
      'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  await once(socket, 'data');
  socket.on('data', onBytes);
  const [peer] = (await connected) as [WebSocket];
  return { socket, peer };
}

describe('the subscription clients speak WebSocket as ws does', () => {
  it.each([7, 64, 100_000])('and read messages of every length, in pieces of %i bytes', async (pieceBytes) => {
    const messages = ['', 'short', 'é'.repeat(100), 'x'.repeat(70_000)];
    const got: string[] = [];
    const all = Promise.withResolvers<void>();
    const reader = new FrameReader({
      text: (buffer, start, end) => {
        if (got.push(buffer.toString('utf8', start, end)) === messages.length) all.resolve();
      },
      ping: () => {},
      closed: () => {},
    });
    const { socket, peer } = await open((bytes) => {
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        reader.read(bytes, at, Math.min(bytes.length, at + pieceBytes));
      }
    });
    for (const message of messages) peer.send(message);
    await all.promise;
    expect(got).toEqual(messages);
    socket.destroy();
  });

  it('and send messages and answers to pings that it understands', async () => {
    const reader = new FrameReader({
      text: () => {},
      ping: (payload) => void socket.write(clientPong(payload)),
      closed: () => {},
    });
    const { socket, peer } = await open((bytes) => reader.read(bytes, 0, bytes.length));
    const message = once(peer, 'message');
    socket.write(clientMessage('a long message '.repeat(20)));
    expect(String((await message)[0])).toBe('a long message '.repeat(20));
    const pong = once(peer, 'pong');
    peer.ping('are you there');
    expect(String((await pong)[0])).toBe('are you there');
    socket.destroy();
  });
});
