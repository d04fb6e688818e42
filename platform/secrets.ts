/** The secrets that an installation makes for itself on its first start, in one file that only its user can read. */
import { randomBytes } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { type RolePasswords, roleNames } from './postgres/roles.js';
import { generateSigningKey } from './tokens.js';

export interface Secrets {
  rolePasswords: RolePasswords;
  tokenSigningKey: string;
  cursorKey: string;
  hopSigningKey: string;
  apiKeySecret: string;
}

/** Reads `secrets.json` in the data directory, or makes what it lacks. */
export async function loadSecrets(dataDir: string): Promise<Secrets> {
  const file = join(dataDir, 'secrets.json');
  const known = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  const kept = known === undefined ? {} : (JSON.parse(known) as Partial<Secrets>);
  const password = () => randomBytes(24).toString('base64url');
  const secrets: Secrets = {
    rolePasswords: Object.fromEntries(Object.keys(roleNames).map((key) => [key, password()])) as RolePasswords,
    tokenSigningKey: await generateSigningKey(),
    cursorKey: randomBytes(32).toString('hex'),
    hopSigningKey: await generateSigningKey(),
    apiKeySecret: randomBytes(32).toString('hex'),
    ...kept,
  };
  // An installation that is older than one of the secrets gets that one.
  if (Object.keys(secrets).every((name) => name in kept)) return secrets;
  // Renamed into place: a crash leaves no half file.
  const handle = await open(`${file}.new`, 'w', 0o600);
  await handle.writeFile(JSON.stringify(secrets, null, 2));
  await handle.sync();
  await handle.close();
  await rename(`${file}.new`, file);
  return secrets;
}
