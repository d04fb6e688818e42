/** Subgraphs in processes of their own that go and come back, behind a gateway that goes on. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateSigningKey } from '../../platform/authentication/token-keys.js';
import { freePort } from '../../platform/embedded/processes.js';
import { type GraphQLAnswer, startTestGateway, type TestGateway } from '../setup/gateway.js';
import { chunksOf, columnsOf, completed, storeResult } from '../setup/stored-results.js';
import { type SubgraphProcess, startSubgraphProcess } from '../setup/subgraph-process.js';
import { eventually } from '../setup/until.js';

interface Mixed {
  viewer: { org: { slug: string } } | null;
  job: { id: string } | null;
}

let gateway: TestGateway;
let port: number;
let served: SubgraphProcess | undefined;
let id: string;
beforeAll(async () => {
  port = await freePort();
  gateway = await startTestGateway({
    settings: { HOP_SIGNING_KEY: await generateSigningKey(), SUBGRAPH_URLS: `jobs=http://127.0.0.1:${port}/jobs` },
  });
});
afterAll(async () => {
  await served?.end('SIGKILL');
  await gateway.close();
});

/** Asks two subgraphs at once: accounts in the gateway's process, jobs in its own. */
const ask = (jobId: string = crypto.randomUUID()) =>
  gateway.query<Mixed>(gateway.orgs[0], 'query ($id: ID!) { viewer { org { slug } } job(id: $id) { id } }', {
    id: jobId,
  });
const serve = async () => {
  served = await startSubgraphProcess(['jobs'], gateway.env, port);
};
const codesOf = ({ errors }: GraphQLAnswer<unknown>) => errors?.map(({ extensions }) => extensions.code);
const rest = { org: { slug: 'one' } };

describe('a subgraph in a process of its own', () => {
  it('may be down when the gateway starts: the rest is served, and it too once it is up', async () => {
    const { status, data, errors } = await ask();
    expect([status, data]).toEqual([200, { viewer: rest, job: null }]);
    expect(errors).toMatchObject([{ path: ['job'], extensions: { code: 'SUBGRAPH_UNAVAILABLE' } }]);
    expect(JSON.stringify(errors)).not.toContain(String(port));
    await serve();
    await eventually(async () => expect((await ask()).errors).toBeUndefined());
    const submitted = await gateway.query<{ submitJob: { id: string } }>(
      gateway.orgs[0],
      'mutation { submitJob(input: { query: "SELECT 1" }) { id } }',
    );
    id = submitted.data!.submitJob.id;
    expect((await ask(id)).data).toEqual({ viewer: rest, job: { id } });
  });

  it('is killed and restarted under load: every other field is answered, and its own again within 10 seconds', async () => {
    let loading = true;
    const answers: { at: number; answer: GraphQLAnswer<Mixed> }[] = [];
    const load = Array.from({ length: 16 }, async () => {
      while (loading) {
        const answer = await ask(id);
        answers.push({ at: performance.now(), answer });
      }
    });
    const isAnswered = ({ answer }: (typeof answers)[number]) => answer.data?.job?.id === id;
    await eventually(() => expect(answers.filter(isAnswered).length).toBeGreaterThan(50));

    await served!.end('SIGKILL');
    const killedAt = performance.now();
    await eventually(() =>
      expect(answers.filter(({ at, answer }) => at > killedAt && answer.errors).length).toBeGreaterThan(50),
    );
    await serve();
    const backAt = performance.now();
    await eventually(() =>
      expect(answers.filter((one) => one.at > backAt && isAnswered(one)).length).toBeGreaterThan(50),
    );
    loading = false;
    await Promise.all(load);

    expect(answers.every(({ answer }) => answer.status === 200 && answer.data?.viewer?.org.slug === 'one')).toBe(true);
    const failed = answers.filter(({ answer }) => answer.errors);
    expect(new Set(failed.flatMap(({ answer }) => codesOf(answer)))).toEqual(new Set(['SUBGRAPH_UNAVAILABLE']));
    expect(answers.filter((one) => one.at < killedAt && one.answer.errors)).toEqual([]);
    const recoveredAt = Math.max(...failed.map(({ at }) => at));
    expect(recoveredAt - backAt).toBeLessThan(10_000);
    // While it was down nobody waited for it: the answers say so at once.
    expect(answers.filter(({ at }) => at > killedAt && at < backAt).length).toBeGreaterThan(100);
  });

  it('that ends in order is missed by no query in hand, and by no later one for long', async () => {
    const inHand = Array.from({ length: 20 }, () => ask(id));
    const ended = served!.end('SIGTERM');
    for (const { data, status } of await Promise.all(inHand)) expect([status, data?.job?.id]).toEqual([200, id]);
    expect(await ended).toBe(0);
    await serve();
    await eventually(async () => expect((await ask(id)).data?.job?.id).toBe(id), 10_000);
  });

  it('tells its streams that they were lost, and new ones begin where it is back', async () => {
    const client = await gateway.webSocket(gateway.orgs[0]);
    const watch = () =>
      client.iterate<{ jobProgress: { id: string } }>({
        query: 'subscription ($id: ID!) { jobProgress(id: $id) { id status submittedBy { email } } }',
        variables: { id },
      });
    const stream = watch();
    expect((await stream.next()).value).toEqual({
      data: { jobProgress: { id, status: 'PENDING', submittedBy: { email: 'admin@one.example' } } },
    });
    const next = stream.next();
    await served!.end('SIGKILL');
    const lost = await next.catch((errors) => ({ value: { errors } }));
    expect(lost.value?.errors).toMatchObject([{ extensions: { code: 'SUBGRAPH_CONNECTION_LOST' } }]);
    await serve();
    expect((await watch().next()).value?.data?.jobProgress.id).toBe(id);
    await client.dispose();
  });

  it('is read by downloads to the last row; one that it is killed under is broken off, and goes on by range', async () => {
    const rows = 20_000;
    const result = await storeResult({
      database: gateway.database,
      orgId: gateway.orgs[0].orgId,
      set: completed,
      columns: columnsOf(['n', 'LONG'], ['text', 'STRING']),
      chunks: chunksOf(rows, (n) => [n, 'x'.repeat(1_000)]),
    });
    const authorization = `Bearer ${await gateway.tokenFor(gateway.orgs[0])}`;
    const ask = (headers: Record<string, string> = {}) =>
      fetch(`${gateway.url}/jobs/${result}/results?format=ndjson`, {
        headers: { authorization, 'accept-encoding': 'identity', ...headers },
      });
    const whole = await (await ask()).text();
    const numbers = whole.split('\n', rows).map((line) => JSON.parse(line).n);
    expect(numbers).toEqual(Array.from({ length: rows }, (_, n) => n));

    const cut: Uint8Array[] = [];
    const reading = (async () => {
      for await (const bytes of (await ask()).body!) {
        cut.push(bytes);
        if (cut.length === 1) await served!.end('SIGKILL');
      }
    })();
    await expect(reading).rejects.toThrow();
    await serve();
    const start = Buffer.concat(cut);
    expect(start.length).toBeLessThan(whole.length);
    const rest = await eventually(async () => {
      const answer = await ask({ range: `bytes=${start.length}-` });
      expect(answer.status).toBe(206);
      return answer.text();
    });
    expect(start.toString() + rest).toBe(whole);
  });
});
