/** Reads from PostgreSQL's own plan which indexes a query uses, and which one would help it. */
import type { PoolClient } from 'pg';
import { findDataset } from '../../../datasets/index.js';
import { indexSql } from '../../../datasets/postgres.js';
import type { Dataset } from '../../../datasets/types.js';
import type { IndexRecommendation } from '../../query-report.js';
import type { PlannerNode } from './estimate.js';

/** An index is worth its upkeep where it leaves out most of many rows. */
const fewestRows = 10_000;
const largestShare = 0.05;

export interface IndexReport {
  indexesUsed: string[];
  recommendations: IndexRecommendation[];
}

/** Partitions and their indexes are told under the names of those that they are parts of. */
export async function indexReport(root: PlannerNode, client: PoolClient): Promise<IndexReport> {
  const nodes = [...nodesOf(root)];
  const names = nodes
    .flatMap((node) => [node['Index Name'], node['Relation Name']])
    .filter((name) => name !== undefined);
  const relations = await relationsOf(client, names);
  const wholeName = (name: string) => relations.get(name)?.parent ?? name;
  const indexes = nodes.flatMap((node) => (node['Index Name'] === undefined ? [] : [wholeName(node['Index Name'])]));

  const scanned = new Map<string, { rows: number; found: number; filters: string[] }>();
  for (const node of nodes) {
    const relation = node['Relation Name'];
    if (relation === undefined || node.Filter === undefined) continue;
    const name = wholeName(relation);
    const before = scanned.get(name) ?? { rows: 0, found: 0, filters: [] };
    scanned.set(name, {
      rows: before.rows + (relations.get(relation)?.rows ?? 0),
      found: before.found + node['Plan Rows'],
      filters: [...before.filters, node.Filter],
    });
  }
  const recommendations = [...scanned].flatMap(([name, { rows, found, filters }]) => {
    const dataset = findDataset(name);
    const isSelective = rows >= fewestRows && found <= rows * largestShare;
    return dataset !== undefined && isSelective ? recommend(dataset, filters, { rows, found }) : [];
  });
  return { indexesUsed: [...new Set(indexes)].toSorted(), recommendations };
}

function* nodesOf(root: PlannerNode): Generator<PlannerNode, void> {
  const pending = [root];
  while (pending.length > 0) {
    const node = pending.pop()!;
    yield node;
    for (const input of (node.Plans ?? []).toReversed()) pending.push(input);
  }
}

interface Relation {
  /** The table or index that it is a part of. */
  parent: string | null;
  /** As the planner counts them. */
  rows: number;
}

async function relationsOf(client: PoolClient, names: string[]): Promise<Map<string, Relation>> {
  const { rows } = await client.query<Relation & { name: string }>(
    `SELECT c.relname AS name, p.relname AS parent, greatest(c.reltuples, 0)::float8 AS rows
       FROM pg_catalog.pg_class c
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'app'
       LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
       LEFT JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
      WHERE c.relname = ANY ($1::name[])`,
    [names],
  );
  return new Map(rows.map((row) => [row.name, row]));
}

/** One index a column: each of them alone would cut the rows down. */
function recommend(
  dataset: Dataset,
  filters: string[],
  { rows, found }: { rows: number; found: number },
): IndexRecommendation[] {
  return dataset.columns
    .filter((item) => item.indexed !== true && item.name !== dataset.timeColumn)
    .filter(({ name }) => filters.some((filter) => isCompared(filter, name)))
    .map((item) => ({
      dataset: dataset.name,
      columns: [item.name],
      reason:
        `About ${Math.round(rows).toLocaleString('en')} rows of ${dataset.name} are read and some ` +
        `${Math.round(found).toLocaleString('en')} pass the filter on ${item.name}, which has no index.`,
      statement: indexSql(dataset, item).trim(),
    }));
}

/**
 * Whether the condition, as PostgreSQL writes it, compares the column itself in a way that an index answers under row
 * security, and not as one of several alternatives.
 */
function isCompared(filter: string, name: string): boolean {
  if (/ OR /.test(filter)) return false;
  const spelled = /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
  const escaped = spelled.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`);
  return new RegExp(String.raw`\(${escaped} (?:=|<|>|<=|>=) `).test(filter);
}
