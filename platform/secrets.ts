/** The secrets that an installation makes for itself on its first start, in one file that only its user can read. */
import { randomBytes } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateSigningKey } from './authentication/token-keys.js';
import { type RolePasswords, roleNames } from './postgres/roles.js';
import { writePrivateFile } from './private-file.js';

export interface Secrets {
  rolePasswords: RolePasswords;
  cursorKey: string;
  hopSigningKey: string;
  apiKeySecret: string;
}

/** What older installations keep beside. */
interface Stored extends Secrets {
  tokenSigningKey: string;
}

/** Reads `secrets.json` in the data directory, or makes what it lacks, the keys of access tokens beside it. */
export async function loadSecrets(dataDir: string): Promise<Secrets> {
  const file = join(dataDir, 'secrets.json');
  const known = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  const { tokenSigningKey, ...kept } = (known === undefined ? {} : JSON.parse(known)) as Partial<Stored>;
  await ensureTokenKeys(dataDir, tokenSigningKey);
  const password = () => randomBytes(24).toString('base64url');
  const secrets: Secrets = {
    rolePasswords: Object.fromEntries(Object.keys(roleNames).map((key) => [key, password()])) as RolePasswords,
    cursorKey: randomBytes(32).toString('hex'),
    hopSigningKey: await generateSigningKey(),
    apiKeySecret: randomBytes(32).toString('hex'),
    ...kept,
  };
  // An installation that is older than one of the secrets gets that one.
  if (tokenSigningKey !== undefined || !Object.keys(secrets).every((name) => name in kept)) {
    await writePrivateFile(file, JSON.stringify(secrets, null, 2));
  }
  return secrets;
}

/** Where an installation keeps the keys of its access tokens: in a file of their own, so that they can be rotated. */
export const tokenKeysFile = (dataDir: string): string => join(dataDir, 'token-keys.json');

/** @param older the key of an installation that kept it among the other secrets */
async function ensureTokenKeys(dataDir: string, older: string | undefined): Promise<void> {
  const file = tokenKeysFile(dataDir);
  const exists = await access(file).then(
    () => true,
    () => false,
  );
  if (!exists) await writePrivateFile(file, older ?? (await generateSigningKey()));
}
