/** For tests of this folder: the jobs subgraph on real servers, asked through GraphQL. */
import type { ExecutionResult } from 'graphql';
import { loadConfig } from '../../platform/config.js';
import type { Identity } from '../../platform/identity.js';
import { createPlatform } from '../../platform/platform.js';
import { createExecutor, type Worker } from '../../platform/subgraph.js';
import { createTestPlatform, type TestPlatform } from '../../tests/setup/database.js';
import { jobs } from './index.js';

/** A query that would run for hours. */
export const endlessQuery = 'SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b';

// biome-ignore lint/suspicious/noExplicitAny: the shape follows from the operation's text
type Data = any;

export interface JobsTest extends TestPlatform {
  /** Runs an operation and answers its data. @throws the first error, with its code as the message's start */
  ask(identity: Identity, query: string, variables?: Record<string, unknown>): Promise<Data>;
  /** Opens a subscription and answers the values of its one field. */
  watch(identity: Identity, query: string, variables: Record<string, unknown>): AsyncIterable<Data>;
  submit(identity: Identity, input: Record<string, unknown>): Promise<Data>;
  /** Starts a worker process's part of jobs: on connections of its own, as another process has them. */
  startWorker(): Promise<Worker>;
  /** How many of users' queries the database runs now. */
  runningQueries(): Promise<number>;
}

const check = (result: ExecutionResult): Data => {
  const error = result.errors?.[0];
  if (error)
    throw Object.assign(new Error(`${error.extensions.code}: ${error.message}`), { extensions: error.extensions });
  return result.data;
};

/** The subgraph without a worker; the test starts those. */
export async function createJobsTest(settings: Record<string, string> = {}): Promise<JobsTest> {
  const test = await createTestPlatform(settings);
  const parts = jobs.create(test.platform);
  const executor = createExecutor(jobs, parts, test.platform.logger);
  const atEnd: (() => Promise<unknown>)[] = [];
  const ask: JobsTest['ask'] = async (identity, query, variables) =>
    check(await executor.execute({ query, variables }, { identity, remoteIp: null }));
  return {
    ...test,
    ask,
    async *watch(identity, query, variables) {
      const events = await executor.subscribe({ query, variables }, { identity, remoteIp: null });
      if (!(Symbol.asyncIterator in events)) return check(events);
      for await (const event of events) yield Object.values(check(event))[0];
    },
    submit: async (identity, input) => {
      const mutation =
        'mutation ($input: SubmitJobInput!) { submitJob(input: $input) { id status resultCount error { code message } } }';
      return (await ask(identity, mutation, { input })).submitJob;
    },
    startWorker: async () => {
      const platform = createPlatform(loadConfig(test.env), 'worker');
      const [worker] = await jobs.create(platform).startWorkers!();
      let stopped: Promise<void> | undefined;
      const stop = (deadlineMs: number) => {
        stopped ??= worker!.stop(deadlineMs).finally(() => platform.close());
        return stopped;
      };
      atEnd.push(() => stop(100));
      return { name: worker!.name, stop };
    },
    runningQueries: async () => {
      const [row] = await test.database.asSuperuser<{ count: number }>(
        `SELECT count(*)::int AS count FROM pg_stat_activity
          WHERE datname = current_database() AND usename = 'harborwatch_query' AND state = 'active'`,
      );
      return row!.count;
    },
    close: async () => {
      await Promise.all(atEnd.map((end) => end()));
      await parts.close?.();
      await test.close();
    },
  };
}
