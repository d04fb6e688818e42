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

const readyTimeoutMs = 60_000;
const drainMs = 4_500;
const killMs = 300;
const firstBackoffMs = 250;
const longestBackoffMs = 10_000;
/** A process that stayed up this long starts its count of crashes anew. */
const steadyMs = 60_000;
const mostCrashes = 10;

export interface ProcessesInput {
  /** Where logs go, and where processes are remembered. Undefined: they log to our own output. */
  dataDir: string | undefined;
  /** The checkout. */
  root: string;
  env: NodeJS.ProcessEnv;
  shutdown: Shutdown;
}

interface OwnProcess {
  name: string;
  /** The entry file; a relative path is one below `root`. */
  file: string;
  logFile: string | undefined;
  /** The latest one. */
  child: ChildProcess | undefined;
  /** It is to end, and not to be started again. */
  retired: boolean;
}

export class Processes {
  readonly #input: ProcessesInput;
  readonly #running = new Map<string, OwnProcess>();

  constructor(input: ProcessesInput) {
    this.#input = input;
    input.shutdown.add(async (hasten) => {
      await Promise.all([...this.#running.values()].map((process) => this.#end(process, hasten)));
    });
  }

  /** Starts one and resolves when it has sent `{ ready: true }`. @throws StartError with its last words */
  async start(name: string, file: string): Promise<void> {
    const { dataDir, shutdown } = this.#input;
    const logFile = dataDir === undefined ? undefined : await boundLog(dataDir, name);
    if (shutdown.stopping) return;
    const process: OwnProcess = { name, file, logFile, child: undefined, retired: false };
    this.#running.set(name, process);
    const child = await this.#spawn(process);
    if (!(await becomesReady(child))) {
      if (shutdown.stopping) return;
      await this.#end(process, AbortSignal.abort());
      const where =
        logFile === undefined ? 'what it said is above.' : `${await lastWords(logFile)} Its log is ${logFile}.`;
      throw new StartError(`The ${name} process does not start: ${where}`);
    }
    this.#keepRunning(process, child).catch((error: Error) =>
      shutdown.fail(`The ${name} process cannot be watched: ${error.message}`),
    );
  }

  /** Ends one that is no longer needed: it finishes what it can in a few seconds, and hands the rest back. */
  async retire(name: string): Promise<void> {
    const process = this.#running.get(name);
    if (process) await this.#end(process, new AbortController().signal);
  }

  async #end(process: OwnProcess, hasten: AbortSignal): Promise<void> {
    process.retired = true;
    if (process.child) await drain(process.child, hasten);
    this.#running.delete(process.name);
    if (this.#input.dataDir !== undefined) await forget(this.#input.dataDir, process.name);
  }

  async #keepRunning(process: OwnProcess, first: ChildProcess): Promise<void> {
    const { shutdown } = this.#input;
    const { name, logFile } = process;
    const seeLog = logFile === undefined ? '' : ` Its log is ${logFile}.`;
    let child = first;
    for (let crashes = 0; ; ) {
      const upSince = performance.now();
      const [code, signal] = hasEnded(child) ? [child.exitCode, child.signalCode] : await once(child, 'exit');
      if (shutdown.stopping || process.retired) return;
      crashes = performance.now() - upSince > steadyMs ? 1 : crashes + 1;
      const how = signal ?? `exit ${code}`;
      if (crashes > mostCrashes) {
        return shutdown.fail(`The ${name} process crashed ${crashes} times in a row (${how}).${seeLog} Stopping.`);
      }
      const waitMs = Math.min(firstBackoffMs * 2 ** (crashes - 1), longestBackoffMs);
      warn(`The ${name} process ended (${how}): starting it again in ${waitMs / 1000} s.${seeLog}`);
      await delay(waitMs);
      if (shutdown.stopping || process.retired) return;
      child = await this.#spawn(process);
      if (await becomesReady(child)) say(`The ${name} process is up again.`);
      else child.kill('SIGKILL');
    }
  }

  /** Detached, so that a terminal's Ctrl-C reaches the supervisor alone, which drains the rest in turn. */
  async #spawn(process: OwnProcess): Promise<ChildProcess> {
    const { dataDir, root, env } = this.#input;
    const log = process.logFile === undefined ? 'inherit' : openSync(process.logFile, 'a', 0o600);
    try {
      const stdio = ['ignore', log, log, 'ipc'] as const;
      const child = fork(path.resolve(root, process.file), [], { cwd: root, env, detached: true, stdio: [...stdio] });
      child.on('error', () => {}); // Seen as a process that never becomes ready.
      process.child = child;
      if (child.pid && dataDir !== undefined) await remember(dataDir, process.name, child.pid);
      return child;
    } finally {
      if (typeof log === 'number') closeSync(log);
    }
  }
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;

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
    if (hasEnded(child)) settle(false);
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
