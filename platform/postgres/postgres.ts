/**
 * The only way to PostgreSQL. The pools stay private: an organisation's rows are reached through `withOrg`, the few
 * things that cross organisations through the named functions in `platform/system/`, users' queries through `queryPool`.
 */
import pg from 'pg';
import { auditScopes } from '../capabilities.js';
import { type Config, requireSetting } from '../config.js';
import { fail } from '../errors.js';
import type { Identity } from '../identity.js';
import { typeParsers } from './types.js';

/** A transaction, or a connection between transactions. */
export interface Tx {
  /** Runs one statement and answers its rows. */
  query<Row>(sql: string, parameters?: unknown[]): Promise<Row[]>;
}

export interface PostgresUrls {
  app: string;
  query: string;
  system: string;
}

export interface WithOrgOptions {
  /** Opens the transaction READ ONLY. Default false. */
  readOnly?: boolean;
  /** Ends the transaction after this time. Default 30,000; writes hold the change feed's horizon back, so keep it short. */
  timeoutMs?: number;
}

function makePool(connectionString: string, max: number, name: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    max,
    application_name: `harborwatch-${name}`,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    options: '-c TimeZone=UTC -c search_path=app,pg_catalog',
    types: typeParsers as never,
  });
  // A connection that PostgreSQL ends while it is idle is simply replaced at the next use.
  pool.on('error', () => {});
  return pool;
}

const txOn = (client: pg.PoolClient): Tx => ({
  query: async <Row>(sql: string, parameters?: unknown[]) => (await client.query(sql, parameters)).rows as Row[],
});

const unreachable = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'ETIMEDOUT',
  '57P01',
  '57P02',
  '57P03',
  '53300',
]);

/** A database that cannot be reached is said kindly; everything else goes on as it is. */
function explain(error: unknown): never {
  const { code, message } = error as { code?: string; message?: string };
  if (
    (code && unreachable.has(code)) ||
    /timeout exceeded when trying to connect|Connection terminated/.test(message ?? '')
  ) {
    fail('SERVICE_UNAVAILABLE', 'The database does not answer at the moment. Try again in a few seconds.');
  }
  throw error;
}

export class Postgres {
  readonly #app: pg.Pool;
  readonly #system: pg.Pool;
  /** The pool of the role that runs users' queries; only the query engine uses it. */
  readonly queryPool: pg.Pool;

  /** @param queryConnections how many users' queries may run at once; others wait. Default 10 */
  constructor(urls: PostgresUrls, queryConnections = 10) {
    this.#app = makePool(urls.app, 20, 'app');
    this.#system = makePool(urls.system, 20, 'system');
    this.queryPool = makePool(urls.query, queryConnections, 'query');
  }

  /** Runs `fn` in a transaction that sees exactly the rows of the identity's organisation. */
  async withOrg<T>(identity: Identity, fn: (tx: Tx) => Promise<T>, options: WithOrgOptions = {}): Promise<T> {
    const begin = options.readOnly ? 'BEGIN READ ONLY' : 'BEGIN';
    return this.#transaction(this.#app, begin, async (tx) => {
      await tx.query(
        `SELECT set_config('app.org_id', $1, true), set_config('app.audit_scopes', $2, true),
                set_config('transaction_timeout', $3, true)`,
        [identity.orgId, JSON.stringify(auditScopes(identity)), String(options.timeoutMs ?? 30_000)],
      );
      return fn(tx);
    });
  }

  /** Runs `fn` in a transaction of the system role. For `platform/system/` only. */
  async asSystem<T>(fn: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#transaction(this.#system, 'BEGIN', fn);
  }

  /** A connection of the system role for as long as a follower needs it: advisory locks, LISTEN, reading a log. */
  async systemConnection(): Promise<pg.PoolClient> {
    return this.#system.connect().catch(explain);
  }

  /** Whether the database answers. */
  async ping(): Promise<boolean> {
    return this.#app.query('SELECT 1').then(
      () => true,
      () => false,
    );
  }

  async close(): Promise<void> {
    await Promise.all([this.#app.end(), this.#system.end(), this.queryPool.end()]);
  }

  async #transaction<T>(pool: pg.Pool, begin: string, fn: (tx: Tx) => Promise<T>): Promise<T> {
    const client = await pool.connect().catch(explain);
    let broken: Error | undefined;
    const onError = (error: Error) => {
      broken = error;
    };
    client.on('error', onError);
    try {
      await client.query(begin);
      const result = await fn(txOn(client));
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch((rollbackError: Error) => {
        broken = rollbackError;
      });
      explain(error);
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }
}

/** The three URLs that a running process needs. @throws ConfigError that names the missing one */
export function postgresUrls(
  config: Pick<Config, 'databaseAppUrl' | 'databaseQueryUrl' | 'databaseSystemUrl'>,
): PostgresUrls {
  return {
    app: requireSetting(config, 'databaseAppUrl'),
    query: requireSetting(config, 'databaseQueryUrl'),
    system: requireSetting(config, 'databaseSystemUrl'),
  };
}
