/** The PostgreSQL form of a dataset: the text of the migrations that make and change its table and views. */
import { attributesColumn, type Column, columnTypes, type Dataset } from './types.js';

/** What of the declarations is in the database: kept as `schema/datasets.json`, so that a change can be told. */
export interface DatasetSnapshot {
  name: string;
  aliases: string[];
  timeColumn: string;
  columns: { name: string; type: Column['type']; indexed: boolean }[];
}

/** What the database has of a declaration. */
export function snapshotOf(dataset: Dataset): DatasetSnapshot {
  return {
    name: dataset.name,
    aliases: dataset.aliases,
    timeColumn: dataset.timeColumn,
    columns: dataset.columns.map(({ name, type, indexed }) => ({ name, type, indexed: indexed ?? false })),
  };
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

function viewsSql(dataset: Dataset): string {
  const columns = [...dataset.columns, attributesColumn].map((column) => quote(column.name)).join(', ');
  const view = (schema: string, name: string, where: string) =>
    `CREATE VIEW ${schema}.${quote(name)} WITH (security_invoker = true) AS\n  SELECT ${columns} FROM app.${dataset.name}${where};\n` +
    `GRANT SELECT ON ${schema}.${quote(name)} TO harborwatch_query;\n`;
  const oneBatch = `\n   WHERE batch_no = (SELECT nullif(current_setting('app.batch_no', true), '')::bigint)`;
  return [dataset.name, ...dataset.aliases].map((name) => view('q', name, '') + view('qb', name, oneBatch)).join('');
}

const dropViewsSql = (snapshot: DatasetSnapshot): string =>
  [snapshot.name, ...snapshot.aliases]
    .map((name) => `DROP VIEW q.${quote(name)};\nDROP VIEW qb.${quote(name)};\n`)
    .join('');

/** The statement that gives a column an index of its own. */
export const indexSql = (dataset: Dataset, column: { name: string }): string =>
  `CREATE INDEX ON app.${dataset.name} (org_id, ${quote(column.name)}, ${quote(dataset.timeColumn)} DESC);\n`;

/**
 * The migration that makes a dataset's table. The primary key is also the index of every page by time: read backward it
 * is (org_id, time DESC, id DESC), so a second one would only slow the ingest down.
 */
export function createSql(dataset: Dataset): string {
  const time = quote(dataset.timeColumn);
  const column = ({ name, type }: Column) =>
    `  ${quote(name)} ${columnTypes[type]}${name === dataset.timeColumn ? ' NOT NULL' : ''},\n`;
  return `-- The dataset ${dataset.name}. Generated from its declaration.
CREATE TABLE app.${dataset.name} (
  org_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT uuidv7(),
  batch_no bigint NOT NULL,
${dataset.columns.map(column).join('')}  attributes jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (org_id, ${time}, id)
) PARTITION BY RANGE (${time});
CREATE INDEX ON app.${dataset.name} USING brin (batch_no);
${dataset.columns
  .filter((item) => item.indexed)
  .map((item) => indexSql(dataset, item))
  .join('')}ALTER TABLE app.${dataset.name} ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.${dataset.name} FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.${dataset.name}
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
GRANT SELECT, INSERT, DELETE ON app.${dataset.name} TO harborwatch_app;
GRANT SELECT ON app.${dataset.name} TO harborwatch_query;
${viewsSql(dataset)}`;
}

/**
 * The migration from what is in the database to a changed declaration: new columns, indexes and aliases.
 * @throws when a column was removed or has another type: that wants a migration written by hand
 */
export function alterSql(before: DatasetSnapshot, dataset: Dataset): string {
  const old = new Map(before.columns.map((column) => [column.name, column]));
  const now = new Map(dataset.columns.map((column) => [column.name, column]));
  for (const column of before.columns) {
    const type = now.get(column.name)?.type;
    if (type !== column.type) {
      throw new Error(
        `${dataset.name}.${column.name} was ${column.type} and is now ${type ?? 'gone'}: write that migration by hand.`,
      );
    }
  }
  if (before.timeColumn !== dataset.timeColumn) throw new Error(`${dataset.name}: the time column cannot change.`);
  const added = dataset.columns.filter((column) => !old.has(column.name));
  const indexed = dataset.columns.filter((column) => column.indexed && !old.get(column.name)?.indexed);
  return [
    `-- The dataset ${dataset.name} changed. Generated from its declaration.\n`,
    dropViewsSql(before),
    ...added.map(
      (column) => `ALTER TABLE app.${dataset.name} ADD COLUMN ${quote(column.name)} ${columnTypes[column.type]};\n`,
    ),
    ...indexed.map((column) => indexSql(dataset, column)),
    viewsSql(dataset),
  ].join('');
}
