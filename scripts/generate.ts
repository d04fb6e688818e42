/**
 * Makes every generated file: migrations of changed datasets, OpenSearch’s index
 * templates, subgraph and supergraph schemas, the client's types,
 * `.env.example`. With `--check` it writes nothing and fails when a committed file differs from the code.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { datasets } from '../datasets/index.js';
import { alterSql, createSql, type DatasetSnapshot, snapshotOf } from '../datasets/postgres.js';
import { composeSupergraph } from '../gateway/supergraph/compose.js';
import { envExample } from '../platform/config.js';
import { errorRegistry } from '../platform/errors.js';
import { printSubgraph } from '../platform/subgraph.js';
import { readAlias } from '../query/engines/opensearch/index-names.js';
import { templateOf } from '../query/engines/opensearch/mapping.js';
import { subgraphs } from '../subgraphs/index.js';
import { generateClient } from './generate-client.js';

type Files = Map<string, string>;

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

async function datasetFiles(files: Files): Promise<void> {
  const snapshotFile = 'schema/datasets.json';
  const before: DatasetSnapshot[] = JSON.parse(await readFile(snapshotFile, 'utf8').catch(() => '[]'));
  const known = new Map(before.map((snapshot) => [snapshot.name, snapshot]));
  let number = (await readdir('schema/postgres')).filter((name) => name.endsWith('.sql')).length;
  for (const dataset of datasets) {
    const old = known.get(dataset.name);
    if (JSON.stringify(old) === JSON.stringify(snapshotOf(dataset))) continue;
    number += 1;
    const name = `${String(number).padStart(4, '0')}_${old ? 'change' : 'dataset'}_${dataset.name}.sql`;
    files.set(join('schema/postgres', name), old ? alterSql(old, dataset) : createSql(dataset));
  }
  files.set(snapshotFile, json(datasets.map(snapshotOf)));
}

/** The page of all error codes. */
function errorsPage(): string {
  const head = `# Errors

Every error carries a stable code: in GraphQL as \`extensions.code\`, over HTTP with the status below, on the command line in
front of the message. \`extensions.argument\` names the argument it is about, \`extensions.line\` and \`extensions.column\` the place in a
query's text. Generated from \`platform/errors.ts\`.

| code | HTTP | cause | what to do |
|---|---|---|---|
`;
  const row = ([code, { status, cause, fix }]: [string, { status: number; cause: string; fix: string }]) =>
    `| \`${code}\` | ${status} | ${cause} | ${fix} |\n`;
  return head + Object.entries(errorRegistry).map(row).join('');
}

async function main(check: boolean): Promise<number> {
  const files: Files = new Map([
    ['.env.example', envExample()],
    ['docs/errors.md', errorsPage()],
  ]);
  await datasetFiles(files);
  for (const dataset of datasets) {
    files.set(`schema/opensearch/${readAlias('', dataset.name)}.json`, json(templateOf(dataset)));
  }
  const definitions = subgraphs.map((subgraph) => ({ name: subgraph.name, sdl: printSubgraph(subgraph) }));
  for (const { name, sdl } of definitions) files.set(`schema/subgraphs/${name}.graphql`, sdl);
  const { supergraphSdl, apiSdl } = composeSupergraph(definitions);
  files.set('schema/supergraph.graphql', supergraphSdl);
  files.set('schema/api.graphql', apiSdl);
  for (const [name, text] of await generateClient(apiSdl)) files.set(name, text);

  const different: string[] = [];
  for (const [name, text] of files) {
    const present = await readFile(name, 'utf8').catch(() => undefined);
    if (present === text) continue;
    different.push(name);
    if (check) continue;
    await mkdir(dirname(name), { recursive: true });
    await writeFile(name, text);
  }
  if (different.length === 0) return 0;
  process.stdout.write(
    `${check ? 'These files differ from the code; run `npm run generate`' : 'Written'}:\n  ${different.join('\n  ')}\n`,
  );
  return check ? 1 : 0;
}

process.exitCode = await main(process.argv.includes('--check'));
