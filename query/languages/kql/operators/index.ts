/** Every operator that is translated, by the kind of its syntax node; any other is refused by name. */
import type { TranslateOperator, TranslateSource } from '../translator.js';
import { columnOperators } from './columns-kept.js';
import { expandOperators } from './expand.js';
import { hintOperators } from './hints.js';
import { joinOperators } from './join.js';
import { parseOperators } from './parse.js';
import { rowOperators } from './rows.js';
import { searchOperators, searchSources } from './search.js';
import { seriesOperators } from './series.js';
import { plainSources } from './sources.js';
import { summaryOperators } from './summaries.js';
import { unionOperators, unionSources } from './union.js';
import { windowOperators } from './windows.js';

/** Steps after a bar. */
export const operators: Record<string, TranslateOperator> = {
  ...columnOperators,
  ...expandOperators,
  ...hintOperators,
  ...joinOperators,
  ...parseOperators,
  ...rowOperators,
  ...searchOperators,
  ...seriesOperators,
  ...summaryOperators,
  ...unionOperators,
  ...windowOperators,
};

/** What gives rows by itself, at the beginning of a pipe or in place of a table. */
export const sources: Record<string, TranslateSource> = { ...plainSources, ...searchSources, ...unionSources };

/** Values that are syntax of their own. */
export { scalarSources } from './scalars.js';
