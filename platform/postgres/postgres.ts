/**
 * The only way to PostgreSQL. The pools stay private: an organisation's rows are reached through `withOrg`, the few
 * things that cross organisations through the named functions in `platform/system/`, users' queries through `queryPool`.
 */
import pg from 'pg';
import { auditScopes } from '../capabilities.js';
import { type Config, requireSetting } from '../config.js';
import { fail } from '../errors.js';
import type { Identity } from '../identity.js';
import { runPipeline, type Statement } from './pipeline.js';
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

/**
 * Plans of statements that connections keep parsed are kept too. One that was made while a table was small would read all
 * of it, also when it has grown since.
 */
const byIndex = `set_config('enable_seqscan', 'off', true)`;

/** Gives no row: of several statements in one message only the last one's rows count. */
const enterOrg = `SELECT FROM (
  SELECT set_config('app.org_id', $1, true) || set_config('app.audit_scopes', $2, true)
      || set_config('transaction_timeout', $3, true) || set_config('transaction_read_only', $4, true) || ${byIndex} AS entered
) AS scope WHERE entered IS NULL`;
const enterSystem = `SELECT ${byIndex}`;
/** How long after its time a statement's connection is taken for dead. */
const serverGraceMs = 5_000;
const takeLock = 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))';

const unreachable = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EPIPE',
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
    /timeout exceeded when trying to connect|Connection terminated|not queryable/.test(message ?? '')
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
    const { readOnly = false, timeoutMs = 30_000 } = options;
    // One message: a round trip less for every transaction.
    const begin = `
      BEGIN ${readOnly ? 'READ ONLY' : ''};
      SET LOCAL transaction_timeout = ${Math.floor(timeoutMs)};
      SELECT set_config('app.org_id', ${pg.escapeLiteral(identity.orgId)}, true),
             set_config('app.audit_scopes', ${pg.escapeLiteral(JSON.stringify(auditScopes(identity)))}, true)`;
    return this.#transaction(this.#app, begin, fn);
  }

  /**
   * Runs one statement in a transaction of its own that sees exactly the rows of the identity's organisation, in one round
   * trip. Its text must be a constant of the code: connections keep it parsed.
   */
  async queryAsOrg<Row>(
    identity: Identity,
    sql: string,
    parameters: unknown[],
    { readOnly = false, timeoutMs = 30_000 }: WithOrgOptions = {},
  ): Promise<Row[]> {
    const values = [
      identity.orgId,
      JSON.stringify(auditScopes(identity)),
      String(Math.floor(timeoutMs)),
      readOnly ? 'on' : 'off',
    ];
    return this.#once(this.#app, [{ text: enterOrg, values }], { text: sql, values: parameters }, timeoutMs);
  }

  /**
   * Runs one statement of the system role, in one round trip, as queryAsOrg does. For `platform/system/` only.
   * @param lock waits for this advisory lock first, and holds it to the end; the statement sees what was done before it
   */
  async queryAsSystem<Row>(sql: string, parameters: unknown[], { lock }: { lock?: string } = {}): Promise<Row[]> {
    const before: Statement[] = [{ text: enterSystem, values: [] }];
    if (lock !== undefined) before.push({ text: takeLock, values: [lock] });
    return this.#once(this.#system, before, { text: sql, values: parameters }, 30_000);
  }

  /**
   * Runs `fn` in a transaction of the system role. For `platform/system/` only.
   * @param options.timeoutMs ends the transaction after this time. Default: never
   */
  async asSystem<T>(fn: (tx: Tx) => Promise<T>, { timeoutMs }: { timeoutMs?: number } = {}): Promise<T> {
    const begin = timeoutMs === undefined ? 'BEGIN' : `BEGIN; SET LOCAL transaction_timeout = ${timeoutMs}`;
    return this.#transaction(this.#system, begin, fn);
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

  async #once<Row>(pool: pg.Pool, before: Statement[], statement: Statement, timeoutMs: number): Promise<Row[]> {
    const client = await pool.connect().catch(explain);
    let broken: Error | undefined;
    const onError = (error: Error) => {
      broken = error;
    };
    client.on('error', onError);
    // The server ends what takes too long; one that was lost without a word does not.
    const lost = setTimeout(() => client.connection.stream.destroy(), timeoutMs + serverGraceMs);
    try {
      return await runPipeline<Row>(client, before, statement, true);
    } catch (error) {
      // What the server refused leaves the connection as it was, unless it ends it; after anything else it is in an unknown state.
      if (!(error instanceof pg.DatabaseError) || error.severity === 'FATAL') broken ??= error as Error;
      explain(error);
    } finally {
      clearTimeout(lost);
      client.off('error', onError);
      client.release(broken);
    }
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
