/** Tries to leave the organisation by KQL, LINQ and OpenSearch's DSL: as a job, and as a dry run. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Identity } from '../../platform/identity.js';
import { type GraphQLAnswer, startTestGateway, type TestGateway } from '../setup/gateway.js';
import { inParallel } from './doors.js';
import { type QueryBreakOut, queryBreakOuts, type VictimEvent } from './query-break-outs.js';
import { fillTenant, nameTenants, type Tenant } from './scene.js';

/** How many events of each dataset the other organisation has: a count that no answer may have. */
const foreignEvents = 613;

let gateway: TestGateway;
let attacker: Tenant;
let victim: Tenant;
let event: VictimEvent;
let tries: QueryBreakOut[];

beforeAll(async () => {
  gateway = await startTestGateway({ workers: true });
  [victim, attacker] = await nameTenants(gateway);
  await Promise.all([fillTenant(victim, foreignEvents), fillTenant(attacker)]);
  const { asSuperuser } = gateway.database;
  await asSuperuser('ANALYZE');
  const { orgId } = victim.identity;
  const [partition] = await asSuperuser<{ name: string }>(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'app.logs'::regclass`,
  );
  const [known] = await asSuperuser<{ jobId: string; batchNo: string }>(
    `SELECT id AS "jobId", (SELECT max(batch_no)::text FROM app.logs WHERE org_id = $1) AS "batchNo" FROM app.jobs WHERE org_id = $1`,
    [orgId],
  );
  [event] = (await asSuperuser<VictimEvent>('SELECT id, host FROM app.logs WHERE org_id = $1 LIMIT 1', [orgId])) as [
    VictimEvent,
  ];
  const marked = { orgId, mark: victim.mark.text.slice(0, -4), ...known! };
  // The attacker knows a host by its start alone, so that what comes back is no echo.
  tries = queryBreakOuts(marked, { ...event, host: marked.mark }, partition!.name);
});
afterAll(() => gateway?.close());

/** What of the victim stands in an answer. The tries know the start of its mark, and the id of an event. */
function leakIn(text: string): string | undefined {
  const { mark } = victim;
  const found = [mark.text, mark.address, String(mark.figure)].find((part) => text.includes(part));
  if (found !== undefined) return text.slice(Math.max(0, text.indexOf(found) - 100), text.indexOf(found) + 200);
  return new RegExp(`[:[,]"?${foreignEvents}(\\.0)?"?[,}\\]]`).test(text) ? text.slice(0, 300) : undefined;
}

const submit = (identity: Identity, { language, query, dataset }: Omit<QueryBreakOut, 'trick'>) =>
  gateway.query<{ submitJob: { status: string; results: { nodes: unknown[]; searchResponse: any } | null } }>(
    identity,
    `mutation ($input: SubmitJobInput!) { submitJob(input: $input) {
       id status render dataset from to error { code message line column } columns { name type } estimatedDurationMs
       progress { rowsScanned rowsMatched } resultCount
       results(first: 2000) { nodes totalCount { value } aggregations searchResponse } } }`,
    { input: { language, query, dataset, waitMs: 15_000, timeoutMs: 5_000 } },
  );

const estimate = (identity: Identity, { language, query, dataset }: Omit<QueryBreakOut, 'trick'>) =>
  gateway.query(
    identity,
    `query ($input: EstimateQueryInput!) { estimateQuery(input: $input) {
       engine text estimatedRows estimatedCost indexesUsed recommendations { dataset columns reason statement } runsInSlices } }`,
    { input: { language, query, dataset } },
  );

/** Faults of one answer: it leaks, or it is refused in words that are no product's. */
function faultsIn({ trick }: QueryBreakOut, { data, errors }: GraphQLAnswer<unknown>): string[] {
  const faults: string[] = [];
  const code = errors?.[0]?.extensions.code;
  if (code !== undefined && !/^(QUERY_\w+|UNKNOWN_DATASET|JOB_FAILED)$/.test(code)) faults.push(JSON.stringify(errors));
  if (/"INTERNAL_SERVER_ERROR"/.test(JSON.stringify(data))) faults.push(JSON.stringify(data));
  const leak = leakIn(JSON.stringify({ data, errors }));
  if (leak !== undefined) faults.push(leak);
  return faults.map((fault) => `${trick}: ${fault}`);
}

describe('queries of users', () => {
  test('a leak would be seen: the owner finds its event, in each language', async () => {
    const queries: Omit<QueryBreakOut, 'trick'>[] = [
      { language: 'KQL', query: `logs | where host == '${event.host}'` },
      { language: 'OPENSEARCH', query: JSON.stringify({ query: { ids: { values: [event.id] } } }) },
      { language: 'LINQ', query: `from logs where host = "${event.host}"` },
    ];
    for (const query of queries) {
      const { data, errors } = await submit(victim.identity, query);
      expect([query.query, errors, data?.submitJob.status]).toEqual([query.query, undefined, 'COMPLETED']);
      expect([query.query, leakIn(JSON.stringify(data)) === undefined]).toEqual([query.query, false]);
    }
  });

  test('no try as a job sees a row of another organisation', async () => {
    const faults: string[] = [];
    const counts = { refused: 0, empty: 0 };
    await inParallel(tries, 6, async (one) => {
      const answer = await submit(attacker.identity, one);
      counts[answer.errors === undefined ? 'empty' : 'refused'] += 1;
      faults.push(...faultsIn(one, answer));
    });
    process.stdout.write(
      `user queries: ${tries.length} tries to leave the organisation, ${counts.refused} refused, ${counts.empty} empty of it\n`,
    );
    expect(faults).toEqual([]);
    expect(tries.length).toBeGreaterThanOrEqual(200);
    expect(counts.refused).toBeGreaterThan(100);
  });

  test('nor does any as a dry run', async () => {
    const faults: string[] = [];
    await inParallel(tries, 6, async (one) => {
      faults.push(...faultsIn(one, await estimate(attacker.identity, one)));
    });
    expect(faults).toEqual([]);
  });

  test('another’s event is answered as one that never existed, by its id', async () => {
    const submitted = await Promise.all(
      [event.id, crypto.randomUUID()].map(async (id) => {
        const query = JSON.stringify({ query: { ids: { values: [id] } } });
        const { data, errors } = await submit(attacker.identity, { language: 'OPENSEARCH', query });
        expect(errors).toBeUndefined();
        const { results, ...job } = data!.submitJob;
        const { took: _, ...response } = results!.searchResponse;
        return { ...job, id: undefined, nodes: results!.nodes, response };
      }),
    );
    expect(submitted[0]).toEqual(submitted[1]);
    expect(submitted[0]).toMatchObject({ status: 'COMPLETED', nodes: [], response: { hits: { hits: [] } } });
  });
});
