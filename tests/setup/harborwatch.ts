/** The whole product for end-to-end tests: `npm start` on a data directory and a port of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../platform/embedded/processes.js';

export interface RunningHarborwatch {
  /** Such as `http://127.0.0.1:41234`. */
  url: string;
  email: string;
  password: string;
  dataDir: string;
  /** Everything that the start printed so far. */
  output(): string;
  process: ChildProcess;
  /** Stops it the way Ctrl-C does; the data stays for the next start. @returns the exit status */
  stop(): Promise<number | null>;
  /** Stops it and removes its data. */
  dispose(): Promise<void>;
}

const readyTimeoutMs = 240_000;

export interface StartOptions {
  /** Start again on the data of an earlier one. Default: a new directory. */
  dataDir?: string;
  env?: Record<string, string>;
}

/** Starts it and waits until it says that it is ready. */
export async function startHarborwatch(options: StartOptions = {}): Promise<RunningHarborwatch> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'harborwatch-e2e-')));
  // Under root PostgreSQL runs as another user, who has to enter it.
  await chmod(dataDir, 0o755);
  const port = await freePort();
  const credentials = { email: 'admin@e2e.example', password: 'correct horse battery' };
  const child = spawn(process.execPath, ['scripts/start.mjs', '--port', String(port), '--data-dir', dataDir], {
    env: { ...process.env, ADMIN_EMAIL: credentials.email, ADMIN_PASSWORD: credentials.password, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit').then(([status]) => status as number | null);
  let text = '';
  const ready = Promise.withResolvers<void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('Harborwatch is ready')) ready.resolve();
    });
  }
  const timer = setTimeout(
    () => ready.reject(new Error(`Not ready in ${readyTimeoutMs} ms:\n${text}`)),
    readyTimeoutMs,
  );
  exited.then(() => ready.reject(new Error(`It ended before it was ready:\n${text}`)));
  await ready.promise.finally(() => clearTimeout(timer));
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    return exited;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    ...credentials,
    dataDir,
    output: () => text,
    process: child,
    stop,
    dispose: async () => {
      await stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
