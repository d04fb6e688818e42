/** The languages, each loaded when its first text comes. */
import { fail } from '../../../platform/errors.js';
import type { PreparedQuery, QueryableDataset, QueryLanguage, TimeRange } from '../../prepared-query.js';
import { didYouMean } from '../../suggest.js';
import type { Completion } from '../completions.js';

interface Language {
  prepare(
    text: string,
    datasets: readonly QueryableDataset[],
    range: TimeRange | undefined,
    dataset: string | undefined,
  ): PreparedQuery | Promise<PreparedQuery>;
  /** Absent where a language has no completions. */
  complete?(text: string, offset: number, datasets: readonly QueryableDataset[]): Completion[];
}

/** What loads a language; it is loaded once. */
export const languages: Record<QueryLanguage, () => Promise<Language>> = {
  SQL: once(async () => {
    const { guardSql } = await import('../sql/guard.js');
    return { prepare: guardSql };
  }),
  KQL: once(async () => {
    const [{ completeKql }, { prepareKql }] = await Promise.all([
      import('../kql/completions.js'),
      import('../kql/prepare.js'),
    ]);
    // Kusto's language service compiles itself while it is first used, which takes seconds: here it counts as loading.
    prepareKql('print x = 1 | where x == 1 | summarize count() by x', []);
    completeKql('print x = 1 | where ', 20, []);
    return { prepare: prepareKql, complete: completeKql };
  }),
  LINQ: once(async () => {
    const [{ completeLinq }, { prepareLinq }] = await Promise.all([
      import('../linq/completions.js'),
      import('../linq/prepare.js'),
    ]);
    return { prepare: prepareLinq, complete: completeLinq };
  }),
  OPENSEARCH: once(async () => {
    const { prepareSearch } = await import('../opensearch/search.js');
    return {
      prepare: (text, datasets, range, dataset) =>
        prepareSearch(text, datasetNamed(dataset ?? 'logs', datasets), range),
    };
  }),
};

function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined;
  return () => (loaded ??= load());
}

function datasetNamed(name: string, datasets: readonly QueryableDataset[]): QueryableDataset {
  const found = datasets.find((each) => each.name === name || each.aliases.includes(name));
  if (found !== undefined) return found;
  const names = datasets.flatMap((each) => [each.name, ...each.aliases]);
  return fail('QUERY_UNKNOWN_TABLE', `There is no dataset "${name}".${didYouMean(name, names)}`, {
    argument: 'dataset',
  });
}
