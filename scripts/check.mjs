/** `npm run check`: everything about the code that can be told without running it. `--fix` formats first. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { bootstrap, main, root, withNode } from './bootstrap.mjs';

const fix = process.argv.includes('--fix');
/** The folders of code; a checkout in the making may lack one. */
const folders = ['gateway', 'subgraphs', 'query', 'platform', 'datasets', 'client', 'web', 'bench', 'scripts', 'tests'];

const steps = [
  { name: 'format and lint', script: '@biomejs/biome/bin/biome', args: fix ? ['check', '--write'] : ['ci'] },
  { name: 'types', script: 'typescript/bin/tsc', args: ['--noEmit', '-p', '.'] },
  {
    name: 'import boundaries',
    script: 'dependency-cruiser/bin/dependency-cruiser.mjs',
    args: [
      '--config',
      '.dependency-cruiser.cjs',
      '--output-type',
      'err',
      ...folders.filter((folder) => existsSync(path.join(root, folder))),
    ],
  },
  { name: 'unused code and dependencies', script: 'knip/bin/knip.js', args: ['--no-progress'] },
  { name: 'generated files', script: '../dist/scripts/generate.js', args: ['--check'] },
];

await main(async () => {
  const node = await bootstrap({ dev: true });
  const failed = [];
  for (const { name, script, args } of steps) {
    const began = Date.now();
    const result = spawnSync(node, [path.join(root, 'node_modules', script), ...args], {
      cwd: root,
      env: withNode(node),
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    });
    const good = result.status === 0;
    if (!good) {
      failed.push(name);
      process.stdout.write(`${result.stdout}${result.stderr}`);
    }
    console.log(`${good ? 'ok    ' : 'FAILED'} ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  }
  console.log(failed.length === 0 ? 'All checks passed.' : `Failed: ${failed.join(', ')}.`);
  return failed.length === 0 ? 0 : 1;
});
