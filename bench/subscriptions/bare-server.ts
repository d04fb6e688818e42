/** graphql-ws as its documentation sets it up, over one schema with the same fields. */
import { createServer } from 'node:http';
import { useServer as serve } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { plainSchema } from './graph.js';
import { type ServerPorts, servePublisher } from './publisher.js';

const server = createServer();
serve({ schema: plainSchema() }, new WebSocketServer({ server, path: '/graphql' }));
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address() as { port: number };
process.send?.({ result: { port, publisherPort: await servePublisher() } satisfies ServerPorts });
process.once('disconnect', () => process.exit());
