import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadSecrets } from './secrets.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'harborwatch-secrets-'));
});
afterEach(() => rm(dir, { recursive: true }));

describe('the secrets of an installation', () => {
  it('are made once, in a file that only its user can read', async () => {
    const made = await loadSecrets(dir);
    expect(await loadSecrets(dir)).toEqual(made);
    expect((await stat(join(dir, 'secrets.json'))).mode & 0o777).toBe(0o600);
  });

  it('that are new are added to an older installation, which keeps its own', async () => {
    const { hopSigningKey, ...older } = await loadSecrets(dir);
    await writeFile(join(dir, 'secrets.json'), JSON.stringify(older));
    const now = await loadSecrets(dir);
    expect(now).toMatchObject(older);
    expect(JSON.parse(now.hopSigningKey)).toMatchObject({ crv: 'Ed25519', d: expect.any(String) });
    expect(now.hopSigningKey).not.toBe(hopSigningKey);
    expect(JSON.parse(await readFile(join(dir, 'secrets.json'), 'utf8'))).toEqual(now);
  });
});
