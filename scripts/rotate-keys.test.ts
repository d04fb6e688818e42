import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { generateSigningKey } from '../platform/authentication/token-keys.js';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'harborwatch-rotate-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const program = ['--no-warnings', '--import', './tests/support/run-typescript.mjs', 'scripts/rotate-keys.ts'];
const rotate = (env: Record<string, string>) =>
  promisify(execFile)(process.execPath, program, {
    env: { PATH: process.env.PATH, HARBORWATCH_DATA_DIR: directory, ...env },
  });

it('refuses to rotate a file that no process reads, since a setting holds the key', async () => {
  const refused = rotate({ TOKEN_SIGNING_KEY: await generateSigningKey() });
  await expect(refused).rejects.toMatchObject({ stderr: expect.stringContaining('TOKEN_SIGNING_KEY_FILE') });
  expect(await readdir(directory)).toEqual([]);
});

it('rotates the file that the processes read', async () => {
  const { stdout } = await rotate({});
  const { keys } = JSON.parse(await readFile(join(directory, 'token-keys.json'), 'utf8'));
  expect(stdout).toContain(`The key ${keys[0].kid} signs from now on`);
});
