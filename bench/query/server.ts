/** A PostgreSQL of the benchmark's own, with the product's schema and roles. */
import { randomBytes } from 'node:crypto';
import { startPostgres } from '../../platform/embedded/postgres.js';
import { migrate, readMigrations } from '../../platform/postgres/migrate.js';
import {
  ensureDatabase,
  ensureRoles,
  type RoleKey,
  roleNames,
  withCredentials,
} from '../../platform/postgres/roles.js';

const database = 'bench';

export interface BenchServer {
  /** The URL of the database for the superuser, and for the role that runs queries. */
  superuserUrl: string;
  queryUrl: string;
  stop(): Promise<void>;
}

export async function startServer(dataDir: string): Promise<BenchServer> {
  const server = await startPostgres({ dataDir });
  const password = randomBytes(16).toString('hex');
  const urlOf = (role: RoleKey) => withCredentials(server.superuserUrl, roleNames[role], password, database);
  await ensureRoles(server.superuserUrl, { owner: password, app: password, query: password, system: password });
  await ensureDatabase(server.superuserUrl, database);
  await migrate(urlOf('owner'), await readMigrations('schema/postgres'));
  const superuserUrl = new URL(server.superuserUrl);
  superuserUrl.pathname = `/${database}`;
  return { superuserUrl: superuserUrl.toString(), queryUrl: urlOf('query'), stop: () => server.stop() };
}
