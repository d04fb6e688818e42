/** Subgraphs in real processes of their own, as `npm run serve` runs them, straight from the sources. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface SubgraphProcess {
  /** Such as `jobs=http://127.0.0.1:4101/jobs,audit=...`, for SUBGRAPH_URLS. */
  urls: string;
  port: number;
  process: ChildProcess;
  /** Everything that it printed so far. */
  output(): string;
  /** Sends the signal and waits for the end. @returns the exit status; null after a signal */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

const readyTimeoutMs = 60_000;

/** Starts one and waits until it listens. @param port of an earlier one that ended, or 0 for a free one */
export async function startSubgraphProcess(
  names: string[],
  env: Record<string, string>,
  port = 0,
): Promise<SubgraphProcess> {
  const child = runServe([names.join(','), '--port', String(port)], env);
  let text = '';
  const ready = Promise.withResolvers<void>();
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (names.every((name) => text.includes(`${name} is at `))) ready.resolve();
    });
  }
  const exited = once(child, 'exit').then(([status]) => status as number | null);
  void exited.then(() => ready.reject(new Error(`It ended before it was ready:\n${text}`)));
  const timer = setTimeout(
    () => ready.reject(new Error(`Not ready in ${readyTimeoutMs} ms:\n${text}`)),
    readyTimeoutMs,
  );
  await ready.promise.finally(() => clearTimeout(timer));
  const addresses = [...text.matchAll(/^(\w+) is at (\S+)$/gm)];
  return {
    urls: addresses.map(([, name, url]) => `${name}=${url}`).join(','),
    port: Number(new URL(addresses[0]![2]!).port),
    process: child,
    output: () => text,
    end: async (signal = 'SIGTERM') => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      return exited;
    },
  };
}

/** `npm run serve` with these arguments, without the parts that install and build. */
export function runServe(args: string[], env: Record<string, string>): ChildProcess {
  const runTypeScript = './tests/support/run-typescript.mjs';
  return spawn(process.execPath, ['--no-warnings', '--import', runTypeScript, 'subgraphs/serve.ts', ...args], {
    env: { PATH: process.env.PATH, ...env },
    // The channel: it ends with the test, however that ends.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
}
