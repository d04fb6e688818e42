/**
 * The subgraphs over HTTP, in a process of their own: `node subgraph-server.js`, told of its ports over IPC. It must
 * never be what is measured, so it reads HTTP off the socket itself and keeps every answer by the text of its request.
 */
import { createServer, type Socket } from 'node:net';
import { execute, type GraphQLSchema, parse } from 'graphql';
import { subgraphs } from './graph.js';

/** Answers are few: every gateway asks the same operations with the same variables again and again. */
const maxAnswers = 10_000;

async function answer(schema: GraphQLSchema, body: string): Promise<Buffer> {
  const { query, variables, operationName } = JSON.parse(body);
  const result = await execute({ schema, document: parse(query), variableValues: variables, operationName });
  const json = Buffer.from(JSON.stringify(result));
  const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${json.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), json]);
}

/** Reads one request after the other; without pipelining, and with a Content-Length, as all our clients send it. */
function serveSocket(socket: Socket, schema: GraphQLSchema, answers: Map<string, Buffer>): void {
  let pending: Buffer | undefined;
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    pending = pending ? Buffer.concat([pending, chunk]) : chunk;
    const headEnd = pending.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const length = /content-length: *(\d+)/i.exec(pending.toString('latin1', 0, headEnd));
    if (!length) {
      socket.end('HTTP/1.1 411 Length Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
      return;
    }
    const end = headEnd + 4 + Number(length[1]);
    if (pending.length < end) return;
    const body = pending.toString('utf8', headEnd + 4, end);
    pending = pending.length > end ? pending.subarray(end) : undefined;
    const known = answers.get(body);
    if (known) {
      socket.write(known);
      return;
    }
    answer(schema, body).then(
      (made) => {
        if (answers.size < maxAnswers) answers.set(body, made);
        socket.write(made);
      },
      () => socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'),
    );
  });
}

const ports = await Promise.all(
  subgraphs.map(async ({ name, schema }) => {
    const answers = new Map<string, Buffer>();
    const server = createServer((socket) => serveSocket(socket, schema, answers));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return [name, (server.address() as { port: number }).port] as const;
  }),
);
process.send?.({ result: Object.fromEntries(ports) });
process.once('disconnect', () => process.exit());
