/** KQL, from its text to its plan. */
import type { PlanQuery, QueryableDataset, TimeRange } from '../../prepared-query.js';
import { SourceText } from '../../source-text.js';
import { parseKql } from './parse.js';
import { rowWise } from './row-wise.js';
import { translate } from './translate.js';

/**
 * Translates a text over the datasets. Throws a HarborwatchError of a QUERY_* code with the place in the text where it is
 * wrong, or uses what cannot be answered exactly.
 */
export function prepareKql(text: string, datasets: readonly QueryableDataset[], range?: TimeRange): PlanQuery {
  const source = new SourceText(text);
  const { plan, render, datasets: used, obstacles } = translate(parseKql(source), { source, datasets, range });
  return {
    form: 'PLAN',
    language: 'KQL',
    source: text,
    plan,
    ...(render && { render }),
    datasets: used.map(({ name }) => name),
    knownColumns: [...new Set(used.flatMap(({ columns }) => columns.map(({ name }) => name)))],
    rowWise: rowWise(plan, obstacles, source),
  };
}
