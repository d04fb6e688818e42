/** Which queries one result answers, and for how long. */
import { createHash } from 'node:crypto';
import { datasets } from '../../../datasets/index.js';
import { capabilityKey, type Identity } from '../../../platform/identity.js';
import { describeQuery, type PreparedQuery, type QueryClass, type TimeRange } from '../../../query/index.js';
import type { Reuse } from '../store/reuse.js';

/** What a query is asked with, in its canonical form. */
interface Asked {
  language: string;
  query: string;
  dataset: string | null;
  range: TimeRange;
}

const freshSeconds: Record<QueryClass, number> = { SIMPLE: 300, COMPLEX: 900, HISTORICAL: 3_600 };

/** What the names of a text mean: a result of another declaration has other columns. */
const declarations = JSON.stringify(
  datasets.map(({ name, aliases, timeColumn, columns }) => [
    name,
    aliases,
    timeColumn,
    columns.map(({ name: column, type }) => [column, type]),
  ]),
);

/** Undefined where two runs may differ though nothing changed in between. */
export function reuseOf(
  identity: Identity,
  { language, query, dataset, range }: Asked,
  prepared: PreparedQuery,
  nowMs: number,
): Reuse | undefined {
  const { isRepeatable, class: kind, datasets: read, range: reads } = describeQuery(prepared, range, nowMs);
  if (!isRepeatable) return undefined;
  // Who may see less is never answered with what was made for somebody who may see more.
  const capabilities = [...new Set(identity.capabilities.map(capabilityKey))].sort();
  const searched = language === 'OPENSEARCH' ? (dataset ?? 'logs') : null;
  const equal = [declarations, language, query, searched, range.from ?? null, range.to ?? null, capabilities];
  return {
    key: createHash('sha256').update(JSON.stringify(equal)).digest(),
    seconds: freshSeconds[kind],
    datasets: read,
    range: reads,
  };
}
