/** The command line in processes of its own, against a real gateway with its workers. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandLine, commandLine } from '../../tests/setup/command-line.js';
import { startTestGateway, type TestGateway } from '../../tests/setup/gateway.js';
import { eventually } from '../../tests/setup/until.js';

const program = `${process.execPath} --no-warnings --import ./tests/support/run-typescript.mjs client/cli/main.ts`;
const email = 'ada@one.example';
const password = 'correct horse "battery"';
const minute = 60_000;

let gateway: TestGateway;
let shell: CommandLine;
let directory: string;

const run = (args: string, input?: string) => shell.run(`${program} ${args}`, input);
const signIn = () => run(`login --email ${email} --password-file -`, `${password}\n`);
const file = async (name: string, content: string | Buffer) => {
  await writeFile(path.join(directory, name), content);
  return path.join(directory, name);
};
const countOf = async (dataset: string) => {
  const answer = await gateway.query<any>(gateway.orgs[0], `{ dataset(name: "${dataset}") { eventCount { value } } }`);
  return answer.data.dataset.eventCount.value;
};
const accessLog = (lines: number, from = 0) =>
  Array.from({ length: lines }, (_, index) => {
    const second = String((from + index) % 60).padStart(2, '0');
    return `192.0.2.${index % 250} - - [17/May/2015:10:05:${second} +0000] "GET /${from + index} HTTP/1.1" ${index % 10 === 0 ? 404 : 200} ${index} "-" "test"\n`;
  }).join('');

beforeAll(async () => {
  gateway = await startTestGateway({ workers: true, settings: { ACCESS_TOKEN_SECONDS: '40' } });
  const input = { email, name: 'Ada', password, roles: ['ADMIN'] };
  await gateway.query(gateway.orgs[0], 'mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }', {
    input,
  });
  shell = await commandLine(gateway.url);
  directory = await mkdtemp(path.join(tmpdir(), 'harborwatch-cli-'));
}, 2 * minute);

afterAll(async () => {
  await shell?.dispose();
  await gateway?.close();
  await rm(directory, { recursive: true, force: true });
});

describe('signing in', { timeout: 2 * minute }, () => {
  it('is asked for by commands that need it, with the way to do it', async () => {
    const result = await run('whoami');
    expect(result).toMatchObject({ status: 3, stdout: '' });
    expect(result.stderr).toBe(
      `You are not signed in at ${gateway.url}. Sign in with \`harborwatch login --url ${gateway.url}\`, or give --token.\n`,
    );
  });

  it('refuses a wrong password, and takes the right one', async () => {
    const wrong = await run(`login --email ${email} --password-file -`, 'wrong');
    expect(wrong).toMatchObject({ status: 3, stderr: expect.stringContaining('INVALID_CREDENTIALS: ') });
    expect(await signIn()).toEqual({
      status: 0,
      stdout: '',
      stderr: `Signed in at ${gateway.url} as Ada <${email}>, Org one.\n`,
    });
    const who = await run('whoami --output json');
    expect(JSON.parse(who.stdout)).toMatchObject({ url: gateway.url, user: { email }, org: { slug: 'one' } });
  });

  it('goes on by itself when the token has run out, also in many processes at once', async () => {
    const [saved] = await filesOfHome();
    const login = JSON.parse(await readFile(saved!, 'utf8'));
    await writeFile(saved!, JSON.stringify({ ...login, expiresAt: new Date(0).toISOString() }));
    const results = await Promise.all(Array.from({ length: 4 }, () => run('whoami')));
    expect(results.map(({ status, stderr }) => [status, stderr])).toEqual(Array(4).fill([0, '']));
    expect(JSON.parse(await readFile(saved!, 'utf8')).refreshToken).not.toBe(login.refreshToken);
    expect((await stat(saved!)).mode & 0o777).toBe(0o600);
  });

  it('never sends the saved token to another server', async () => {
    const other = await run('whoami --url http://127.0.0.1:9');
    expect(other).toMatchObject({
      status: 3,
      stderr: expect.stringContaining(`Your saved login is for ${gateway.url}.`),
    });
  });

  it('says so when the server does not answer', async () => {
    const result = await run('whoami --url http://127.0.0.1:9 --token x');
    expect(result.status).toBe(3);
    expect(result.stderr).toContain(
      'Harborwatch does not answer at http://127.0.0.1:9. Is it running? Start it with `npm start`.',
    );
  });

  it('ends with logout, for the refresh token too', async () => {
    const [saved] = await filesOfHome();
    const login = await readFile(saved!, 'utf8');
    expect(await run('logout')).toMatchObject({ status: 0, stderr: expect.stringContaining('Signed out') });
    expect(await filesOfHome()).toEqual([]);
    await writeFile(saved!, JSON.stringify({ ...JSON.parse(login), expiresAt: new Date(0).toISOString() }));
    const expired = await run('whoami');
    expect(expired).toMatchObject({
      status: 3,
      stderr: `Your login at ${gateway.url} has expired. Sign in again with \`harborwatch login\`.\n`,
    });
    expect(await run('logout')).toMatchObject({ status: 0 });
    expect(await run('logout')).toMatchObject({ status: 0, stderr: 'Nobody is signed in.\n' });
  });
});

/** The files that the command line keeps in its home. */
async function filesOfHome(): Promise<string[]> {
  const { stdout } = await shell.run('find "$XDG_CONFIG_HOME" -type f');
  return stdout.split('\n').filter(Boolean);
}

describe('ingest', { timeout: 2 * minute }, () => {
  beforeAll(async () => {
    await signIn();
  }, minute);

  it('stores a gzipped access log once, however often it is sent', async () => {
    const log = await file('access.log.gz', gzipSync(accessLog(7_000)));
    const before = await countOf('website_logs');
    const first = await run(`ingest ${log} --dataset website_logs --format combined`);
    expect(first, first.stderr).toMatchObject({ status: 0, stdout: '' });
    expect(first.stderr).toMatch(/sent +7,000 rows to website_logs in 2 batches/);
    expect(first.stderr).toMatch(/accepted +7,000\nrejected +0\n/);
    const moved = await file('moved.log', accessLog(7_000));
    const again = await run(`ingest - --dataset website_logs --format combined < ${moved}`);
    expect(again).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/stored before +7,000, by an earlier run/),
    });
    expect((await countOf('website_logs')) - before).toBe(7_000);
  });

  it('reports rejects by reason with the lines of the file, and writes all of them to a file', async () => {
    const log = await file(
      'mixed.ndjson',
      '\uFEFF{"request_timestamp":"2026-01-31T00:00:00Z","status_code":200}\r\n\r\nnot json\n{"status_code":1}\n' +
        '{"request_timestamp":"2026-01-31T00:00:00Z","status_code":"many"}\n',
    );
    const rejects = path.join(directory, 'rejects.ndjson');
    const result = await run(`ingest ${log} --dataset website_logs --format ndjson --rejects ${rejects}`);
    expect(result).toMatchObject({ status: 1, stdout: '' });
    expect(result.stderr).toMatch(/sent +3 rows/);
    expect(result.stderr).toMatch(/accepted +1\nrejected +3, 1 of them unreadable and not sent/);
    expect(result.stderr).toMatch(/UNREADABLE_LINE in 1 row: .*\n {4}line 3\n/);
    expect(result.stderr).toMatch(/EVENT_INVALID in 1 row: "status_code" takes a whole number.*\n {4}line 5\n/);
    const written = (await readFile(rejects, 'utf8'))
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text));
    expect(written.map(({ line }) => line).sort()).toEqual([3, 4, 5]);
    expect(written.find(({ line }) => line === 4)).toMatchObject({ code: 'EVENT_INVALID', event: { status_code: 1 } });
    expect(written.find(({ line }) => line === 3)).toMatchObject({ code: 'UNREADABLE_LINE', text: 'not json' });
  });

  it('reads CSV with the dataset’s column types', async () => {
    const csv = await file(
      'events.csv',
      'timestamp,severity,source_port,message,shift\n2026-01-31T00:00:00Z,high,443,"two\nlines, ""quoted""",7\n',
    );
    expect(await run(`ingest ${csv} --dataset logs --format csv`)).toMatchObject({ status: 0 });
    const [row] = await gateway.database.asSuperuser<any>('SELECT source_port, message, attributes FROM app.logs');
    expect(row).toEqual({ source_port: 443, message: 'two\nlines, "quoted"', attributes: { shift: '7' } });
  });

  it('says what is wrong with the dataset, the file, the token, and stores nothing', async () => {
    const log = await file('one.log', accessLog(1, 9_999));
    const dataset = await run(`ingest ${log} --dataset weblogs --format combined`);
    expect(dataset).toMatchObject({ status: 2, stderr: expect.stringMatching(/^UNKNOWN_DATASET: .*website_logs/) });
    const absent = await run('ingest absent.log --dataset website_logs --format combined');
    expect(absent).toMatchObject({ status: 2, stderr: 'There is no file absent.log.\n' });
    const token = await run(`ingest ${log} --dataset website_logs --format combined --token nonsense`);
    expect(token).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/^UNAUTHENTICATED: [\s\S]*harborwatch login/),
    });
    const gone = await run(`ingest ${log} --dataset website_logs --format combined --token x --url http://127.0.0.1:9`);
    expect(gone).toMatchObject({ status: 3, stderr: expect.stringMatching(/^Harborwatch does not answer/) });
  });

  it('stops on Ctrl-C with a summary, and the next run sends the rest', async () => {
    const log = accessLog(12_000, 20_000);
    const child = await startProgram(['ingest', '-', '--dataset', 'website_logs', '--format', 'combined']);
    const before = await countOf('website_logs');
    child.process.stdin!.write(log.slice(0, log.length / 2));
    await eventually(async () => expect(await countOf('website_logs')).toBeGreaterThan(before));
    child.process.kill('SIGINT');
    expect(await child.status).toBe(130);
    expect(child.stderr()).toMatch(/accepted +5,000\n[\s\S]*Interrupted\.\n[\s\S]*Run the same command again/);
    const rest = await run('ingest - --dataset website_logs --format combined', log);
    expect(rest).toMatchObject({ status: 0, stderr: expect.stringMatching(/accepted +7,000\nstored before +5,000/) });
  });
});

describe('query', { timeout: 2 * minute }, () => {
  beforeAll(async () => {
    await signIn();
    const rows = '{"timestamp":"2026-02-01T00:00:00Z","severity":"low","message":"=漢字 \\u001b[2J","bytes_in":12}\n';
    await run('ingest - --dataset logs --format ndjson', rows);
  }, minute);

  it('prints a table, with nothing but data on stdout', async () => {
    const result = await run(`query "SELECT message, bytes_in FROM logs WHERE severity = 'low'"`);
    expect(result, result.stderr).toMatchObject({ status: 0 });
    expect(result.stdout).toBe('message          bytes_in\n───────────────  ────────\n=漢字 \\u001b[2J        12\n');
    expect(result.stderr).toMatch(/1 row in /);
  });

  it('prints whole values as JSON and CSV', async () => {
    const text = `"SELECT message, bytes_in, NULL AS nothing FROM logs WHERE severity = 'low'"`;
    const json = await run(`query ${text} --output json`);
    expect(JSON.parse(json.stdout)).toEqual([{ message: '=漢字 \x1b[2J', bytes_in: 12, nothing: null }]);
    const csv = await run(`query ${text} --output csv --spreadsheet`);
    expect(csv.stdout).toBe("message,bytes_in,nothing\r\n'=漢字 \x1b[2J,12,\r\n");
  });

  it('prints results of many pages whole, and stops quietly when the reader has enough', async () => {
    const text = '"SELECT n FROM generate_series(1, 2500) n"';
    const all = await run(`query ${text} --output csv`);
    expect(all.stdout).toBe(`n\r\n${Array.from({ length: 2_500 }, (_, index) => `${index + 1}\r\n`).join('')}`);
    const head = await run(`query ${text} | head -3`);
    expect(head).toMatchObject({ status: 0, stdout: '   n\n────\n   1\n' });
    expect(head.stderr).not.toMatch(/EPIPE|Error/);
  });

  it('points at the place of an error', async () => {
    const result = await run('query "SELECT *\nFORM logs"');
    expect(result).toMatchObject({ status: 1, stdout: '' });
    expect(result.stderr).toMatch(/^QUERY_SYNTAX: .*\n2 \| FORM logs\n {4}\^\n/m);
  });

  it('asks in other languages, and only of the time that --from and --to name', async () => {
    const kql = await run(
      'query --language kql --output json "logs | where bytes_in == 12 | summarize n = count() by severity"',
    );
    expect(JSON.parse(kql.stdout)).toEqual([{ severity: 'low', n: 1 }]);
    const later = await run(
      'query --language kql --from 2026-02-02 --output json "logs | where bytes_in == 12 | summarize n = count()"',
    );
    expect(JSON.parse(later.stdout)).toEqual([{ n: 0 }]);
    const linq = await run(
      'query --language linq --to 2026-02-02T00:00:00Z --output json "from logs where bytes_in = 12 select bytes_in"',
    );
    expect(JSON.parse(linq.stdout)).toEqual([{ bytes_in: 12 }]);
    expect(await run('query --from yesterday "SELECT 1"')).toMatchObject({ status: 2 });
  });

  it('prints OpenSearch’s own answer to a search', async () => {
    const search = await run(`query --language opensearch --dataset logs '{"query": {"term": {"severity": "low"}}}'`);
    expect(JSON.parse(search.stdout)).toMatchObject({
      hits: {
        total: { value: 1, relation: 'eq' },
        hits: [{ _index: 'securewatch-logs-2026.02', _source: { bytes_in: 12 } }],
      },
    });
  });

  it('tells with --explain how a query would run, and does not run it', async () => {
    const result = await run(`query --language kql --explain 'logs | where severity == "low" | take 5'`);
    expect(result).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Engine: POSTGRES$/m) });
    expect(result.stderr).not.toContain('row');
  });

  it('cancels its job on Ctrl-C', async () => {
    const endless = 'SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b';
    const child = await startProgram(['query', endless]);
    const jobs = () => gateway.query<any>(gateway.orgs[0], '{ jobs(first: 1) { nodes { query status } } }');
    await eventually(async () =>
      expect((await jobs()).data.jobs.nodes[0]).toEqual({ query: endless, status: 'RUNNING' }),
    );
    child.process.kill('SIGINT');
    expect(await child.status).toBe(130);
    expect(child.stderr()).toContain('The query was cancelled.');
    await eventually(async () =>
      expect((await jobs()).data.jobs.nodes[0]).toEqual({ query: endless, status: 'CANCELLED' }),
    );
  });

  it('ends in time with --timeout', async () => {
    const result = await run(
      'query --timeout 1s "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000001) b"',
    );
    expect(result).toMatchObject({ status: 1, stderr: expect.stringContaining('QUERY_TIMEOUT: ') });
  });
});

describe('usage', { timeout: 2 * minute }, () => {
  beforeAll(async () => void (await signIn()));

  it('shows a bar for each day, and what is used of each quota', async () => {
    await run(`ingest ${await file('used.ndjson', '{"timestamp":"2026-01-15T10:00:00Z"}\n')} --dataset logs`);
    const { status, stdout, stderr } = await run('usage --days 3');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const today = new Date().toISOString().slice(0, 10);
    expect(stdout).toMatch(/^Org one \(one\)\n\n/);
    expect(stdout.match(/^\d{4}-\d\d-\d\d .* events .*B$/gm)).toHaveLength(3);
    expect(stdout).toMatch(new RegExp(`^${today}  █+[▏▎▍▌▋▊▉]? +[\\d,]+ events`, 'm'));
    for (const name of ['events today', 'stored bytes', 'running jobs', 'result bytes', 'collections'])
      expect(stdout).toMatch(new RegExp(`^${name} +\\S.*no limit$`, 'm'));
  });

  it('prints JSON for programs, and refuses a number of days out of range', async () => {
    const { stdout } = await run('usage --days 2 --output json');
    expect(JSON.parse(stdout)).toMatchObject({ days: [{}, {}], runningJobs: { limit: null, percent: null } });
    expect(await run('usage --days 367')).toMatchObject({
      status: 2,
      stderr: '--days takes a whole number from 1 to 366, not "367".\n',
    });
  });
});

/** The program as a child that signals can be sent to. */
async function startProgram(
  args: string[],
): Promise<{ process: ChildProcess; stderr(): string; status: Promise<number | null> }> {
  const { stdout: home } = await shell.run('printf %s "$XDG_CONFIG_HOME"');
  const [node, ...options] = program.split(' ');
  const child = spawn(node!, [...options, ...args], {
    env: { ...process.env, XDG_CONFIG_HOME: home, HARBORWATCH_URL: gateway.url, NO_COLOR: '1' },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  child.stdin.on('error', () => {});
  return {
    process: child,
    stderr: () => text,
    status: once(child, 'close').then(([status]) => status as number | null),
  };
}
