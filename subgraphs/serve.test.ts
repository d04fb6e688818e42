import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contextFor, sourceAt } from '../gateway/sources/testing.js';
import { generateSigningKey } from '../platform/authentication/token-keys.js';
import { ConfigError } from '../platform/config.js';
import { HopSigner } from '../platform/hop-tokens.js';
import { createTestPlatform, type TestPlatform } from '../tests/setup/database.js';
import { runServe, startSubgraphProcess } from '../tests/setup/subgraph-process.js';
import { eventually } from '../tests/setup/until.js';
import { subgraphs } from './index.js';
import { readServeArguments, serveUsage } from './serve-arguments.js';

let base: TestPlatform;
let signingKey: string;
beforeAll(async () => {
  base = await createTestPlatform();
  signingKey = await generateSigningKey();
});
afterAll(() => base.close());

describe('npm run serve', () => {
  it('refuses what it does not know with the list of what there is', () => {
    const list = 'name some of accounts, analytics, audit, collections, events, jobs.';
    const read = (...args: string[]) => readServeArguments(args, subgraphs);
    expect(() => read('jobs,nobody')).toThrow(new ConfigError(`There is no subgraph "nobody": ${list}`));
    expect(() => read()).toThrow(new ConfigError(`No subgraph is named: ${list}`));
    expect(() => read('jobs', '--port', '70000')).toThrow('--port "70000" is not allowed');
    expect(() => read('jobs', '--wrong')).toThrow(/'--wrong'.*--help/);
    expect(serveUsage(subgraphs)).toContain('HOP_VERIFY_KEY');
    expect(read('jobs,', 'audit').chosen.map(({ name }) => name)).toEqual(['audit', 'jobs']);
  });

  it('ends with status 2 and a message without the key of its gateway', async () => {
    const child = runServe(['jobs', '--port', '0'], base.env);
    const [message, [status]] = await Promise.all([text(child.stderr!), once(child, 'exit')]);
    expect([status, message]).toEqual([2, 'HOP_VERIFY_KEY is not set: a process started by itself needs it.\n']);
  });

  it('serves several subgraphs with the public half of the key alone, and drains on SIGTERM', async () => {
    const { d: _, ...publicKey } = JSON.parse(signingKey);
    const env = { ...base.env, HOP_VERIFY_KEY: JSON.stringify(publicKey) };
    const served = await startSubgraphProcess(['jobs', 'audit'], env);
    const signer = new HopSigner(signingKey);
    const sources = served.urls.split(',').map((pair) => {
      const [name, url] = pair.split('=') as [string, string];
      return sourceAt(url, {}, { name, signer });
    });
    expect(sources.map(({ name }) => name).sort()).toEqual(['audit', 'jobs']);
    const jobs = sources.find(({ name }) => name === 'jobs')!;
    const context = () => contextFor(5_000, { identity: base.orgs[0] });
    const list = { text: '{ jobs { nodes { id } } }', kind: 'query' } as const;
    expect(await jobs.execute(list, undefined, context())).toEqual({ data: { jobs: { nodes: [] } } });
    expect(await jobs.isHealthy()).toBe(true);

    const submit = { text: 'mutation { submitJob(input: { query: "SELECT 1" }) { id } }', kind: 'mutation' } as const;
    const { data } = await jobs.execute(submit, undefined, context());
    const { id } = (data as { submitJob: { id: string } }).submitJob;
    const watch = { text: 'subscription ($id: ID!) { jobProgress(id: $id) { id } }', kind: 'subscription' } as const;
    const stream = await jobs.subscribe(watch, { id }, context());
    await stream.next();

    // Busy until the end: everything that it took is answered.
    const answers: unknown[] = [];
    let busy = true;
    const working = (async () => {
      while (busy) answers.push(await jobs.execute(list, undefined, context()));
    })();
    await eventually(() => expect(answers.length).toBeGreaterThan(5));
    const ended = served.end('SIGTERM');
    const last = await stream.next();
    expect(last.value.errors).toMatchObject([{ extensions: { code: 'SUBGRAPH_CONNECTION_LOST' } }]);
    expect(await ended).toBe(0);
    busy = false;
    await working;
    const codes = answers.map((answer) => (answer as { errors?: any[] }).errors?.[0].extensions.code);
    const firstRefusal = codes.findIndex((code) => code !== undefined);
    expect(new Set(codes.slice(firstRefusal === -1 ? codes.length : firstRefusal))).not.toContain(undefined);
    expect(new Set(codes)).not.toContain('SUBGRAPH_INVALID_ANSWER');
    for (const source of sources) await source.close();
  });
});
