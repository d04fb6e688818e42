/** All datasets. A new one is a new file, a line here, and a migration made by `npm run generate`. */
import { logs } from './logs.js';
import { securityEvents } from './security-events.js';
import type { Dataset } from './types.js';
import { webActivity } from './web-activity.js';
import { websiteLogs } from './website-logs.js';

export const datasets: readonly Dataset[] = [logs, securityEvents, websiteLogs, webActivity];

const byName = new Map(
  datasets.flatMap((dataset) => [dataset.name, ...dataset.aliases].map((name) => [name, dataset])),
);

/** Finds a dataset by its name or one of its aliases, exactly as they are spelled. */
export function findDataset(nameOrAlias: string): Dataset | undefined {
  return byName.get(nameOrAlias);
}
