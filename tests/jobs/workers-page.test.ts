/** What docs/workers.md, the compose file and the image say about workers is so. */
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { settings } from '../../platform/settings.js';
import { readWorkerArguments } from '../../scripts/supervisor/worker-arguments.js';
import { startWithinMs } from '../../subgraphs/jobs/sla.js';

const page = readFileSync('docs/workers.md', 'utf8');
const variables = new Set(Object.values(settings).map(({ env }) => env));

test('every command of the page is one that the workers take', () => {
  const commands = [...page.matchAll(/^npm run worker(?: -- (.*))?$/gm)].map(([, args = '']) => args);
  expect(commands).toHaveLength(3);
  for (const args of commands) readWorkerArguments(args.split(' ').filter(Boolean));
  expect(JSON.parse(readFileSync('package.json', 'utf8')).scripts.worker).toBe('node scripts/worker.mjs');
});

test('every setting of the page exists', () => {
  const named = [...page.matchAll(/`([A-Z][A-Z_]{5,})`/g)].map(([, name]) => name!);
  expect(named.filter((name) => !variables.has(name))).toEqual([]);
});

test('the times of the page are those that are promised', () => {
  const text = (ms: number) => (ms < 60_000 ? `${ms / 1_000} s` : `${ms / 60_000} min`);
  for (const [priority, ms] of Object.entries(startWithinMs)) {
    expect(page).toContain(`| ${priority.toLowerCase()} | ${text(ms)} |`);
  }
});

test('the compose file starts workers by a file that is compiled, with settings that exist', () => {
  const compose = readFileSync('docker-compose.yml', 'utf8');
  const service = compose.slice(compose.indexOf('\n  worker:'), compose.indexOf('\nvolumes:'));
  const [, file] = /command: \["node", "dist\/(.+)\.js"\]/.exec(service) ?? [];
  expect(existsSync(`${file}.ts`)).toBe(true);
  expect(page).toContain(`node dist/${file}.js`);
  const set = [...service.matchAll(/^ {6}([A-Z_]+): (?:\$\{[A-Z_]+:-(.*)\})?$/gm)];
  expect(set.map(([, name]) => name)).toEqual(['WORKER_POOL', 'WORKER_CONCURRENCY', 'WORKER_PROCESSES']);
  for (const [, name, value] of set) {
    const setting = Object.values(settings).find(({ env }) => env === name)!;
    expect(setting.parse(value!)).toBeDefined();
  }
});
