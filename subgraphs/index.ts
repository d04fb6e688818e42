/** All subgraphs: the only file that knows them. */
import type { Subgraph } from '../platform/subgraph.js';
import { accounts } from './accounts/index.js';
import { events } from './events/index.js';

export const subgraphs: readonly Subgraph[] = [accounts, events];
