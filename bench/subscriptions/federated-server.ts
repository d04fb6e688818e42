/** Our gateway over two subgraphs: each event takes an entity hop. */
import { composeBench } from '../compose.js';
import { serveInProcess } from '../our-gateway.js';
import { subgraphs } from './graph.js';
import { type ServerPorts, servePublisher } from './publisher.js';

const parts = subgraphs();
const { port } = await serveInProcess(composeBench(parts), parts, 0);
process.send?.({ result: { port, publisherPort: await servePublisher() } satisfies ServerPorts });
