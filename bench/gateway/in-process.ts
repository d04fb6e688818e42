/** `node in-process.js SUPERGRAPH_FILE PORT`: our gateway with the subgraphs of the benchmark in its own process. */
import { readFileSync } from 'node:fs';
import { serveInProcess } from '../our-gateway.js';
import { subgraphs } from './graph.js';

const [supergraphFile = '', port = ''] = process.argv.slice(2);
await serveInProcess(readFileSync(supergraphFile, 'utf8'), subgraphs, Number(port));
