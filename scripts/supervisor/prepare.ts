/** Makes a database ready to serve: secrets, roles, migrations, and on the first start an organisation to sign in to. */
import { randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, loadConfig, withSettings } from '../../platform/config.js';
import { HarborwatchError } from '../../platform/errors.js';
import type { Role } from '../../platform/identity.js';
import { createPlatform, type Platform } from '../../platform/platform.js';
import { migrate, readMigrations } from '../../platform/postgres/migrate.js';
import { databaseName, ensureDatabase, ensureRoles } from '../../platform/postgres/roles.js';
import { loadSecrets } from '../../platform/secrets.js';
import { anyOrgExists } from '../../platform/system/accounts.js';
import { OrgsService } from '../../subgraphs/accounts/service/orgs.js';
import { environmentOf, roleUrl } from '../installation.js';

export interface Preparation {
  /** A user that may create roles and databases. */
  superuserUrl: string;
  redisUrl: string;
  dataDir: string;
  /** Whether to make the demo organisation on the first start. */
  demo: boolean;
}

export interface Prepared {
  /** What the gateway and the workers need in their environment. */
  env: Record<string, string>;
  /** For people, one line each. */
  messages: string[];
  /** The first administrator's, until they were shown once. */
  credentials?: { email: string; password: string };
  /** Call it when the credentials were shown. */
  forgetCredentials(): Promise<void>;
}

const everyRole: Role[] = ['PLATFORM_ADMIN', 'ADMIN', 'ANALYST', 'AUDITOR', 'INGESTER', 'VIEWER'];

/** Safe to repeat; a second start changes nothing. */
export async function prepare({ superuserUrl, redisUrl, dataDir, demo }: Preparation): Promise<Prepared> {
  const secrets = await loadSecrets(dataDir);
  await ensureRoles(superuserUrl, secrets.rolePasswords);
  const messages = await ensureDatabase(superuserUrl, databaseName(superuserUrl));
  const applied = await migrate(roleUrl('owner', superuserUrl, secrets), await readMigrations('schema/postgres'));
  if (applied.length > 0)
    messages.push(`Database: ${applied.length} migration${applied.length === 1 ? '' : 's'} applied.`);

  const env = environmentOf({ superuserUrl, redisUrl, dataDir, secrets });
  const platform = createPlatform(loadConfig(withSettings(process.env, env)), 'prepare');
  try {
    // Kept in a file until they are shown, so that a first start which dies half-way locks nobody out.
    const file = join(dataDir, 'first-sign-in.json');
    const outcome = await firstAdministrator(platform, demo, (made) =>
      writeFile(file, JSON.stringify(made), { mode: 0o600 }),
    );
    if (outcome === 'NO_ORG') {
      messages.push('There is no organisation yet: set ADMIN_EMAIL and ADMIN_PASSWORD, or start without --no-demo.');
    }
    const saved = await readFile(file, 'utf8').catch(() => undefined);
    const credentials = saved === undefined ? {} : { credentials: JSON.parse(saved) };
    return { env, messages, ...credentials, forgetCredentials: () => rm(file, { force: true }) };
  } finally {
    await platform.close();
  }
}

/** Makes the first organisation with its administrator, where there is none. `save` keeps the credentials first. */
async function firstAdministrator(
  platform: Platform,
  demo: boolean,
  save: (credentials: { email: string; password: string }) => Promise<void>,
): Promise<'EXISTS' | 'MADE' | 'NO_ORG'> {
  if (await anyOrgExists(platform.postgres)) return 'EXISTS';
  const { adminEmail, adminPassword } = platform.config;
  if (!demo && adminEmail === undefined) return 'NO_ORG';
  const email = adminEmail ?? 'admin@demo.example';
  const password = adminPassword ?? randomBytes(12).toString('base64url');
  const org = demo
    ? ({ slug: 'demo', name: 'Demo', tier: 'ENTERPRISE' } as const)
    : ({ slug: 'main', name: 'Main', tier: 'ENTERPRISE' } as const);
  // A password from the environment is its owner's: it is neither kept nor shown.
  if (adminPassword === undefined) await save({ email, password });
  try {
    const input = { ...org, adminEmail: email, adminPassword: password };
    await new OrgsService(platform.postgres).create(undefined, input, everyRole);
  } catch (error) {
    if (!(error instanceof HarborwatchError)) throw error;
    throw new ConfigError(
      `${error.details.argument === 'input.adminEmail' ? 'ADMIN_EMAIL' : 'ADMIN_PASSWORD'} is not allowed: ${error.message}`,
    );
  }
  return 'MADE';
}
