import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres } from '../../../platform/embedded/postgres.js';
import { freePort, isRunning } from '../../../platform/embedded/processes.js';
import { type RunningHarborwatch, startHarborwatch } from '../../setup/harborwatch.js';
import { eventually } from '../../setup/until.js';

const minute = 60_000;

/** The processes that work for a data directory: servers name it in their arguments, our own in their environment. */
async function processesOf(dataDir: string): Promise<{ pid: number; command: string }[]> {
  const found = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const read = (file: string) => readFile(`/proc/${name}/${file}`, 'utf8').catch(() => '');
    const [command, environment] = await Promise.all([read('cmdline'), read('environ')]);
    if (command.includes(dataDir) || environment.includes(`HARBORWATCH_DATA_DIR=${dataDir}\0`)) {
      found.push({ pid: Number(name), command: command.replaceAll('\0', ' ') });
    }
  }
  return found;
}

/** Starts it for its refusal: status and what it said. */
async function refused(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['scripts/start.mjs', ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stdout.resume();
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  const [status] = await once(child, 'close');
  return { status, lines: stderr.trim().split('\n') };
}

const signIn = async ({ url, email, password }: RunningHarborwatch) => {
  const query = 'mutation ($input: SignInInput!) { signIn(input: $input) { accessToken } }';
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables: { input: { email, password } } }),
  });
  return ((await response.json()) as any).data.signIn.accessToken as string;
};

describe.skipIf(process.platform !== 'linux')('npm start', { timeout: 5 * minute }, () => {
  let harborwatch: RunningHarborwatch;
  beforeAll(async () => {
    harborwatch = await startHarborwatch();
  }, 5 * minute);
  afterAll(async () => {
    await harborwatch?.dispose();
  }, 2 * minute);

  it('refuses a second copy on the same data directory in one line', async () => {
    const { status, lines } = await refused(['--data-dir', harborwatch.dataDir, '--port', '45999']);
    expect(status).toBe(2);
    expect(lines).toEqual([expect.stringContaining(`already runs on ${harborwatch.dataDir}`)]);
  });

  it('refuses a busy port, and a wrong setting, in one line that says what to do', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const dataDir = await mkdtemp(join(tmpdir(), 'harborwatch-refused-'));
    const busy = await refused(['--data-dir', dataDir, '--port', String(port)]);
    other.close();
    expect([busy.status, busy.lines.length]).toEqual([2, 1]);
    expect(busy.lines[0]).toMatch(new RegExp(`${port}.*--port`));
    const wrong = await refused(['--data-dir', dataDir], { LOG_LEVEL: 'loud' });
    expect(wrong).toEqual({ status: 2, lines: [expect.stringMatching(/LOG_LEVEL "loud".*one of trace, debug/)] });
    await rm(dataDir, { recursive: true, force: true });
  });

  it('starts a gateway and workers again that were killed', async () => {
    for (const program of ['gateway/main.js', 'subgraphs/work.js']) {
      const [victim] = (await processesOf(harborwatch.dataDir)).filter(({ command }) => command.includes(program));
      process.kill(victim!.pid, 'SIGKILL');
      await eventually(async () => {
        const [next] = (await processesOf(harborwatch.dataDir)).filter(({ command }) => command.includes(program));
        expect(next?.pid).toBeGreaterThan(victim!.pid);
      }, 30_000);
    }
    await eventually(async () => expect(await signIn(harborwatch)).toBeTruthy(), 30_000);
  });

  it('adopts or ends what a killed supervisor left, and keeps the data', async () => {
    const { dataDir } = harborwatch;
    const supervisor = (await processesOf(dataDir)).filter(({ command }) => command.includes('supervisor/main.js'));
    for (const { pid } of supervisor) process.kill(pid, 'SIGKILL');
    await harborwatch.stop();
    harborwatch = await startHarborwatch({ dataDir });
    expect(await signIn(harborwatch)).toBeTruthy();
    const gateways = (await processesOf(dataDir)).filter(({ command }) => command.includes('gateway/main.js'));
    expect(gateways).toHaveLength(1);
  });

  it('stops everything that it started within 10 s of SIGTERM, PostgreSQL last, and leaves no process', async () => {
    const processes = await processesOf(harborwatch.dataDir);
    expect(processes.length).toBeGreaterThan(4);
    const begun = performance.now();
    expect(await harborwatch.stop()).toBe(0);
    expect(performance.now() - begun).toBeLessThan(10_000);
    expect(await processesOf(harborwatch.dataDir)).toEqual([]);
    expect(processes.filter(({ pid }) => isRunning(pid))).toEqual([]);
  });

  it('is ready again with what was there, after the first start, in seconds', async () => {
    harborwatch = await startHarborwatch({ dataDir: harborwatch.dataDir });
    expect(await signIn(harborwatch)).toBeTruthy();
    expect(harborwatch.output()).not.toContain('Password');
  });
});

describe.skipIf(process.platform !== 'linux')('what npm runs', { timeout: 5 * minute }, () => {
  const stops: [string, (npm: number) => void][] = [
    ['Ctrl-C, which a terminal sends to all of its processes', (npm) => process.kill(-npm, 'SIGINT')],
    ['SIGTERM to npm alone', (npm) => process.kill(npm, 'SIGTERM')],
  ];
  it.each(stops)('ends with %s, and the password is shown on the first start alone', async (_what, stop) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'harborwatch-npm-'));
    await chmod(dataDir, 0o755);
    const args = ['start', '--', '--port', String(await freePort()), '--data-dir', dataDir];
    const npm = spawn('npm', args, { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
    let text = '';
    await new Promise<void>((resolve, reject) => {
      npm.once('exit', () => reject(new Error(`It ended before it was ready:\n${text}`)));
      npm.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (text.includes('Stop it with Ctrl-C')) resolve();
      });
    });
    try {
      expect(text).toMatch(/Sign in {3}\S+@\S+\n {2}Password {2}\S+ \(shown this once\)/);
    } finally {
      stop(npm.pid!);
    }
    await eventually(async () => expect(await processesOf(dataDir)).toEqual([]), 15_000);
    expect(await readdir(dataDir)).not.toContain('first-sign-in.json');
    await rm(dataDir, { recursive: true, force: true });
  });
});

describe('npm start with a PostgreSQL of the operator’s own', { timeout: 5 * minute }, () => {
  it('makes roles, schema and organisation in the database that DATABASE_URL names', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'harborwatch-own-postgres-'));
    await chmod(directory, 0o755);
    const postgres = await startPostgres({ dataDir: directory, test: true });
    const harborwatch = await startHarborwatch({ env: { DATABASE_URL: postgres.superuserUrl } });
    try {
      expect(await signIn(harborwatch)).toBeTruthy();
      expect(harborwatch.output()).not.toContain('PostgreSQL started');
    } finally {
      await harborwatch.dispose();
      await postgres.stop();
      await rm(directory, { recursive: true, force: true });
    }
  });
});
