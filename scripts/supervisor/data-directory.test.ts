import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startMark } from '../../platform/embedded/processes.js';
import { openDataDirectory } from './data-directory.js';

let base: string;
let dir: string;

beforeEach(async () => {
  base = await mkdtemp(path.join(tmpdir(), 'data-directory-'));
  dir = path.join(base, 'data');
});
afterEach(() => rm(base, { recursive: true, force: true }));

/** Puts another holder into the lock that was released last. */
const lockAs = async (holder: object) => {
  const [name] = (await readdir(dir)).filter((entry) => entry.startsWith('lock.'));
  await writeFile(path.join(dir, name!), JSON.stringify(holder));
};

describe('a data directory', () => {
  test('is made when it is missing, and can be held again once it was released', async () => {
    for (let times = 0; times < 3; times++) await (await openDataDirectory(dir)).release();
    expect((await readdir(dir)).sort()).toEqual(['lock.3', 'logs']);
  });

  test('is refused to a second copy in one line that names the first', async () => {
    await openDataDirectory(dir);
    const message = `Harborwatch already runs on ${dir} (process ${process.pid}): stop that one, or give this one its own --data-dir DIR.`;
    await expect(openDataDirectory(dir)).rejects.toThrow(message);
    expect((await readdir(dir)).sort()).toEqual(['lock.1', 'logs']);
  });

  test('is held by exactly one of many that start at once, also over the lock of a dead one', async () => {
    await (await openDataDirectory(dir)).release();
    await lockAs({ pid: 999_999_999, mark: 'gone' });
    const attempts = await Promise.allSettled(Array.from({ length: 20 }, () => openDataDirectory(dir)));
    expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('is free again when its holder was killed', async () => {
    const holder = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    await once(holder, 'spawn');
    await (await openDataDirectory(dir)).release();
    await lockAs({ pid: holder.pid, mark: startMark(holder.pid!) });
    await expect(openDataDirectory(dir)).rejects.toThrow(`process ${holder.pid}`);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    await (await openDataDirectory(dir)).release();
  });

  test('is free when the pid of its holder belongs to another process by now', async () => {
    await (await openDataDirectory(dir)).release();
    await lockAs({ pid: process.pid, mark: 'an earlier process with this pid' });
    await (await openDataDirectory(dir)).release();
  });

  test.each([
    ['a file', () => path.join(base, 'file'), 'ENOTDIR'],
    ['below a file', () => path.join(base, 'file/data'), 'ENOTDIR'],
  ])('that is %s is a one-line error that says what to do', async (_, place, code) => {
    await writeFile(path.join(base, 'file'), 'text');
    const message = `Cannot write to the data directory ${place()} (${code}): make it writable, or choose another with --data-dir DIR.`;
    await expect(openDataDirectory(place())).rejects.toThrow(message);
  });

  test.runIf(process.platform === 'linux')('where nothing can be made is that error too, and no hang', async () => {
    await expect(openDataDirectory('/proc/harborwatch/data')).rejects.toThrow(/^Cannot write to .+ \(ENOENT\)/);
  });
});
