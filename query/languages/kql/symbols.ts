/** The caller's datasets as the tables that Kusto's language service checks names and types against. */
import type { QueryableDataset } from '../../prepared-query.js';
import { datasetColumns } from '../dataset-columns.js';
import { type KustoGlobals, loadKusto } from './kusto.js';

const kustoTypes = {
  bool: 'Bool',
  long: 'Long',
  real: 'Real',
  string: 'String',
  datetime: 'DateTime',
  dynamic: 'Dynamic',
} as const;

const known = new WeakMap<readonly QueryableDataset[], KustoGlobals>();

/** The datasets with their names and aliases as tables of one database. */
export function kustoGlobals(datasets: readonly QueryableDataset[]): KustoGlobals {
  const before = known.get(datasets);
  if (before !== undefined) return before;
  const { language } = loadKusto();
  const { ColumnSymbol, DatabaseSymbol, ScalarTypes, TableSymbol } = language.Symbols;
  const tables = datasets.flatMap((dataset) => {
    const columns = datasetColumns(dataset).map(
      ({ name, type }) => new ColumnSymbol(name, ScalarTypes[kustoTypes[type as keyof typeof kustoTypes]]),
    );
    return [dataset.name, ...dataset.aliases].map((name) => new TableSymbol.$ctor4(name, columns));
  });
  const globals = language.GlobalState.Default.WithDatabase(new DatabaseSymbol.$ctor1('harborwatch', tables));
  known.set(datasets, globals);
  return globals;
}
