/** What `postmaster.pid` in a cluster tells of the server that runs, or ran, on it. */
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { commandLine, type EndStep, endProcess, isRunning } from './processes.js';
import { StartError } from './start-error.js';

/** The server that runs on a cluster. */
export interface Postmaster {
  pid: number;
  port: number;
  /** True once it accepts connections. */
  ready: boolean;
}

/** SIGINT ends the sessions and writes a checkpoint; SIGQUIT leaves without it, and the next start recovers. */
const stopSteps = (graceMs: number): readonly EndStep[] => [
  { signal: 'SIGINT', waitMs: graceMs },
  { signal: 'SIGQUIT', waitMs: 500 },
  { signal: 'SIGKILL', waitMs: 300 },
];
const defaultGraceMs = 5_000;

/** The server that runs on the cluster now; undefined when there is none, whatever a stale pid file says. */
export async function runningPostmaster(clusterDir: string): Promise<Postmaster | undefined> {
  const lines = (await readFile(pidFile(clusterDir), 'utf8').catch(() => '')).split('\n');
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 1 || !isRunning(pid)) return undefined;
  // Another process may have the pid by now. Ours was started with `-D clusterDir`, and nothing rewrites that.
  const command = commandLine(pid);
  if (!command?.includes('postgres') || !command.includes(clusterDir)) return undefined;
  return { pid, port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' };
}

/** Ends the server of the cluster, if one runs, and removes the pid file that a crash left. */
export async function endPostmaster(clusterDir: string): Promise<void> {
  const running = await runningPostmaster(clusterDir);
  if (running) await stopPostmaster(running.pid);
  await rm(pidFile(clusterDir), { force: true });
}

/** Stops a server in bounded time: fast, then immediate, then killed. */
export async function stopPostmaster(pid: number, graceMs = defaultGraceMs): Promise<void> {
  if (await endProcess(pid, stopSteps(graceMs))) return;
  throw new StartError(`PostgreSQL (process ${pid}) does not stop: end it with \`kill -9 ${pid}\`.`);
}

const pidFile = (clusterDir: string) => path.join(clusterDir, 'postmaster.pid');
