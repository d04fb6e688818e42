/**
 * Tries to leave the organisation by SQL: as a job, as a collection, and past the guard as the role that runs queries.
 * What the guard lets through must be empty of the other organisation, and so must be what it would have refused.
 */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { beginReadOnly } from '../../query/engines/postgres/session.js';
import { type GraphQLAnswer, startTestGateway, type TestGateway } from '../setup/gateway.js';
import { type BreakOut, breakOuts } from './break-outs.js';
import { inParallel } from './doors.js';
import { fillTenant, nameTenants, type Tenant } from './scene.js';

/** How many events of each dataset the other organisation has: a count that no answer may have. */
const foreignEvents = 613;

let gateway: TestGateway;
let attacker: Tenant;
let victim: Tenant;
let tries: BreakOut[];

beforeAll(async () => {
  gateway = await startTestGateway({ workers: true });
  [victim, attacker] = await nameTenants(gateway);
  await Promise.all([fillTenant(victim, foreignEvents), fillTenant(attacker)]);
  // The planner's figures are as they would be: made from everybody's rows.
  await gateway.database.asSuperuser('ANALYZE');
  const { asSuperuser } = gateway.database;
  const { orgId } = victim.identity;
  const [partition] = await asSuperuser<{ name: string }>(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'app.logs'::regclass`,
  );
  const [known] = await asSuperuser<{ jobId: string; batchNo: string }>(
    `SELECT id AS "jobId", (SELECT max(batch_no)::text FROM app.logs WHERE org_id = $1) AS "batchNo" FROM app.jobs WHERE org_id = $1`,
    [orgId],
  );
  tries = breakOuts({ orgId, mark: victim.mark.text.slice(0, -4), ...known! }, partition!.name);
});
afterAll(() => gateway?.close());

/** What of the victim stands in an answer. The tries know the start of its mark alone. */
function leakIn(text: string): string | undefined {
  const { mark } = victim;
  const found = [mark.text, mark.address, String(mark.figure)].find((part) => text.includes(part));
  if (found !== undefined) return text.slice(Math.max(0, text.indexOf(found) - 100), text.indexOf(found) + 200);
  return new RegExp(`[:[,]"?${foreignEvents}(\\.0)?"?[,}\\]]`).test(text) ? text.slice(0, 300) : undefined;
}

describe('user SQL', () => {
  test('no try as a job sees a row of another organisation', async () => {
    const faults: string[] = [];
    const counts = { refused: 0, empty: 0 };
    await inParallel(tries, 6, async (one) => {
      const { data, errors } = await submit(one);
      const code = errors?.[0]?.extensions.code;
      if (code !== undefined && !/^(QUERY_|JOB_FAILED$)/.test(code))
        faults.push(`${one.trick}: ${JSON.stringify(errors)}`);
      if (code === undefined) counts.empty += 1;
      else counts.refused += 1;
      const leak = leakIn(JSON.stringify({ data, errors }));
      if (leak !== undefined) faults.push(`${one.trick}: ${leak}`);
    });
    process.stdout.write(
      `user SQL: ${tries.length} tries to leave the organisation, ${counts.refused} refused, ${counts.empty} empty of it\n`,
    );
    expect(faults).toEqual([]);
    expect(tries.length).toBeGreaterThanOrEqual(60);
    expect(counts.refused).toBeGreaterThan(60);
  });

  test('nor does any as the query of a collection', async () => {
    const faults: string[] = [];
    await inParallel(tries, 6, async (one) => {
      const { data, errors } = await gateway.query(
        attacker.identity,
        `mutation ($input: CreateCollectionInput!) {
           createCollection(input: $input) { id friendlyName status errors keys(first: 50) { nodes { key content } } } }`,
        {
          input: {
            friendlyName: one.trick,
            query: one.sql,
            mode: 'HASH',
            keyFields: ['host'],
            expireInSeconds: '864000',
          },
        },
      );
      const leak = leakIn(JSON.stringify({ data, errors }));
      if (leak !== undefined) faults.push(`${one.trick}: ${leak}`);
    });
    expect(faults).toEqual([]);
  });

  test('a job’s own texts stand beside it and are not run: keys and metadata', async () => {
    const text = `'; SET app.org_id = '${victim.identity.orgId}'; SELECT message FROM app.logs; --`;
    const { data, errors } = await gateway.query(
      attacker.identity,
      'mutation ($input: SubmitJobInput!) { submitJob(input: $input) { metadata results { nodes } status } }',
      {
        input: {
          query: 'SELECT count(*) AS n FROM logs',
          idempotencyKey: text.slice(0, 200),
          metadata: { [text]: text, orgId: victim.identity.orgId },
          waitMs: 20_000,
        },
      },
    );
    expect(errors).toBeUndefined();
    expect(data).toEqual({
      submitJob: {
        status: 'COMPLETED',
        metadata: { [text]: text, orgId: victim.identity.orgId },
        results: { nodes: [{ n: attacker.mark.events }] },
      },
    });
  });

  test('past the guard, row security and the role’s rights alone hide every row of another organisation', async () => {
    const faults: string[] = [];
    const [client, busy] = ['attacker', 'victim'].map(
      () => new pg.Client({ connectionString: gateway.database.url('query') }),
    ) as [pg.Client, pg.Client];
    await Promise.all([client.connect(), busy.connect()]);
    try {
      // A query of the victim at work, on a connection of the same role.
      await beginReadOnly(busy as never, { orgId: victim.identity.orgId, timeoutMs: 600_000 });
      await busy.query(`SELECT message FROM logs WHERE message LIKE '${victim.mark.text}%'`);
      for (const one of tries) {
        const seen = await straight(client, one);
        const leak = leakIn(seen);
        if (leak !== undefined) faults.push(`${one.trick}: ${leak}`);
        // Whatever it tried to leave behind, the next query on this connection has no organisation.
        const { rows } = await client.query(
          `SELECT coalesce(current_setting('app.org_id', true), '') AS org, current_user AS role`,
        );
        if (rows[0].org !== '' || rows[0].role !== 'harborwatch_query')
          faults.push(`${one.trick} stays: ${JSON.stringify(rows)}`);
      }
    } finally {
      await Promise.all([client.end(), busy.end()]);
    }
    expect(faults).toEqual([]);
  });
});

async function submit({ sql }: BreakOut): Promise<GraphQLAnswer<unknown>> {
  return gateway.query(
    attacker.identity,
    `mutation ($input: SubmitJobInput!) { submitJob(input: $input) {
       id status error { code message line column } columns { name type } estimatedDurationMs progress { rowsScanned rowsMatched }
       resultCount results(first: 2000) { nodes totalCount { value } } } }`,
    { input: { query: sql, waitMs: 15_000, timeoutMs: 3_000 } },
  );
}

/** What the text answers as the product would run it, had the guard let it through: one statement, then the end. */
async function straight(client: pg.Client, { sql }: BreakOut): Promise<string> {
  await beginReadOnly(client as never, { orgId: attacker.identity.orgId, timeoutMs: 2_000 });
  let notices = '';
  const onNotice = (notice: { message?: string | undefined }) => {
    notices += notice.message ?? '';
  };
  client.on('notice', onNotice);
  try {
    // The extended protocol takes one statement, whatever the text holds.
    const { rows } = await client.query({ text: sql, queryMode: 'extended' } as pg.QueryConfig);
    return JSON.stringify(rows) + notices;
  } catch (error) {
    const { message, detail, hint, where } = error as Record<string, string | undefined>;
    return JSON.stringify({ message, detail, hint, where }) + notices;
  } finally {
    client.off('notice', onNotice);
    await client.query('ROLLBACK');
  }
}
