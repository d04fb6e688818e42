/** The jobs subgraph in the benchmark's own process, asked through GraphQL as the gateway asks it. */
import type { ExecutionResult } from 'graphql';
import type { Identity } from '../../platform/identity.js';
import type { Platform } from '../../platform/platform.js';
import { createExecutor } from '../../platform/subgraph.js';
import { jobs } from '../../subgraphs/jobs/index.js';

// biome-ignore lint/suspicious/noExplicitAny: the shape follows from the operation's text
type Data = any;

export interface JobsSubgraph {
  /** @throws the first error */
  ask(query: string, variables?: Record<string, unknown>): Promise<Data>;
  /** Submits a query that no old result answers. @returns the job's id */
  submit(query: string): Promise<string>;
  watch(query: string): Promise<AsyncIterableIterator<Data>>;
  close(): Promise<void>;
}

const submission = 'mutation ($input: SubmitJobInput!) { submitJob(input: $input) { id } }';
const deadlineMs = 60_000;

export function openSubgraph(platform: Platform, caller: Identity): JobsSubgraph {
  const parts = jobs.create(platform);
  const executor = createExecutor(jobs, parts, platform.logger);
  const context = () => ({ identity: { ...caller, deadline: Date.now() + deadlineMs }, remoteIp: null });
  const dataOf = ({ data, errors }: ExecutionResult): Data => {
    if (errors) throw new Error(errors[0]!.message);
    return data;
  };
  const ask: JobsSubgraph['ask'] = async (query, variables) =>
    dataOf(await executor.execute({ query, variables }, context()));
  return {
    ask,
    submit: async (query) => (await ask(submission, { input: { query, maxResultAgeSeconds: 0 } })).submitJob.id,
    watch: async (query) => {
      const stream = await executor.subscribe({ query }, context());
      if (!(Symbol.asyncIterator in stream)) return dataOf(stream);
      const events = stream[Symbol.asyncIterator]();
      const next = async (): Promise<IteratorResult<Data>> => {
        const { done, value } = await events.next();
        return done ? { done, value } : { done: false, value: dataOf(value) };
      };
      return {
        next,
        return: async () => (await events.return?.()) ?? { done: true, value: undefined },
        [Symbol.asyncIterator]() {
          return this;
        },
      };
    },
    close: async () => parts.close?.(),
  };
}
