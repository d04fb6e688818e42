/** The gateways that are compared, each as a process that serves the same supergraph. */
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../platform/embedded/processes.js';
import type { Child, ChildOptions } from '../children.js';
import { rivalsDirectory } from '../rivals.js';

const readyTimeoutMs = 60_000;

export type Program = (supergraphFile: string, port: number) => Omit<ChildOptions, 'core'>;

const ours =
  (shareInFlight: 'on' | 'off', more: Partial<ChildOptions> = {}): Program =>
  (supergraphFile, port) => ({
    script: new URL('../../gateway/standalone.js', import.meta.url),
    args: ['--supergraph', supergraphFile, '--port', `${port}`, '--no-auth'],
    ...more,
    env: { GATEWAY_SHARE_IN_FLIGHT: shareInFlight, LOG_LEVEL: 'warn', ...more.env },
  });

const hive =
  (share: 'none' | 'subgraphs' | 'all'): Program =>
  (supergraphFile, port) => ({
    script: 'node_modules/@graphql-hive/gateway/dist/bin.js',
    args: [
      'supergraph',
      supergraphFile,
      '--config-path',
      'hive.config.mjs',
      '--port',
      `${port}`,
      '--host',
      '127.0.0.1',
    ],
    env: { BENCH_SHARE: share },
    cwd: rivalsDirectory,
  });

/** Tells about its memory and its event loop; see `probe.ts`. */
const probed = { nodeArgs: ['--expose-gc', '--import', new URL('./probe.js', import.meta.url).href] };

export const contenders = {
  stock: (supergraphFile, port) => ({
    script: 'stock-apollo.mjs',
    args: [supergraphFile, `${port}`],
    env: { APOLLO_TELEMETRY_DISABLED: 'true' },
    cwd: rivalsDirectory,
  }),
  hive: hive('none'),
  /** As it comes: equal requests to subgraphs are sent once. */
  hiveDefault: hive('subgraphs'),
  hiveShared: hive('all'),
  http: ours('off'),
  httpShared: ours('on'),
  inProcess: (supergraphFile, port) => ({
    script: new URL('./in-process.js', import.meta.url),
    args: [supergraphFile, `${port}`],
    env: { GATEWAY_SHARE_IN_FLIGHT: 'off', LOG_LEVEL: 'warn' },
  }),
  httpProbed: ours('off', probed),
  httpProbedApollo: ours('off', { ...probed, env: { QUERY_PLANNER: 'apollo' } }),
} satisfies Record<string, Program>;

export type ContenderName = keyof typeof contenders;

export interface Running {
  child: Child;
  port: number;
}

/** Starts one and waits until it answers an operation. */
export async function startContender(
  name: ContenderName,
  supergraphFile: string,
  start: (options: ChildOptions) => Child,
): Promise<Running> {
  return startServing(name, contenders[name], supergraphFile, start);
}

/** Starts any gateway and waits until it answers an operation. */
export async function startServing(
  name: string,
  program: Program,
  supergraphFile: string,
  start: (options: ChildOptions) => Child,
): Promise<Running> {
  const port = await freePort();
  const child = start({ core: 'measured', ...program(supergraphFile, port) });
  const deadline = performance.now() + readyTimeoutMs;
  for (;;) {
    child.check();
    const response = await post(port, '{ __typename }').catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return { child, port };
    if (performance.now() > deadline) throw new Error(`${name} does not answer within ${readyTimeoutMs} ms.`);
    await delay(50);
  }
}

/** One operation, the slow way. */
export function post(port: number, query: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
}
