/** Lets the clients of a benchmark ask for events: one for every byte that they send. */
import { createServer } from 'node:net';
import { publish } from './graph.js';

/** @returns its port */
export async function servePublisher(): Promise<number> {
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      for (let count = 0; count < bytes.length; count += 1) publish();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

/** Where a server of subscriptions is reached. */
export interface ServerPorts {
  port: number;
  publisherPort: number;
}
