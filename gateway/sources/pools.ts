/** Connections to the addresses of subgraphs: one pool an origin, shared by all sources that are served there. */
import { Pool } from 'undici';

/** Longer than a lull between requests; our own subgraph processes keep connections for twice as long. */
const keepAliveMs = 30_000;

const pools = new Map<string, { pool: Pool; users: number }>();

export interface OpenPool {
  pool: Pool;
  /** Closes the connections when nobody else uses them, once the calls in hand have ended. */
  release(): Promise<void>;
}

/** The pool of an origin. @param options of the first who asks */
export function openPool(origin: string, options: { connections: number; connectTimeoutMs: number }): OpenPool {
  const entry = pools.get(origin) ?? {
    users: 0,
    pool: new Pool(origin, {
      connections: options.connections,
      connectTimeout: options.connectTimeoutMs,
      keepAliveTimeout: keepAliveMs,
      allowH2: false,
      // Every call has a deadline of its own.
      headersTimeout: 0,
      bodyTimeout: 0,
    }),
  };
  entry.users += 1;
  pools.set(origin, entry);
  return {
    pool: entry.pool,
    release: async () => {
      entry.users -= 1;
      if (entry.users > 0) return;
      pools.delete(origin);
      await entry.pool.close();
    },
  };
}
