import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { generateSigningKey, TokenKeys } from './authentication/token-keys.js';
import { createLogger } from './logging.js';
import { loadSecrets, tokenKeysFile } from './secrets.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'harborwatch-secrets-'));
});
afterEach(() => rm(dir, { recursive: true }));

describe('the secrets of an installation', () => {
  it('are made once, in a file that only its user can read', async () => {
    const made = await loadSecrets(dir);
    expect(await loadSecrets(dir)).toEqual(made);
    for (const file of [join(dir, 'secrets.json'), tokenKeysFile(dir)]) {
      expect((await stat(file)).mode & 0o777).toBe(0o600);
    }
  });

  it('keep the key of access tokens of an older installation, in the file that is rotated', async () => {
    const tokenSigningKey = await generateSigningKey();
    await writeFile(join(dir, 'secrets.json'), JSON.stringify({ ...(await loadSecrets(dir)), tokenSigningKey }));
    await rm(tokenKeysFile(dir));
    expect(await loadSecrets(dir)).not.toHaveProperty('tokenSigningKey');
    const keys = TokenKeys.fromFile(tokenKeysFile(dir), createLogger('test', 'silent'));
    expect(keys.signer.kid).toBe(TokenKeys.fromText(tokenSigningKey).signer.kid);
    keys.close();
    expect(await readFile(join(dir, 'secrets.json'), 'utf8')).not.toContain(JSON.parse(tokenSigningKey).d);
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
