import { column, scan } from '../../plan/build.js';
import type { PlanQuery, QueryableDataset, RowWise, TimeRange } from '../../prepared-query.js';
import { SourceText } from '../../source-text.js';
import { didYouMean } from '../../suggest.js';
import { datasetColumns } from '../dataset-columns.js';
import { exactRange } from '../range.js';
import { parseLinq } from './parser.js';
import { Problems } from './problems.js';
import { Stage, timeName } from './stage.js';
import type { LinqQuery, Node } from './syntax.js';
import { translateClauses } from './translate.js';

/** Checks a LINQ text, resolves its names and translates it. Throws a HarborwatchError of a QUERY_* code. */
export function prepareLinq(text: string, datasets: readonly QueryableDataset[], range: TimeRange = {}): PlanQuery {
  const source = new SourceText(text);
  const problems = new Problems(source);
  const query = parseLinq(source);
  const dataset = findDataset(query, datasets, problems);
  const columns = datasetColumns(dataset);
  const { name, timeColumn } = dataset;
  const rows = scan({ dataset: name, timeColumn, columns, nullStrings: true, ...exactRange(range) });
  const stage = new Stage(
    () => rows,
    columns.map((item) => item.name),
  );
  for (const item of columns) stage.declare(item.name, column(item));
  // In Devo every table's time is called so.
  if (!stage.names.has(timeName)) stage.names.set(timeName, column({ name: timeColumn, type: 'datetime' }));
  return {
    form: 'PLAN',
    language: 'LINQ',
    source: text,
    plan: translateClauses(query, stage, problems),
    datasets: [name],
    knownColumns: columns.map((item) => item.name),
    rowWise: rowWise(query, source),
  };
}

function findDataset(
  { table }: LinqQuery,
  datasets: readonly QueryableDataset[],
  problems: Problems,
): QueryableDataset {
  const found = datasets.find(({ name, aliases }) => name === table.name || aliases.includes(table.name));
  if (found !== undefined) return found;
  const names = datasets.flatMap(({ name, aliases }) => [name, ...aliases]);
  const hint = didYouMean(table.name, names);
  problems.fail('QUERY_UNKNOWN_TABLE', `There is no dataset "${table.name}".${hint}`, table);
}

const clockFunctions = new Set(['now', 'today', 'yesterday', 'tomorrow', 'midnight']);

/** Groups and limits look at more than one row, and the clock's functions at the time of the run. */
function rowWise({ clauses }: LinqQuery, source: SourceText): RowWise {
  for (const clause of clauses) {
    if (clause.kind === 'group' || clause.kind === 'limit') {
      return { ok: false, reason: `"${clause.kind}"`, ...source.position(clause.start) };
    }
    const nodes =
      clause.kind === 'where'
        ? clause.conditions
        : clause.kind === 'select'
          ? clause.items.flatMap((item) => (item === '*' ? [] : [item.value]))
          : [];
    for (const node of nodes) {
      const found = clockCall(node);
      if (found === undefined) continue;
      return { ok: false, reason: `the time-dependent function ${found.name}()`, ...source.position(found.start) };
    }
  }
  return { ok: true };
}

/** The first call in the expression that asks for the time of the run. */
function clockCall(node: Node): (Node & { kind: 'call' }) | undefined {
  if (node.kind === 'call' && clockFunctions.has(node.name) && node.args.length === 0) return node;
  for (const child of children(node)) {
    const found = clockCall(child);
    if (found !== undefined) return found;
  }
}

function children(node: Node): Node[] {
  switch (node.kind) {
    case 'unary':
      return [node.operand];
    case 'binary':
      return [node.left, node.right];
    case 'logical':
      return node.operands;
    case 'chain':
      return [node.first, ...node.links.map(({ value }) => value)];
    case 'call':
      return node.args;
    case 'set':
      return node.elements;
    case 'element':
      return [node.of, node.key];
    default:
      return [];
  }
}
