/** All subgraphs: the only file that knows them. */
import type { Subgraph } from '../platform/subgraph.js';
import { accounts } from './accounts/index.js';
import { analytics } from './analytics/index.js';
import { audit } from './audit/index.js';
import { collections } from './collections/index.js';
import { events } from './events/index.js';
import { jobs } from './jobs/index.js';

export const subgraphs: readonly Subgraph[] = [accounts, analytics, audit, collections, events, jobs];
