/** For tests of callbacks: receivers and name servers on loopback. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, isIP } from 'node:net';

export interface ReceivedCall {
  path: string;
  method: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Receiver {
  port: number;
  /** Such as `http://127.0.0.1:4321`. */
  url: string;
  calls: ReceivedCall[];
  close(): Promise<void>;
}

/** Answers a call; it may as well hang or break the connection. @param n which call it is, from 1 */
type Answering = (response: ServerResponse, n: number) => void;

export const status =
  (code: number, headers: Record<string, string> = {}): Answering =>
  (response) =>
    response.writeHead(code, headers).end();

/** @param tls to speak https */
export async function startReceiver(
  answer: Answering = status(204),
  tls?: { cert: string; key: string },
): Promise<Receiver> {
  const calls: ReceivedCall[] = [];
  const listener: RequestListener = async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString('utf8');
    calls.push({ path: request.url!, method: request.method!, headers: request.headers, body });
    answer(response, calls.length);
  };
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    calls,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export interface NameServer {
  /** For `Resolver.setServers`. */
  address: string;
  /** The names that it was asked for, once for each type of record. */
  asked: string[];
  close(): Promise<void>;
}

const recordTypes: Record<number, 4 | 6> = { 1: 4, 28: 6 };

/** @param addressesOf what a name has when it is asked for the nth time; undefined for no answer at all */
export async function startNameServer(
  addressesOf: (name: string, n: number) => readonly string[] | undefined,
): Promise<NameServer> {
  const asked: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (query, { port, address }) => {
    const labels: string[] = [];
    let at = 12;
    for (; query[at]! > 0; at += query[at]! + 1) labels.push(query.toString('latin1', at + 1, at + 1 + query[at]!));
    const name = labels.join('.').toLowerCase();
    const type = query.readUInt16BE(at + 1);
    const key = `${name} ${type}`;
    asked.push(key);
    const addresses = addressesOf(name, asked.filter((other) => other === key).length);
    if (!addresses) return;
    const records = addresses.filter((one) => isIP(one) === recordTypes[type]).map((one) => toRecord(one, type));
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(addresses.length > 0 ? 0x8180 : 0x8183, 2); // An answer; without any address, "no such name".
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    socket.send(Buffer.concat([head, query.subarray(12, at + 5), ...records]), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    close: async () => {
      socket.close();
      await once(socket, 'close');
    },
  };
}

/** A record of the name in the question, to be kept for no time. */
function toRecord(address: string, type: number): Buffer {
  const data = type === 1 ? Buffer.from(address.split('.').map(Number)) : Buffer.from(expand(address).join(''), 'hex');
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

/** The eight groups of an IPv6 address in hexadecimal. */
function expand(address: string): string[] {
  const [left = '', right] = address.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const missing = 8 - groups(left).length - groups(right ?? '').length;
  const all = right === undefined ? groups(left) : [...groups(left), ...Array(missing).fill('0'), ...groups(right)];
  return all.map((group) => group.padStart(4, '0'));
}
