/** Our own processes: started, watched, started again when they crash, and drained in the end. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endProcess, waitUntilGone } from '../../platform/embedded/processes.js';
import { StartError } from '../../platform/embedded/start-error.js';
import { forget, remember } from './leftovers.js';
import { boundLog } from './logs.js';
import type { Shutdown } from './shutdown.js';
import { say, warn } from './terminal.js';

/** Name and compiled entry file of each. */
const ours = { gateway: 'dist/gateway/main.js', workers: 'dist/subgraphs/work.js' };

const readyTimeoutMs = 60_000;
const drainMs = 4_500;
const killMs = 300;
const firstBackoffMs = 250;
const longestBackoffMs = 10_000;
/** A process that stayed up this long starts its count of crashes anew. */
const steadyMs = 60_000;
const mostCrashes = 10;

interface Input {
  dataDir: string;
  /** The checkout. */
  root: string;
  env: NodeJS.ProcessEnv;
  shutdown: Shutdown;
  /** Entry files by name, below `root`. Default: the gateway and the workers. */
  programs?: Record<string, string>;
}

/** Starts all processes and resolves when each has sent `{ ready: true }`. */
export async function startProcesses(input: Input): Promise<void> {
  const running = new Map<string, ChildProcess>();
  input.shutdown.add(async (hasten) => {
    await Promise.all([...running.values()].map((child) => drain(child, hasten)));
    for (const name of running.keys()) await forget(input.dataDir, name);
  });
  const starting = Object.entries(input.programs ?? ours).map(([name, file]) => startOne(name, file, running, input));
  await input.shutdown.unlessStopped(Promise.all(starting));
}

async function startOne(name: string, file: string, running: Map<string, ChildProcess>, input: Input): Promise<void> {
  const { dataDir, shutdown } = input;
  const logFile = await boundLog(dataDir, name);
  let child = await spawnProcess(name, file, logFile, input);
  running.set(name, child);
  if (!(await becomesReady(child))) {
    if (shutdown.stopping) return;
    throw new StartError(`The ${name} process does not start: ${await lastWords(logFile)} Its log is ${logFile}.`);
  }
  const keepRunning = async () => {
    for (let crashes = 0; ; ) {
      const upSince = performance.now();
      const [code, signal] =
        (child.exitCode ?? child.signalCode) ? [child.exitCode, child.signalCode] : await once(child, 'exit');
      if (shutdown.stopping) return;
      crashes = performance.now() - upSince > steadyMs ? 1 : crashes + 1;
      const how = signal ?? `exit ${code}`;
      if (crashes > mostCrashes) {
        return shutdown.fail(
          `The ${name} process crashed ${crashes} times in a row (${how}): see ${logFile}. Stopping.`,
        );
      }
      const waitMs = Math.min(firstBackoffMs * 2 ** (crashes - 1), longestBackoffMs);
      warn(`The ${name} process ended (${how}): starting it again in ${waitMs / 1000} s. Its log is ${logFile}.`);
      await delay(waitMs);
      if (shutdown.stopping) return;
      child = await spawnProcess(name, file, logFile, input);
      running.set(name, child);
      if (await becomesReady(child)) say(`The ${name} process is up again.`);
      else child.kill('SIGKILL');
    }
  };
  keepRunning().catch((error: Error) => shutdown.fail(`The ${name} process cannot be watched: ${error.message}`));
}

/** Detached, so that a terminal's Ctrl-C reaches the supervisor alone, which drains the rest in turn. */
async function spawnProcess(name: string, file: string, logFile: string, { dataDir, root, env }: Input) {
  const log = openSync(logFile, 'a', 0o600);
  try {
    const child = fork(path.join(root, file), [], {
      cwd: root,
      env,
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
    });
    child.on('error', () => {}); // Seen as a process that never becomes ready.
    if (child.pid) await remember(dataDir, name, child.pid);
    return child;
  } finally {
    closeSync(log);
  }
}

/** True when the child says `{ ready: true }`, false when it ends first or is not up in time. */
function becomesReady(child: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, readyTimeoutMs, false);
    const settle = (ready: boolean) => {
      clearTimeout(timer);
      resolve(ready);
    };
    child.on('message', (message: { ready?: boolean }) => {
      if (message.ready) settle(true);
    });
    child.once('exit', () => settle(false));
    if (child.exitCode !== null || child.signalCode !== null) settle(false);
  });
}

/** Lets the child finish what runs, within a bound; `hasten` ends the patience. */
async function drain({ pid }: ChildProcess, hasten: AbortSignal): Promise<void> {
  if (pid === undefined) return;
  const hastened = new Promise<void>((resolve) => hasten.addEventListener('abort', () => resolve(), { once: true }));
  const gone = endProcess(pid, [{ signal: 'SIGTERM', waitMs: hasten.aborted ? 0 : drainMs }]);
  await Promise.race([gone, hastened]);
  if (await waitUntilGone(pid, 0)) return;
  await endProcess(pid, [{ signal: 'SIGKILL', waitMs: killMs }]);
}

/** The last thing a process logged: the message of a JSON line, or the line. */
async function lastWords(logFile: string): Promise<string> {
  const tailBytes = 4_096;
  const handle = await open(logFile, 'r');
  try {
    const { size } = await handle.stat();
    const { buffer, bytesRead } = await handle.read(
      Buffer.alloc(tailBytes),
      0,
      tailBytes,
      Math.max(0, size - tailBytes),
    );
    const lines = buffer.toString('utf8', 0, bytesRead).trim().split('\n');
    const error = lines.findLast((line) => /^\w*Error\b|"level":(50|60)/.test(line)) ?? lines.at(-1) ?? '';
    return messageOf(error);
  } finally {
    await handle.close();
  }
}

function messageOf(line: string): string {
  try {
    return `${JSON.parse(line).msg}.`;
  } catch {
    return line ? `${line}.` : 'it wrote nothing.';
  }
}
