/**
 * Makes the four login roles and the database, as a user that may. Safe to repeat: passwords are set again.
 *
 * owner runs migrations; app works under row-level security; query runs users' queries, read-only; system does the few
 * things that cross organisations, under policies of its own.
 */
import pg from 'pg';

export const roleNames = {
  owner: 'harborwatch_owner',
  app: 'harborwatch_app',
  query: 'harborwatch_query',
  system: 'harborwatch_system',
} as const;

export type RoleKey = keyof typeof roleNames;
export type RolePasswords = Record<RoleKey, string>;

const literal = pg.escapeLiteral;
const identifier = pg.escapeIdentifier;

/** The URL of the same server for another user and database. */
export function withCredentials(base: string, user: string, password: string, database: string): string {
  const url = new URL(base);
  url.username = user;
  url.password = encodeURIComponent(password);
  url.pathname = `/${database}`;
  return url.toString();
}

/** The database that a URL names; `harborwatch` where it names none or the maintenance database. */
export function databaseName(url: string): string {
  const name = decodeURIComponent(new URL(url).pathname.slice(1));
  return name === '' || name === 'postgres' ? 'harborwatch' : name;
}

async function connected<T>(url: string, fn: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    return await fn(client);
  } finally {
    await client.end();
  }
}

/** Makes or updates the four roles. They belong to the whole cluster. */
export async function ensureRoles(adminUrl: string, passwords: RolePasswords): Promise<void> {
  await connected(adminUrl, async (client) => {
    // Two starts at once would collide on the cluster's catalog rows.
    await client.query(`SELECT pg_advisory_lock(hashtextextended('harborwatch:roles', 0))`);
    for (const key of Object.keys(roleNames) as RoleKey[]) {
      const name = roleNames[key];
      const known = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [name]);
      const verb = known.rows.length > 0 ? 'ALTER' : 'CREATE';
      await client.query(
        `${verb} ROLE ${name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD ${literal(passwords[key])}`,
      );
    }
    await client.query(`ALTER ROLE ${roleNames.query} SET default_transaction_read_only = on`);
    await client.query(`ALTER ROLE ${roleNames.query} SET idle_in_transaction_session_timeout = '5min'`);
    await client.query(`ALTER ROLE ${roleNames.query} SET intervalstyle = 'iso_8601'`);
    // In mid-query PostgreSQL does not notice by itself that its client has died.
    await client
      .query(`ALTER ROLE ${roleNames.query} SET client_connection_check_interval = '500ms'`)
      .catch((error: { code?: string }) => {
        if (error.code !== '22023') throw error; // the server's system cannot look
      });
  });
}

/**
 * Makes the database where it is missing and closes what PostgreSQL leaves open to everybody.
 * @returns warnings: what a managed server did not let us close
 */
export async function ensureDatabase(adminUrl: string, database: string, template?: string): Promise<string[]> {
  await connected(adminUrl, async (client) => {
    const known = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [database]);
    if (known.rows.length > 0) return;
    const from = template === undefined ? '' : ` TEMPLATE ${identifier(template)}`;
    await client.query(`CREATE DATABASE ${identifier(database)}${from}`);
  });
  if (template !== undefined) return [];
  const url = new URL(adminUrl);
  url.pathname = `/${database}`;
  return connected(url.toString(), async (client) => {
    const { owner, app, query, system } = roleNames;
    await client.query(`GRANT CREATE, CONNECT ON DATABASE ${identifier(database)} TO ${owner}`);
    await client.query(`REVOKE ALL ON DATABASE ${identifier(database)} FROM PUBLIC`);
    await client.query(`GRANT CONNECT ON DATABASE ${identifier(database)} TO ${app}, ${query}, ${system}`);
    await client.query('REVOKE ALL ON SCHEMA public FROM PUBLIC');
    try {
      await client.query('REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC');
      await client.query(
        `GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO ${owner}, ${app}, ${system}`,
      );
      // A block of code is one statement that could set the organisation and then read.
      await client.query('REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC');
      await client.query(`GRANT USAGE ON LANGUAGE plpgsql TO ${owner}`);
      // What other sessions of a role run is shown to it, and the query role runs everybody's queries.
      await client.query(
        `REVOKE EXECUTE ON FUNCTION pg_catalog.pg_stat_get_activity(integer),
                                    pg_catalog.pg_stat_get_backend_activity(integer) FROM PUBLIC`,
      );
      await client.query(`ALTER ROLE ${query} SET temp_file_limit = '4GB'`);
    } catch (error) {
      if ((error as { code?: string }).code !== '42501') throw error;
      return [
        'This PostgreSQL does not let us take set_config, PL/pgSQL and the list of running statements from the query role: the SQL guard is the only barrier there.',
      ];
    }
    return [];
  });
}
