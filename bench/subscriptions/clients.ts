/**
 * Many subscribers in one process: `node clients.js`, ordered over IPC. They ask for an event, count what arrives, and
 * ask for the next one when every socket has it.
 */
import { randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { percentile } from '../frame.js';
import { clientMessage, clientPong, FrameReader } from './frames.js';
import { answerTo, operation } from './graph.js';
import type { ServerPorts } from './publisher.js';

export type ClientOrder = ({ kind: 'connect'; sockets: number } & ServerPorts) | { kind: 'count'; seconds: number };

export interface CountResult {
  messagesPerSecond: number;
  /** From the order of an event until the last socket has it. */
  p50Ms: number;
  p99Ms: number;
  events: number;
  /** What was wrong with a message; empty where nothing was. */
  error: string;
}

/** Of each socket, one of so many messages is read and compared; not that of the same event for all. */
const comparedOneOf = 32;
const shared = Buffer.allocUnsafe(256 * 1024);
/** How long an event may take to reach everybody before another is published: some may not have subscribed yet. */
const joinMs = 2_000;

let publisher: Socket | undefined;
let sockets: Socket[] = [];
/** How many events were published: their prices count them. */
let published = 0;
/** How many sockets have the latest one. */
let reached = 0;
/** Until every socket has had the same event, each message is read; from then on, each socket's are counted. */
let joining = true;
let error = '';
let onReached = () => {};

/** Compares a message with what it has to be. @returns the number of its event */
function check(id: string, buffer: Buffer, start: number, end: number): number {
  const text = buffer.toString('utf8', start, end);
  const message = JSON.parse(text);
  const price = message.payload?.data?.priceChanged?.price as number;
  const expected = { id, type: 'next', payload: { data: answerTo(price) } };
  if (!isDeepStrictEqual(message, expected)) error ||= `another message: ${text.slice(0, 300)}`;
  return price;
}

/** One socket that has connected and asked for its subscription. @param index of the socket */
function subscribe(port: number, index: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const id = randomUUID();
    let upgraded = false;
    let acknowledged = false;
    /** The number of the last event that it got. */
    let event = 0;
    let head = '';
    const frames = new FrameReader({
      ping: (payload) => void socket.write(clientPong(payload)),
      // The first message acknowledges the connection; all others are events.
      text: (buffer, start, end) => {
        if (!acknowledged) {
          acknowledged = true;
          const payload = { query: operation };
          socket.write(clientMessage(JSON.stringify({ id, type: 'subscribe', payload })), () => resolve(socket));
          return;
        }
        event += 1;
        if (joining || (event + index) % comparedOneOf === 0) {
          const told = check(id, buffer, start, end);
          if (!joining && told !== event) error ||= `event ${told} came in the place of event ${event}`;
          event = told;
        }
        if (event !== published) return;
        reached += 1;
        onReached();
      },
      closed: (reason) => {
        error ||= `a socket was closed: ${reason}`;
      },
    });
    const read = (length: number) => {
      if (upgraded) return frames.read(shared, 0, length);
      head += shared.toString('latin1', 0, length);
      const headEnd = head.indexOf('\r\n\r\n');
      if (headEnd < 0) return;
      if (!head.startsWith('HTTP/1.1 101')) return reject(new Error(`No WebSocket: ${head.slice(0, 300)}`));
      upgraded = true;
      socket.write(clientMessage(JSON.stringify({ type: 'connection_init' })));
      const rest = Buffer.from(head.slice(headEnd + 4), 'latin1');
      frames.read(rest, 0, rest.length);
    };
    const socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: shared,
        callback: (length) => {
          read(length);
          return true;
        },
      },
    });
    socket.once('error', reject);
    socket.once('close', () => {
      error ||= 'a socket was closed';
    });
    const key = randomUUID().replaceAll('-', '').slice(0, 16);
    socket.write(
      `GET /graphql HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n` +
        `sec-websocket-version: 13\r\nsec-websocket-key: ${Buffer.from(key).toString('base64')}\r\n` +
        'sec-websocket-protocol: graphql-transport-ws\r\n\r\n',
    );
  });
}

/** Publishes one event and waits until every socket has it. @returns false where some have not after `timeoutMs` */
function publishOne(timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    published += 1;
    reached = 0;
    const late = setTimeout(() => resolve(false), timeoutMs);
    onReached = () => {
      if (reached < sockets.length) return;
      clearTimeout(late);
      resolve(true);
    };
    publisher!.write('+');
  });
}

async function connectAll({ port, publisherPort, sockets: count }: ClientOrder & { kind: 'connect' }): Promise<true> {
  publisher = connect({ port: publisherPort, host: '127.0.0.1', noDelay: true });
  sockets = [];
  // Not all at once: the server's backlog is short.
  while (sockets.length < count) {
    const batch = Array.from({ length: Math.min(100, count - sockets.length) }, (_, index) => subscribe(port, index));
    sockets.push(...(await Promise.all(batch)));
  }
  for (let attempt = 0; attempt < 10; attempt += 1) {
    if (await publishOne(joinMs)) {
      // Events come in order: nothing older is under way to any of them.
      joining = false;
      return true;
    }
  }
  throw new Error(`Only ${reached} of ${count} sockets get events. ${error}`);
}

async function count(seconds: number): Promise<CountResult> {
  const times: number[] = [];
  const started = performance.now();
  const end = started + seconds * 1_000;
  for (let now = started; now < end; ) {
    if (!(await publishOne(10_000)))
      throw new Error(`An event reached ${reached} of ${sockets.length} sockets. ${error}`);
    const after = performance.now();
    times.push(after - now);
    now = after;
  }
  const elapsedSeconds = (performance.now() - started) / 1_000;
  const sorted = times.toSorted((a, b) => a - b);
  return {
    messagesPerSecond: (times.length * sockets.length) / elapsedSeconds,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    events: times.length,
    error,
  };
}

process.on('message', (order: ClientOrder) => {
  (order.kind === 'connect' ? connectAll(order) : count(order.seconds)).then(
    (result) => process.send?.({ result }),
    (failure: Error) => process.send?.({ error: failure.message }),
  );
});
process.once('disconnect', () => process.exit());
