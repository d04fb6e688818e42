/** KQL, from its text to its plan. */
import type { PlanQuery, QueryableDataset, TimeRange } from '../../prepared-query.js';
import { SourceText } from '../../source-text.js';
import { checkMeaning } from './diagnostics.js';
import { parseKql } from './parse.js';
import { rowWise } from './row-wise.js';
import { kustoGlobals } from './symbols.js';
import { translate } from './translate.js';

/**
 * Translates a text over the datasets. Throws a HarborwatchError of a QUERY_* code with the place in the text where it is
 * wrong, or uses what cannot be answered exactly.
 */
export function prepareKql(text: string, datasets: readonly QueryableDataset[], range?: TimeRange): PlanQuery {
  const source = new SourceText(text);
  const { statements, code } = parseKql(source, kustoGlobals(datasets));
  const { plan, render, datasets: used, obstacles } = translate(statements, { source, datasets, range });
  checkMeaning(code, source);
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
