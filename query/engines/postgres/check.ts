/** Asks the database about a query without running it: do its columns exist, do its types fit, what comes out. */
import type { Connection, Pool, PoolClient, Submittable } from 'pg';
import type { PlanQuery, SqlQuery } from '../../prepared-query.js';
import type { ResultColumn } from '../../result.js';
import { inSession } from './session.js';
import { planStatement, textStatement } from './statement.js';
import { resultColumns } from './values.js';

export interface CheckOptions {
  orgId: string;
  /** Default 5,000 ms. */
  timeoutMs?: number;
}

/**
 * Parses and describes the query in the database. Gives the result's columns, or throws QUERY_UNKNOWN_COLUMN,
 * QUERY_SYNTAX or QUERY_FAILED with the line and column in the caller's text.
 */
export async function checkQuery(
  pool: Pool,
  query: SqlQuery | PlanQuery,
  { orgId, timeoutMs = 5_000 }: CheckOptions,
): Promise<{ columns: ResultColumn[] }> {
  const statement = query.form === 'SQL' ? textStatement(query) : planStatement(query.plan, {});
  try {
    const fields = await inSession(pool, { orgId, timeoutMs }, (client) => describe(client, statement.text));
    return { columns: statement.columns ?? resultColumns(fields) };
  } catch (error) {
    throw statement.errorOf(error);
  }
}

interface RowField {
  name: string;
  dataTypeID: number;
}

/** The messages of the extended protocol that Parse and Describe need; `pg` has no call for them. */
interface ProtocolConnection {
  parse(message: { text: string; name: string; types: number[] }): void;
  describe(message: { type: 'S'; name: string }): void;
  sync(): void;
}

async function describe(client: PoolClient, text: string): Promise<RowField[]> {
  return new Promise((resolve, reject) => {
    let fields: RowField[] = [];
    const description: Submittable & Record<string, unknown> = {
      submit(connection: Connection) {
        const protocol = connection as unknown as ProtocolConnection;
        protocol.parse({ text, name: '', types: [] });
        protocol.describe({ type: 'S', name: '' });
        protocol.sync();
      },
      handleRowDescription(message: { fields: RowField[] }) {
        fields = message.fields;
      },
      handleError: reject,
      handleReadyForQuery: () => resolve(fields),
    };
    client.query(description);
  });
}
