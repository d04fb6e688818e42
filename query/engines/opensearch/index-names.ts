/**
 * The names of what a dataset has in OpenSearch: one index a month (UTC) of event time, and aliases to reach it by.
 *
 * An index belongs to a generation, the count of rebuilds, and is named `<month alias>-g<generation>`. Readers and writers
 * know the aliases alone, which a rebuild moves to the next generation all at once. The anchor is an index without
 * documents: it keeps the dataset's alias there where no month has events yet.
 */

/** The part that all indexes of a dataset share; `logs` has the name that its users know. */
const baseName = (dataset: string): string =>
  dataset === 'logs' ? 'securewatch-logs' : `harborwatch-${dataset.replaceAll('_', '-')}`;

/** The index that an event is in as users see it, such as `securewatch-logs-2026.11`. @param month as `2026.11` */
export const userIndexName = (dataset: string, month: string): string => `${baseName(dataset)}-${month}`;

/** The alias of all of a dataset's months: what a search names. */
export const readAlias = (prefix: string, dataset: string): string => `${prefix}${baseName(dataset)}`;

/** The alias of one month: what a writer names. */
export const monthAlias = (prefix: string, dataset: string, month: string): string =>
  `${prefix}${userIndexName(dataset, month)}`;

/** The index of a month in a generation. */
export const indexName = (prefix: string, dataset: string, month: string, generation: number): string =>
  `${monthAlias(prefix, dataset, month)}-g${generation}`;

/** The index without documents of a generation. */
export const anchorName = (prefix: string, dataset: string, generation: number): string =>
  `${readAlias(prefix, dataset)}-anchor-g${generation}`;

/** What all names of a dataset's indexes, of every generation, and of no other dataset's, match. */
export const indexPatterns = (prefix: string, dataset: string): string[] => [
  `${readAlias(prefix, dataset)}-anchor-g*`,
  `${readAlias(prefix, dataset)}-*.*-g*`,
];

/** The month and generation in the name of an index; undefined for what is no name of the dataset's. */
export function parseIndexName(
  prefix: string,
  dataset: string,
  name: string,
): { month: string | undefined; generation: number } | undefined {
  const start = `${readAlias(prefix, dataset)}-`;
  if (!name.startsWith(start)) return undefined;
  // All of the rest: what lies between could be of an installation whose prefix starts as our names do.
  const [, part, generation] = /^(anchor|-?\d{4,}\.\d{2})-g(\d+)$/.exec(name.slice(start.length)) ?? [];
  return part === undefined
    ? undefined
    : { month: part === 'anchor' ? undefined : part, generation: Number(generation) };
}
