/** Redis for a data directory: a server that is there, or one of our own that nobody else reaches. */
import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { answers, commandLine, type EndStep, endProcess, freePort, isRunning } from './processes.js';
import { findRedisBinary, type RedisBinary } from './redis-binary.js';
import { StartError } from './start-error.js';

/** How to find or start a Redis. */
export interface RedisOptions {
  /** Directory of an own server's state: append-only file, port, password. Made when it is missing. */
  dataDir: string;
  /** Directory for a server program that has to be fetched; shared by all data directories of a checkout. */
  toolchainDir: string;
  /** A server to use instead of any other (REDIS_URL). It belongs to the user: it is checked and never stopped. */
  url?: string | undefined;
  /**
   * Address of a server that may run on this machine already. It is used when it never evicts and holds nothing, or
   * only what this data directory wrote to it before, and is never stopped. Default: none is looked for.
   */
  running?: string;
  /** Told what people should know, a line at a time. Default: nobody. */
  log?: (line: string) => void;
  /** The port of 127.0.0.1 that an own server should prefer. Default: that of the last start, or any free one. */
  port?: number;
  /** File of an own server's log. Default: `redis.log` in the data directory. */
  logFile?: string;
}

/** A Redis that answers. */
export interface RunningRedis {
  url: string;
  /** What was found or started, in one line for people. */
  source: string;
  /** Process id of an own server; undefined for somebody else's. */
  pid: number | undefined;
  /** True when an own server ran already, left by a supervisor that was killed. */
  adopted: boolean;
  /** Ends an own server, its data on disk; kills it after `graceMs` (default 4 s). Does nothing to somebody else's. */
  stop(graceMs?: number): Promise<void>;
}

const startTimeoutMs = 30_000; // A long append-only file is read first.
const probeTimeoutMs = 1_000;
const userTimeoutMs = 5_000;
const pollMs = 10;
const startAttempts = 4;
const stopSteps = (graceMs: number): readonly EndStep[] => [
  { signal: 'SIGTERM', waitMs: graceMs },
  { signal: 'SIGKILL', waitMs: 300 },
];
const defaultGraceMs = 4_000;

/** Finds or starts a Redis. Throws StartError with what to do when there is no way. */
export async function startRedis(options: RedisOptions): Promise<RunningRedis> {
  if (options.url) return givenServer(options.url);
  await mkdir(options.dataDir, { recursive: true });
  const dataDir = await realpath(options.dataDir);
  const state = await readState(dataDir);

  const left = await adopt(dataDir, state);
  if (left) return own(left, state, `Redis was still running and was adopted (127.0.0.1:${left.port})`, true);
  if (options.running && (await claim(options.running, state.instance))) {
    return { url: options.running, source: `Redis is used that ran already (${hostOf(options.running)})`, ...notOurs };
  }
  const binary = await findRedisBinary(options.toolchainDir, options.log ?? (() => {}));
  const started = await start({ ...options, dataDir }, state, binary);
  return own(started, state, `Redis started (127.0.0.1:${started.port}, ${binary.origin})`, false);
}

/** The URL of the Redis that serves a data directory now; undefined where none does. */
export async function findRedis({
  dataDir,
  running,
}: Pick<RedisOptions, 'dataDir' | 'running'>): Promise<string | undefined> {
  if (!existsSync(secretFile(dataDir))) return undefined;
  const { port, password, instance } = await readState(dataDir);
  if (port && (await serves(await realpath(dataDir), port, password))) return urlOf(port, password);
  return running && (await claim(running, instance)) ? running : undefined;
}

const notOurs = { pid: undefined, adopted: false, stop: async () => {} };

const own = (server: Running, state: State, source: string, adopted: boolean): RunningRedis => ({
  url: urlOf(server.port, state.password),
  source,
  pid: server.pid,
  adopted,
  stop: (graceMs) => stop(server.pid, graceMs),
});

async function givenServer(url: string): Promise<RunningRedis> {
  const where = hostOf(url);
  const policy = await ask(url, userTimeoutMs, async (client) => {
    await client.ping();
    return evictionPolicy(client);
  }).catch((error: Error) => {
    throw new StartError(
      `REDIS_URL: Redis at ${where} does not answer (${error.message}): start it or correct the URL.`,
    );
  });
  if (policy !== undefined && policy !== 'noeviction') {
    const advice = '`CONFIG SET maxmemory-policy noeviction`, or use another server';
    throw new StartError(`REDIS_URL: Redis at ${where} may drop jobs (maxmemory-policy ${policy}): ${advice}.`);
  }
  return { url, source: `Redis at ${where} is used (REDIS_URL)`, ...notOurs };
}

/** Managed servers often forbid CONFIG: then their own rules are trusted. */
const evictionPolicy = async (client: Redis): Promise<string | undefined> =>
  ((await client.config('GET', 'maxmemory-policy').catch(() => [])) as string[])[1];

/**
 * Takes a running server that is nobody's: it says that it never evicts, and it is empty or carries this data
 * directory's mark. Another program's Redis, or another Harborwatch's, is left alone.
 */
async function claim(url: string, instance: string): Promise<boolean> {
  return ask(url, probeTimeoutMs, async (client) => {
    if ((await evictionPolicy(client)) !== 'noeviction') return false;
    const mark = 'harborwatch:data-directory';
    if ((await client.dbsize()) === 0) await client.set(mark, instance, 'NX');
    return (await client.get(mark)) === instance;
  }).catch(() => false);
}

interface Running {
  pid: number;
  port: number;
}

/** What stays the same from start to start. */
interface State {
  password: string;
  instance: string;
  port: number | undefined;
}

async function readState(dataDir: string): Promise<State> {
  const file = secretFile(dataDir);
  const kept = JSON.parse(await readFile(file, 'utf8').catch(() => 'null')) as Omit<State, 'port'> | null;
  const secret = kept ?? { password: randomBytes(24).toString('hex'), instance: randomUUID() };
  if (!kept) await writeFile(file, `${JSON.stringify(secret)}\n`, { mode: 0o600 });
  const port = Number(await readFile(path.join(dataDir, 'port'), 'utf8').catch(() => '')) || undefined;
  return { ...secret, port };
}

/** The own server that a killed supervisor left, when it still answers; one that does not is ended. */
async function adopt(dataDir: string, state: State): Promise<Running | undefined> {
  const pid = await runningPid(dataDir, state.port);
  if (pid && state.port && (await serves(dataDir, state.port, state.password))) return { pid, port: state.port };
  await endLeft(dataDir, pid);
  return undefined;
}

/** Ends the own server of a data directory, if one runs: for a directory that nobody will start again. */
export async function endRedis(dataDir: string): Promise<void> {
  const { port } = await readState(dataDir);
  await endLeft(dataDir, await runningPid(dataDir, port));
}

async function endLeft(dataDir: string, pid: number | undefined): Promise<void> {
  if (pid) await stop(pid);
  await rm(pidFile(dataDir), { force: true });
}

async function runningPid(dataDir: string, port: number | undefined): Promise<number | undefined> {
  const pid = Number(await readFile(pidFile(dataDir), 'utf8').catch(() => ''));
  const command = Number.isInteger(pid) && pid > 1 && isRunning(pid) ? commandLine(pid) : undefined;
  // Redis shows its address as its title, so a pid that went to another program is seen.
  return command && /redis|valkey/.test(command) && command.includes(`127.0.0.1:${port}`) ? pid : undefined;
}

async function start(options: RedisOptions, state: State, binary: RedisBinary): Promise<Running> {
  const { dataDir } = options;
  const logFile = options.logFile ?? path.join(dataDir, 'redis.log');
  for (let attempt = 1; ; attempt++) {
    const port = await freePort(attempt === 1 ? (options.port ?? state.port) : undefined);
    await writeFile(path.join(dataDir, 'port'), `${port}\n`);
    const configFile = path.join(dataDir, 'redis.conf');
    await writeFile(configFile, configuration(dataDir, port, state.password), { mode: 0o600 });
    const pid = await spawnServer(binary, configFile, logFile);
    const deadline = performance.now() + startTimeoutMs;
    while (pid && isRunning(pid) && performance.now() < deadline) {
      if (await serves(dataDir, port, state.password)) return { pid, port };
      await delay(pollMs);
    }
    if (pid) await stop(pid);
    const lastLine = (await readFile(logFile, 'utf8')).trim().split('\n').at(-1) ?? '';
    // Another program took the port between our look and the server's start.
    if (attempt < startAttempts && /bind|listen/i.test(lastLine)) continue;
    throw new StartError(`Redis does not start: ${lastLine} Its log is ${logFile}.`);
  }
}

/** Detached: Ctrl-C in a terminal reaches the whole process group, and Redis has to outlive the drain of the rest. */
async function spawnServer(binary: RedisBinary, configFile: string, logFile: string): Promise<number | undefined> {
  const logDescriptor = openSync(logFile, 'a', 0o600);
  try {
    const child = spawn(binary.program, [configFile], {
      cwd: '/',
      detached: true,
      env: { PATH: process.env.PATH, ...(binary.libraryPath ? { LD_LIBRARY_PATH: binary.libraryPath } : {}) },
      stdio: ['ignore', logDescriptor, logDescriptor],
    });
    child.once('error', () => {}); // Seen as a process without a pid.
    child.unref();
    return child.pid;
  } finally {
    closeSync(logDescriptor);
  }
}

/** In a file and not on the command line, where every user of the machine could read the password. */
const configuration = (dataDir: string, port: number, password: string) => `bind 127.0.0.1
port ${port}
requirepass ${password}
dir ${JSON.stringify(dataDir)}
pidfile ${JSON.stringify(pidFile(dataDir))}
daemonize no
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
`;

/** True when the server at the port takes the password and works in this very directory. */
async function serves(dataDir: string, port: number, password: string): Promise<boolean> {
  if (!(await answers(port, probeTimeoutMs))) return false;
  return ask(urlOf(port, password), userTimeoutMs, async (client) => {
    const [, dir] = (await client.config('GET', 'dir')) as string[];
    return dir === dataDir;
  }).catch(() => false);
}

/** Asks one server one thing, within a bound and without retries. */
async function ask<T>(url: string, timeoutMs: number, question: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
  let cause: Error | undefined;
  client.on('error', (error) => {
    cause = error;
  });
  try {
    await client.connect();
    return await question(client);
  } catch (error) {
    throw cause ?? error;
  } finally {
    client.disconnect();
  }
}

async function stop(pid: number, graceMs = defaultGraceMs): Promise<void> {
  if (await endProcess(pid, stopSteps(graceMs))) return;
  throw new StartError(`Redis (process ${pid}) does not stop: end it with \`kill -9 ${pid}\`.`);
}

const secretFile = (dataDir: string) => path.join(dataDir, 'secret.json');
const pidFile = (dataDir: string) => path.join(dataDir, 'redis.pid');
const hostOf = (url: string) => (URL.canParse(url) ? new URL(url).host : 'an address that is no URL');
const urlOf = (port: number, password: string) => `redis://:${password}@127.0.0.1:${port}`;
