import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { isRunning } from '../../platform/embedded/processes.js';
import { endLeftovers } from './leftovers.js';
import { Processes } from './processes.js';
import { Shutdown } from './shutdown.js';

let root: string;
let shutdown: Shutdown;
let processes: Processes;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'processes-'));
  shutdown = new Shutdown();
  processes = new Processes({ dataDir: root, root, env: process.env, shutdown });
});
afterEach(async () => {
  await shutdown.run();
  await rm(root, { recursive: true, force: true });
});

const ready = `process.send({ ready: true }); process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000);`;
const start = async (code: string) => {
  await writeFile(path.join(root, 'one.mjs'), code);
  return processes.start('one', 'one.mjs');
};
const pidOf = async (name: string): Promise<number> =>
  JSON.parse(await readFile(path.join(root, 'run', `${name}.json`), 'utf8')).pid;

describe('a process of ours', () => {
  test('is drained when everything stops, and forgotten', async () => {
    await start(ready);
    const pid = await pidOf('one');
    await shutdown.run();
    expect(isRunning(pid)).toBe(false);
    expect(await readdir(path.join(root, 'run'))).toEqual([]);
  });

  test('is started again when it is killed', async () => {
    await start(ready);
    const first = await pidOf('one');
    process.kill(first, 'SIGKILL');
    await vi.waitFor(async () => expect(await pidOf('one')).not.toBe(first), { timeout: 60_000 });
    expect(isRunning(await pidOf('one'))).toBe(true);
  });

  test('is started again and again where it ends without a word before it is ready', async () => {
    // Ready the first time and from the fourth on; in between it ends as if nothing were wrong.
    await start(`
      import { appendFileSync, readFileSync } from 'node:fs';
      appendFileSync('starts', '.');
      const starts = readFileSync('starts', 'utf8').length;
      if (starts === 2 || starts === 3) process.exit(0);
      ${ready}
      if (starts === 1) setTimeout(() => process.exit(0), 50);`);
    const startsOf = async () => (await readFile(path.join(root, 'starts'), 'utf8')).length;
    await vi.waitFor(async () => expect(await startsOf()).toBe(4), { timeout: 60_000 });
    await vi.waitFor(async () => expect(isRunning(await pidOf('one'))).toBe(true), { timeout: 60_000 });
  });

  test('that is retired ends, and is not started again', async () => {
    await start(ready);
    const pid = await pidOf('one');
    await processes.retire('one');
    expect(isRunning(pid)).toBe(false);
    expect(await readdir(path.join(root, 'run'))).toEqual([]);
    await start(ready);
    expect(isRunning(await pidOf('one'))).toBe(true);
  });

  test('that ends before it is ready fails the start with its last words', async () => {
    const attempt = start(`console.log('{"level":60,"msg":"The key is broken"}'); process.exit(3);`);
    await expect(attempt).rejects.toThrow(
      /^The one process does not start: The key is broken\. Its log is .+one\.log\.$/,
    );
  });

  test('that outlives its supervisor is ended by the next start, and said', async () => {
    // It hears neither SIGTERM nor the end of the channel.
    await start(`process.on('SIGTERM', () => {}); process.send({ ready: true }); setInterval(() => {}, 1000);`);
    const pid = await pidOf('one');
    shutdown.request();
    const lines: string[] = [];
    await endLeftovers(root, (line) => lines.push(line));
    expect(isRunning(pid)).toBe(false);
    expect(lines).toEqual([`Ended the one process that an earlier run left (process ${pid}).`]);
  });

  test('is not confused with another process that has its pid by now', async () => {
    await start(ready);
    const file = path.join(root, 'run/other.json');
    await writeFile(file, JSON.stringify({ pid: process.pid, mark: 'an earlier process' }));
    await writeFile(path.join(root, 'run/broken.json'), '{"pid":');
    await rm(path.join(root, 'run/one.json'));
    const lines: string[] = [];
    await endLeftovers(root, (line) => lines.push(line));
    expect(lines).toEqual([]);
    expect(await readdir(path.join(root, 'run'))).toEqual([]);
  });
});
