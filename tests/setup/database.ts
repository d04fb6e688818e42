/** A database of its own for every test file, cloned from a template that is migrated once a run. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { generateSigningKey } from '../../platform/authentication/token-keys.js';
import { loadConfig } from '../../platform/config.js';
import { capabilitiesOf, type Identity } from '../../platform/identity.js';
import { unlimited } from '../../platform/org-limits.js';
import { createPlatform, type Platform } from '../../platform/platform.js';
import { migrate, readMigrations } from '../../platform/postgres/migrate.js';
import {
  ensureDatabase,
  ensureRoles,
  type RoleKey,
  type RolePasswords,
  roleNames,
  withCredentials,
} from '../../platform/postgres/roles.js';
import { createOrgWithAdministrator } from '../../platform/system/accounts.js';

const template = 'harborwatch_template';
/** One password for all roles of the test cluster, which listens on loopback for the length of a run. */
const passwordVariable = 'HARBORWATCH_TEST_ROLE_PASSWORD';

const rolePasswords = (): RolePasswords => {
  const password = process.env[passwordVariable]!;
  return { owner: password, app: password, query: password, system: password };
};

/** Makes the migrated template; called once before all tests. */
export async function prepareTemplate(superuserUrl: string): Promise<void> {
  process.env[passwordVariable] ??= randomBytes(16).toString('hex');
  await ensureRoles(superuserUrl, rolePasswords());
  await ensureDatabase(superuserUrl, template);
  await migrate(urlOf(superuserUrl, 'owner', template), await readMigrations('schema/postgres'));
}

const urlOf = (superuserUrl: string, role: RoleKey, database: string): string =>
  withCredentials(superuserUrl, roleNames[role], rolePasswords()[role], database);

export interface TestDatabase {
  name: string;
  url(role: RoleKey): string;
  /** Any statement, as the superuser; for setting the scene and for looking behind it. */
  asSuperuser<Row>(sql: string, parameters?: unknown[]): Promise<Row[]>;
  /** The same in a transaction that stays open, with its locks. @returns what ends it */
  hold(sql: string, parameters?: unknown[]): Promise<() => Promise<void>>;
  drop(): Promise<void>;
}

/** Clones the template. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const superuserUrl = process.env.HARBORWATCH_TEST_POSTGRES!;
  const name = `test_${randomBytes(6).toString('hex')}`;
  await ensureDatabase(superuserUrl, name, template);
  await connected(superuserUrl, (client) =>
    client.query(`GRANT CONNECT ON DATABASE ${name} TO ${Object.values(roleNames).join(', ')}`),
  );
  const url = new URL(superuserUrl);
  url.pathname = `/${name}`;
  return {
    name,
    url: (role) => urlOf(superuserUrl, role, name),
    asSuperuser: async <Row>(sql: string, parameters?: unknown[]) =>
      connected(url.toString(), async (client) => (await client.query(sql, parameters)).rows as Row[]),
    hold: async (sql, parameters) => {
      const client = new pg.Client({ connectionString: url.toString() });
      await client.connect();
      await client.query('BEGIN');
      await client.query(sql, parameters);
      return () => client.end();
    },
    drop: async () => {
      await connected(superuserUrl, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    },
  };
}

async function connected<T>(url: string, fn: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await fn(client);
  } finally {
    await client.end();
  }
}

export interface TestPlatform {
  platform: Platform;
  /** Administrators of two organisations that must never see each other. */
  orgs: [Identity, Identity];
  database: TestDatabase;
  /** The settings that a process on the same database needs. */
  env: Record<string, string>;
  close(): Promise<void>;
}

/** A connected platform on a database and a Redis prefix of its own, with two organisations. */
export async function createTestPlatform(settings: Record<string, string> = {}): Promise<TestPlatform> {
  const database = await createTestDatabase();
  const env = {
    DATABASE_APP_URL: database.url('app'),
    DATABASE_QUERY_URL: database.url('query'),
    DATABASE_SYSTEM_URL: database.url('system'),
    REDIS_URL: process.env.HARBORWATCH_TEST_REDIS!,
    REDIS_PREFIX: `t${randomBytes(5).toString('hex')}`,
    CURSOR_KEY: randomBytes(32).toString('hex'),
    TOKEN_SIGNING_KEY: await generateSigningKey(),
    API_KEY_SECRET: randomBytes(32).toString('hex'),
    LOG_LEVEL: process.env.HARBORWATCH_TEST_LOG_LEVEL ?? 'fatal',
    // Tests ask more without a token than anybody does.
    ANONYMOUS_REQUESTS_PER_MINUTE: '1000000',
    ANONYMOUS_BURST: '1000000',
    ...settings,
  };
  const platform = createPlatform(loadConfig(env), 'test');
  const orgs = await Promise.all([makeOrg(platform, 'one'), makeOrg(platform, 'two')]);
  return {
    platform,
    orgs: orgs as [Identity, Identity],
    database,
    env,
    close: async () => {
      await platform.close();
      await database.drop();
    },
  };
}

/** One more organisation, without limits; answers the identity of its administrator. */
export async function makeOrg(platform: Platform, slug: string): Promise<Identity> {
  const made = await createOrgWithAdministrator(
    platform.postgres,
    { slug, name: `Org ${slug}`, tier: 'ENTERPRISE', limits: unlimited },
    {
      email: `admin@${slug}.example`,
      name: `Admin of ${slug}`,
      passwordHash: 'unusable',
      roles: ['ADMIN', 'PLATFORM_ADMIN'],
    },
  );
  return {
    orgId: made!.orgId,
    subject: { kind: 'USER', id: made!.userId, userId: made!.userId },
    capabilities: capabilitiesOf(['ADMIN', 'PLATFORM_ADMIN']),
    tier: 'ENTERPRISE',
    requestId: `test-${slug}`,
    deadline: Date.now() + 3_600_000,
  };
}
