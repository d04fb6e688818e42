/** `harborwatch jobs` in processes of its own, against a real gateway. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CommandLine, commandLine } from '../../../tests/setup/command-line.js';
import { startTestGateway, type TestGateway } from '../../../tests/setup/gateway.js';
import { chunksOf, columnsOf, completed, storeResult } from '../../../tests/setup/stored-results.js';
import { createClient } from '../../index.js';
import { partOf, toFile } from './download.js';

const program = `${process.execPath} --no-warnings --import ./tests/support/run-typescript.mjs client/cli/main.ts`;
const rows = 20_000;

let gateway: TestGateway;
let shell: CommandLine;
let directory: string;
let token: string;
let id: string;
let whole: Buffer;
const run = (args: string) => shell.run(`${program} ${args} --token ${token}`);
const fileOf = (name: string) => path.join(directory, name);

beforeAll(async () => {
  gateway = await startTestGateway();
  shell = await commandLine(gateway.url);
  directory = await mkdtemp(path.join(tmpdir(), 'harborwatch-jobs-'));
  token = await gateway.tokenFor(gateway.orgs[0]);
  id = await storeResult({
    database: gateway.database,
    orgId: gateway.orgs[0].orgId,
    set: completed,
    columns: columnsOf(['n', 'LONG'], ['text', 'STRING']),
    chunks: chunksOf(rows, (n) => [n, `row ${n}`]),
  });
  const headers = { authorization: `Bearer ${token}` };
  whole = Buffer.from(await (await fetch(`${gateway.url}/jobs/${id}/results?format=csv`, { headers })).arrayBuffer());
});
afterAll(async () => {
  await shell?.dispose();
  await gateway?.close();
  await rm(directory, { recursive: true, force: true });
});

test('jobs are listed, by status too, and shown', async () => {
  const list = await run('jobs --status completed');
  expect(list).toMatchObject({ status: 0, stderr: '' });
  expect(list.stdout).toMatch(new RegExp(`${id} +COMPLETED +SQL .* 20,000 +.* SELECT 1`));
  expect((await run('jobs --status failed')).stdout).not.toContain(id);
  expect(JSON.parse((await run('jobs --output json')).stdout)).toMatchObject([{ id, resultCount: rows }]);
  const shown = await run(`jobs show ${id}`);
  expect(shown.stdout).toContain('status      COMPLETED\n');
  expect(shown.stdout).toContain('columns     n LONG, text STRING\n');
  expect(await run('jobs show none')).toMatchObject({ status: 1, stderr: 'NOT_FOUND: There is no job "none".\n' });
  expect(await run('jobs --limit 0')).toMatchObject({ status: 2 });
});

test('a job that waits is cancelled; one that has ended is refused', async () => {
  const set = "status = 'PENDING'";
  const waiting = await storeResult({ database: gateway.database, orgId: gateway.orgs[0].orgId, set });
  expect(await run(`jobs cancel ${waiting}`)).toEqual({
    status: 0,
    stdout: '',
    stderr: 'Cancelled; it was PENDING.\n',
  });
  const again = await run(`jobs cancel ${waiting}`);
  expect(again).toMatchObject({ status: 1, stderr: expect.stringContaining('JOB_NOT_CANCELLABLE: ') });
  const results = await run(`jobs results ${waiting}`);
  expect(results).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('JOB_CANCELLED: ') });
});

test('results come whole, to standard output and into a file', async () => {
  const printed = await run(`jobs results ${id}`);
  expect(printed).toMatchObject({ status: 0, stderr: '' });
  expect(printed.stdout).toBe(whole.toString());
  const file = fileOf('result.ndjson');
  const saved = await run(`jobs results ${id} --format ndjson --output ${file}`);
  expect(saved).toMatchObject({ status: 0, stdout: '', stderr: expect.stringMatching(/result\.ndjson: \d+ kB\n$/) });
  expect((await readFile(file, 'utf8')).trimEnd().split('\n').length).toBe(rows);
});

test('a file that was broken off is gone on with from its end, and one that was whole is not asked for again', async () => {
  const client = createClient({ url: gateway.url, token });
  const etag = await client.downloadTag(id, 'csv');
  for (const there of [1, 77_777, whole.length]) {
    const file = fileOf(`resumed-${there}.csv`);
    await writeFile(partOf(file, etag), whole.subarray(0, there));
    expect(await run(`jobs results ${id} --output ${file}`)).toMatchObject({ status: 0 });
    expect((await readFile(file)).equals(whole)).toBe(true);
  }
  expect((await readdir(directory)).filter((name) => name.endsWith('.part'))).toEqual([]);
});

test('a file that something else wrote to meanwhile is refused, and not taken for the download', async () => {
  const part = path.join(directory, 'shared.part');
  const [one, other] = [await toFile(part), await toFile(part)];
  for (const sink of [one, other]) await sink.write(Buffer.from('half'));
  for (const sink of [one, other]) {
    await sink.close();
    await expect(sink.moveTo(path.join(directory, 'shared.csv'))).rejects.toThrow('Something else wrote');
  }
});

test('a connection that is lost is opened again, and no byte comes twice', async () => {
  let cuts = 0;
  const { port } = new URL(gateway.url);
  const proxy = createServer((socket) => {
    const upstream = connect(Number(port), '127.0.0.1');
    let passed = 0;
    upstream.on('data', (bytes) => {
      socket.write(bytes);
      passed += bytes.length;
      if (passed > 100_000 && cuts < 2) {
        cuts += 1;
        socket.end(() => socket.destroy());
        upstream.destroy();
      }
    });
    socket.on('data', (bytes) => upstream.write(bytes));
    for (const [one, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      one.on('error', () => {}).on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { port: proxyPort } = proxy.address() as { port: number };
  const file = fileOf('cut.csv');
  const saved = await run(`jobs results ${id} --output ${file} --url http://127.0.0.1:${proxyPort}`);
  expect(saved).toMatchObject({ status: 0, stderr: expect.stringContaining('The connection was lost at ') });
  expect((await readFile(file)).equals(whole)).toBe(true);
  expect(cuts).toBe(2);
  proxy.close();
});
