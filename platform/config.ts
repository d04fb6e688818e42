/**
 * Every setting of Harborwatch: one typed table, read from the environment once at start.
 * `.env.example` is generated from it, and a wrong value names itself and what would be right.
 */

/** A setting that is wrong. The process prints the message and exits with status 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

interface Setting<T> {
  /** The environment variable. */
  env: string;
  description: string;
  /** What values are right, for the error message. */
  allowed: string;
  /** Undefined where the setting may be left out. */
  fallback: T;
  /** Answers undefined for a value that is not allowed. */
  parse: (text: string) => T | undefined;
  /** True for passwords and keys: never printed. */
  secret?: boolean;
}

const text = (env: string, description: string, allowed = 'any text'): Setting<string | undefined> => ({
  env,
  description,
  allowed,
  fallback: undefined,
  parse: (value) => value,
});

const secret = (env: string, description: string, allowed: string): Setting<string | undefined> => ({
  ...text(env, description, allowed),
  secret: true,
});

const integer = (env: string, fallback: number, min: number, max: number, description: string): Setting<number> => ({
  env,
  description,
  allowed: `a whole number from ${min} to ${max}`,
  fallback,
  parse: (value) => (/^\d+$/.test(value) && Number(value) >= min && Number(value) <= max ? Number(value) : undefined),
});

const choice = <T extends string>(env: string, fallback: T, values: readonly T[], description: string): Setting<T> => ({
  env,
  description,
  allowed: `one of ${values.join(', ')}`,
  fallback,
  parse: (value) => values.find((candidate) => candidate === value),
});

const url = (env: string, protocols: string[], description: string): Setting<string | undefined> => ({
  env,
  description,
  allowed: `a URL that starts with ${protocols.map((p) => `${p}//`).join(' or ')}`,
  fallback: undefined,
  parse: (value) => (URL.canParse(value) && protocols.includes(new URL(value).protocol) ? value : undefined),
  secret: true,
});

const postgresUrl = (env: string, description: string) => url(env, ['postgres:', 'postgresql:'], description);

/** The table of settings. The key is the name in code. */
export const settings = {
  port: integer('PORT', 4000, 1, 65_535, 'The port of the gateway: GraphQL, GraphiQL and ingest.'),
  host: text(
    'HOST',
    'The address that the gateway listens on. Default 127.0.0.1: this machine only.',
    'an IP address or host name',
  ),
  dataDir: text(
    'HARBORWATCH_DATA_DIR',
    'Where the embedded servers and the secrets live. Default .harborwatch in the checkout.',
    'a directory',
  ),
  adminEmail: text(
    'ADMIN_EMAIL',
    'The first administrator, made on the first start. Default: a demo administrator.',
    'an email address',
  ),
  adminPassword: secret(
    'ADMIN_PASSWORD',
    'The first administrator’s password. Default: made at random and printed once.',
    'at least 8 characters',
  ),
  databaseUrl: postgresUrl(
    'DATABASE_URL',
    'A PostgreSQL to use instead of the embedded one; its user must be able to create roles and schemas.',
  ),
  databaseAppUrl: postgresUrl(
    'DATABASE_APP_URL',
    'The same database as the application role. Default: derived at start.',
  ),
  databaseQueryUrl: postgresUrl(
    'DATABASE_QUERY_URL',
    'The same database as the role that runs users’ queries. Default: derived at start.',
  ),
  databaseSystemUrl: postgresUrl(
    'DATABASE_SYSTEM_URL',
    'The same database as the role of the few cross-organisation tasks. Default: derived at start.',
  ),
  redisUrl: url(
    'REDIS_URL',
    ['redis:', 'rediss:'],
    'A Redis to use instead of the embedded one. It needs maxmemory-policy noeviction.',
  ),
  redisPrefix: text('REDIS_PREFIX', 'What every Redis key starts with. Default hw.', 'letters and digits'),
  tokenSigningKey: secret(
    'TOKEN_SIGNING_KEY',
    'The private Ed25519 JWK that signs access tokens. Default: made on the first start.',
    'a private JWK as JSON',
  ),
  cursorKey: secret(
    'CURSOR_KEY',
    'The key that signs paging cursors. Default: made on the first start.',
    '64 hexadecimal digits',
  ),
  accessTokenSeconds: integer('ACCESS_TOKEN_SECONDS', 900, 5, 86_400, 'The life of an access token.'),
  refreshTokenDays: integer('REFRESH_TOKEN_DAYS', 30, 1, 365, 'The life of a refresh token.'),
  introspection: choice('INTROSPECTION', 'on', ['on', 'off'], 'Schema introspection for signed-in users.'),
  logLevel: choice(
    'LOG_LEVEL',
    'info',
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
    'The least severe level that is logged.',
  ),
  graphqlBodyBytes: integer('GRAPHQL_BODY_BYTES', 1_048_576, 1_024, 67_108_864, 'The largest GraphQL request body.'),
  ingestBodyBytes: integer(
    'INGEST_BODY_BYTES',
    16_777_216,
    1_024,
    268_435_456,
    'The largest bulk ingest body, after inflation.',
  ),
  eventBytes: integer('EVENT_BYTES', 262_144, 1_024, 16_777_216, 'The largest single event.'),
  workerConcurrency: integer('WORKER_CONCURRENCY', 4, 1, 256, 'How many query jobs one worker process runs at once.'),
  queryTimeoutMs: integer('QUERY_TIMEOUT_MS', 300_000, 100, 3_600_000, 'The timeout of a query job that names none.'),
} satisfies Record<string, Setting<unknown>>;

type Settings = typeof settings;
/** The settings as the program sees them. */
export type Config = { readonly [K in keyof Settings]: Settings[K]['fallback'] };

/**
 * Reads all settings from the environment. An empty variable counts as not set.
 * @throws ConfigError that lists every wrong setting with its allowed values
 */
export function loadConfig(env: Record<string, string | undefined>): Config {
  const wrong: string[] = [];
  const entries = Object.entries(settings as Record<string, Setting<unknown>>).map(([key, setting]) => {
    const raw = env[setting.env]?.trim();
    if (raw === undefined || raw === '') return [key, setting.fallback];
    const value = setting.parse(raw);
    if (value === undefined) {
      const shown = setting.secret ? '' : ` "${raw.slice(0, 80)}"`;
      wrong.push(`${setting.env}${shown} is not allowed: it takes ${setting.allowed}.`);
    }
    return [key, value];
  });
  if (wrong.length > 0) throw new ConfigError(wrong.join('\n'));
  return Object.fromEntries(entries) as Config;
}

/** A setting that a process started by itself cannot do without. @throws ConfigError that names it */
export function requireSetting<K extends keyof Config>(config: Pick<Config, K>, key: K): NonNullable<Config[K]> {
  const value = config[key];
  if (value == null) throw new ConfigError(`${settings[key].env} is not set: a process started by itself needs it.`);
  return value;
}

/** The text of `.env.example`. */
export function envExample(): string {
  const head = '# The settings of Harborwatch. All have working defaults; generated from platform/config.ts.\n';
  const lines = Object.values(settings as Record<string, Setting<unknown>>).map((setting) => {
    const fallback = setting.fallback === undefined ? '' : String(setting.fallback);
    return `\n# ${setting.description}\n# Takes ${setting.allowed}.\n# ${setting.env}=${fallback}\n`;
  });
  return head + lines.join('');
}
