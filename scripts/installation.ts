/** What the processes of an installation share: the addresses and secrets that they find in their environment. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Config, ConfigError, loadConfig, withSettings } from '../platform/config.js';
import { findRedis } from '../platform/embedded/redis.js';
import { databaseName, type RoleKey, roleNames, withCredentials } from '../platform/postgres/roles.js';
import { loadSecrets, type Secrets, tokenKeysFile } from '../platform/secrets.js';

/** Where a Redis may be found that ran before us. */
export const usualRedis = 'redis://127.0.0.1:6379';

export interface Installation {
  /** A user that may create roles and databases; or the server alone, where the roles are there already. */
  superuserUrl: string;
  redisUrl: string | undefined;
  dataDir: string;
  secrets: Secrets;
}

/** The installation's database as one of its roles. */
export const roleUrl = (role: RoleKey, server: string, { rolePasswords }: Secrets): string =>
  withCredentials(server, roleNames[role], rolePasswords[role], databaseName(server));

/** What the gateway and the workers need in their environment. */
export function environmentOf({ superuserUrl, redisUrl, dataDir, secrets }: Installation): Record<string, string> {
  const { TOKEN_SIGNING_KEY, TOKEN_SIGNING_KEY_FILE } = process.env;
  const hasTokenKeys = Boolean(TOKEN_SIGNING_KEY?.trim() || TOKEN_SIGNING_KEY_FILE?.trim());
  return {
    DATABASE_APP_URL: roleUrl('app', superuserUrl, secrets),
    DATABASE_QUERY_URL: roleUrl('query', superuserUrl, secrets),
    DATABASE_SYSTEM_URL: roleUrl('system', superuserUrl, secrets),
    ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
    ...(hasTokenKeys ? {} : { TOKEN_SIGNING_KEY_FILE: tokenKeysFile(dataDir) }),
    CURSOR_KEY: secrets.cursorKey,
    HOP_SIGNING_KEY: secrets.hopSigningKey,
    API_KEY_SECRET: secrets.apiKeySecret,
  };
}

/**
 * The environment of a process that is started beside an installation: as it is where it names the database, or else with
 * what the installation in the data directory has, whose servers run. A file `.env` of the checkout is read.
 * @throws ConfigError where there is no installation
 */
export async function environmentBeside(root: string): Promise<NodeJS.ProcessEnv> {
  const envFile = path.join(root, '.env');
  if (existsSync(envFile)) process.loadEnvFile(envFile);
  const config = loadConfig(process.env);
  if (config.databaseAppUrl !== undefined) return process.env;
  return withSettings(process.env, environmentOf(await installationOf(config, root)));
}

async function installationOf(config: Config, root: string): Promise<Installation> {
  const dataDir = path.resolve(root, config.dataDir ?? '.harborwatch');
  const port = (await readFile(path.join(dataDir, 'postgres/port'), 'utf8').catch(() => '')).trim();
  const superuserUrl = config.databaseUrl ?? (port === '' ? undefined : `postgres://127.0.0.1:${port}/postgres`);
  if (superuserUrl === undefined || !existsSync(path.join(dataDir, 'secrets.json'))) {
    throw new ConfigError(
      `There is no installation in ${dataDir}: set HARBORWATCH_DATA_DIR, or DATABASE_APP_URL, DATABASE_QUERY_URL and DATABASE_SYSTEM_URL.`,
    );
  }
  const redisUrl = config.redisUrl ?? (await findRedis({ dataDir: path.join(dataDir, 'redis'), running: usualRedis }));
  return { superuserUrl, redisUrl, dataDir, secrets: await loadSecrets(dataDir) };
}
