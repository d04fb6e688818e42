/** `npm run worker` in real processes, straight from the sources: the supervisor and the workers that it starts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

export interface WorkerProcesses {
  /** Of the supervisor. */
  pid: number;
  /** Everything that they printed so far. */
  output(): string;
  /** Stops them as Ctrl-C does. @returns the exit status */
  stop(): Promise<number | null>;
  /** Kills the supervisor and these workers, so that none of them can do anything more. */
  kill(workers: readonly number[]): Promise<void>;
}

const readyTimeoutMs = 60_000;
const runTypeScript = path.resolve('tests/support/run-typescript.mjs');

/** `npm run worker` with these arguments, without the parts that install and build. */
export const runWorker = (args: string[], env: Record<string, string>) =>
  spawn(process.execPath, ['--no-warnings', '--import', runTypeScript, 'scripts/worker.ts', ...args], {
    env: { PATH: process.env.PATH, ...env },
    // The channel: they end with the test, however that ends.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });

/** Starts them and waits until they say that they are ready. */
export async function startWorkerProcesses(args: string[], env: Record<string, string>): Promise<WorkerProcesses> {
  const child = runWorker(args, env);
  let text = '';
  const ready = Promise.withResolvers<void>();
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('are ready')) ready.resolve();
    });
  }
  const exited = once(child, 'exit').then(([status]) => status as number | null);
  void exited.then(() => ready.reject(new Error(`It ended before it was ready:\n${text}`)));
  const timer = setTimeout(
    () => ready.reject(new Error(`Not ready in ${readyTimeoutMs} ms:\n${text}`)),
    readyTimeoutMs,
  );
  await ready.promise.finally(() => clearTimeout(timer));
  return {
    pid: child.pid!,
    output: () => text,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      return exited;
    },
    kill: async (workers) => {
      // The supervisor first: it would start them again.
      for (const pid of [child.pid!, ...workers]) process.kill(pid, 'SIGKILL');
      await exited;
    },
  };
}
