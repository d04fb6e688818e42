/** Steps that change no row: `as`, `render`, and `getschema`, which looks at the columns alone. */
import { values } from '../../../plan/build.js';
import type { ScalarType } from '../../../plan/types.js';
import { namedParameters, nameOf, type SyntaxNode } from '../syntax.js';
import type { TranslateOperator } from '../translator.js';
import { bound, refuseRowArguments } from './functions.js';
import { tokenValue } from './parameters.js';
import { named } from './tables.js';

/** https://learn.microsoft.com/kusto/query/as-operator. The steps that follow find the name in their scope. */
const as: TranslateOperator = (node, input, context) => {
  const name = nameOf(node.parts.Name)!;
  const isMaterialized = namedParameters(node).some(
    ([parameter, value]) => parameter === 'hint.materialized' && tokenValue(value) === 'true',
  );
  refuseRowArguments(input, node, context);
  return named(bound(name, input, isMaterialized, context), name);
};

const charts: ReadonlySet<string> = new Set([
  ...['table', 'list', 'barchart', 'piechart', 'ladderchart', 'timechart', 'linechart', 'anomalychart', 'pivotchart'],
  ...['areachart', 'stackedareachart', 'scatterchart', 'timepivot', 'columnchart', 'timeline', '3Dchart', 'card'],
  ...['treemap', 'plotly', 'graph', 'sankey'],
]);

/** https://learn.microsoft.com/kusto/query/render-operator: a hint for who shows the result. */
const render: TranslateOperator = (node, input, context) => {
  const properties = [
    ...namedParameters(node),
    ...(node.parts.WithClause?.lists.Properties ?? []).map(({ parts }): [string, SyntaxNode] => [
      nameOf(parts.Name)!,
      parts.Expression!,
    ]),
  ];
  const chart = node.parts.ChartType;
  if (chart !== undefined && !charts.has(chart.text)) {
    context.fail('QUERY_SYNTAX', chart, `There is no chart "${chart.text}". Charts: ${[...charts].join(', ')}.`);
  }
  context.render({
    kind: chart?.text ?? 'table',
    properties: Object.fromEntries(properties.map(([name, value]) => [name, propertyText(value)])),
  });
  return input;
};

const propertyText = (value: SyntaxNode): string =>
  value.lists.Names?.map((each) => nameOf(each)).join(', ') ?? tokenValue(value);

/** .NET's names, which `getschema` tells beside Kusto's. */
const systemTypes: Record<ScalarType, string> = {
  bool: 'System.SByte',
  long: 'System.Int64',
  real: 'System.Double',
  decimal: 'System.Data.SqlTypes.SqlDecimal',
  string: 'System.String',
  datetime: 'System.DateTime',
  timespan: 'System.TimeSpan',
  dynamic: 'System.Object',
  guid: 'System.Guid',
};

/** https://learn.microsoft.com/kusto/query/getschema-operator. */
const getSchema: TranslateOperator = (_node, input) =>
  values(
    [
      { name: 'ColumnName', type: 'string' },
      { name: 'ColumnOrdinal', type: 'long' },
      { name: 'DataType', type: 'string' },
      { name: 'ColumnType', type: 'string' },
    ],
    input.columns.map(({ name, type }, ordinal) => [name, ordinal, systemTypes[type], type]),
  );

export const hintOperators: Record<string, TranslateOperator> = {
  AsOperator: as,
  RenderOperator: render,
  GetSchemaOperator: getSchema,
};
