/** For tests of this folder: the subgraph at work on a PostgreSQL database and a Redis server of its own. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startBackground } from '../../platform/background.js';
import { type RunningRedis, startRedis } from '../../platform/embedded/redis.js';
import type { Identity } from '../../platform/identity.js';
import { createExecutor } from '../../platform/subgraph.js';
import { createTestPlatform, type TestPlatform } from '../../tests/setup/database.js';
import { toolchainDir } from '../../tests/setup/toolchain.js';
import { collections } from './index.js';

export interface Bench extends TestPlatform {
  /** Runs an operation; answers its data. @throws the first error's code and message */
  ask<T = Record<string, never>>(identity: Identity, query: string, variables?: Record<string, unknown>): Promise<T>;
  /** Runs an operation and answers the whole result. */
  execute: (
    identity: Identity | undefined,
    query: string,
    variables?: Record<string, unknown>,
  ) => Promise<{
    data?: Record<string, unknown> | null;
    errors?: readonly { message: string; extensions: Record<string, unknown> }[];
  }>;
  subscribe(
    identity: Identity,
    query: string,
    variables: Record<string, unknown>,
  ): Promise<AsyncIterableIterator<{ data: Record<string, never> }>>;
  /** Starts a worker; a second one is another process's. */
  startWorker(): Promise<{ stop(): Promise<void> }>;
  /** Ends the Redis server as a crash would. */
  killRedis(): Promise<void>;
  /** Starts it again with the data that it had on disk. */
  reviveRedis(): Promise<void>;
}

/** Opens everything; the worker is started by the test. */
export async function openBench(): Promise<Bench> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'collections-redis-'));
  let redis: RunningRedis = await startRedis({ dataDir, toolchainDir });
  const test = await createTestPlatform({ REDIS_URL: redis.url });
  const { platform } = test;
  const executor = createExecutor(collections, collections.create(platform), platform.logger);
  const execute: Bench['execute'] = async (identity, query, variables) =>
    (await executor.execute({ query, variables }, { identity, remoteIp: null })) as Awaited<
      ReturnType<Bench['execute']>
    >;
  return {
    ...test,
    execute,
    ask: async (identity, query, variables) => {
      const { data, errors } = await execute(identity, query, variables);
      if (errors?.[0]) throw new Error(`${errors[0].extensions.code}: ${errors[0].message}`);
      return data as never;
    },
    subscribe: async (identity, query, variables) =>
      (await executor.subscribe({ query, variables }, { identity, remoteIp: null })) as never,
    startWorker: async () => {
      const background = await startBackground(platform, [collections]);
      return { stop: () => background.stop(5_000) };
    },
    killRedis: async () => {
      process.kill(redis.pid!, 'SIGKILL');
      await redis.stop();
    },
    reviveRedis: async () => {
      redis = await startRedis({ dataDir, toolchainDir });
    },
    close: async () => {
      await test.close();
      await redis.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** What stands in Redis under a key base, found the way another program finds it: by the key's hash. */
export async function redisEntries(
  bench: Bench,
  redisKeyBase: string,
): Promise<Map<string, { value: string; expiresAtMs: number }>> {
  const { commands, keys } = bench.platform.redis;
  const found = new Map<string, { value: string; expiresAtMs: number }>();
  const start = `${keys.prefix}:${redisKeyBase}:`;
  for (const key of await commands.keys(`${start}*`)) {
    const [value, expiresAtMs] = await Promise.all([commands.get(key), commands.pexpiretime(key)]);
    if (value !== null) found.set(key.slice(start.length), { value, expiresAtMs });
  }
  return found;
}

/** The hash of a key, as SPEC.md tells other programs to make it. */
export const hashOf = (values: unknown[]): string => createHash('sha256').update(JSON.stringify(values)).digest('hex');

export const createMutation = /* GraphQL */ `
  mutation Create($input: CreateCollectionInput!) { createCollection(input: $input) { id status redisKeyBase } }`;

/** Makes a collection and answers its id and key base. */
export async function createCollection(
  bench: Bench,
  identity: Identity,
  input: Record<string, unknown>,
): Promise<{ id: string; redisKeyBase: string }> {
  const { createCollection: made } = await bench.ask<{ createCollection: { id: string; redisKeyBase: string } }>(
    identity,
    createMutation,
    { input },
  );
  return made;
}

/** The status of a collection. */
export async function statusOf(bench: Bench, identity: Identity, id: string): Promise<string | undefined> {
  const { collection } = await bench.ask<{ collection: { status: string } | null }>(
    identity,
    'query($id: ID!) { collection(id: $id) { status } }',
    { id },
  );
  return collection?.status;
}
