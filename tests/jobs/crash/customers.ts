/** Callers of the gateway who never give up: whatever breaks on the way, they ask again until they have an answer. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Identity } from '../../../platform/identity.js';
import type { Random } from '../../query/random/random.js';
import { callersOf } from '../../setup/gateway.js';
import type { Order } from './orders.js';
import type { JobsSystem } from './system.js';

const requestTimeoutMs = 10_000;
const retryAfterMs = 100;
/** What says "try again"; any other error is an answer. */
const passing = new Set(['SERVICE_UNAVAILABLE', 'SUBGRAPH_UNAVAILABLE', 'SUBGRAPH_TIMEOUT', 'DEADLINE_EXCEEDED']);

export interface GraphQLFailure {
  message: string;
  extensions: Record<string, unknown> & { code: string };
}

interface Answer<Data> {
  data: Data;
  errors: GraphQLFailure[];
}

export interface AskOptions {
  /** The share of requests whose connection is cut before the answer. Default 0. */
  cutShare?: number;
}

const submitJob = 'mutation ($input: SubmitJobInput!) { submitJob(input: $input) { id } }';
const cancelJob = 'mutation ($id: ID!) { cancelJob(input: { id: $id }) { previousStatus cancelledAt } }';

export class Customers {
  readonly #url: string;
  readonly #random: Random;
  readonly #tokenFor: (identity: Identity) => Promise<string>;

  constructor(system: Pick<JobsSystem, 'url' | 'platform'>, random: Random) {
    this.#url = system.url;
    this.#random = random;
    this.#tokenFor = callersOf(system.url, system.platform).tokenFor;
  }

  /** Asks until there is an answer. */
  async ask<Data>(identity: Identity, query: string, variables: object, options?: AskOptions): Promise<Answer<Data>> {
    for (;;) {
      const answer = await this.#tryOnce<Data>(identity, query, variables, options?.cutShare ?? 0);
      if (answer && !answer.errors.some(({ extensions }) => passing.has(extensions.code))) return answer;
      await delay(retryAfterMs);
    }
  }

  /** @returns the job's id, once the submission is acknowledged */
  async submit(
    identity: Identity,
    { key, input }: Pick<Order, 'key' | 'input'>,
    options?: AskOptions,
  ): Promise<string> {
    const variables = { input: { ...input, idempotencyKey: key, metadata: { key } } };
    const { data, errors } = await this.ask<{ submitJob: { id: string } }>(identity, submitJob, variables, options);
    if (errors.length > 0) throw new Error(`${key} was refused: ${JSON.stringify(errors)}`);
    return data.submitJob.id;
  }

  /** Cancels a job that does not end by itself. A retry may find that the first try did it. */
  async cancel(identity: Identity, id: string): Promise<void> {
    const { errors } = await this.ask(identity, cancelJob, { id }, {});
    const [error] = errors;
    const isDone = error?.extensions.code === 'JOB_NOT_CANCELLABLE' && error.extensions.status === 'CANCELLED';
    if (error && !isDone) throw new Error(`${id} was not cancelled: ${JSON.stringify(errors)}`);
  }

  async #tryOnce<Data>(identity: Identity, query: string, variables: object, cutShare: number) {
    const headers = {
      'content-type': 'application/json',
      authorization: `Bearer ${await this.#tokenFor(identity)}`,
    };
    const cut = new AbortController();
    const timer = setTimeout(
      () => cut.abort(),
      this.#random.chance(cutShare) ? this.#random.between(0, 40) : requestTimeoutMs,
    );
    try {
      const body = JSON.stringify({ query, variables });
      const response = await fetch(`${this.#url}/graphql`, { method: 'POST', headers, body, signal: cut.signal });
      const { data, errors = [] } = (await response.json()) as { data: Data; errors?: GraphQLFailure[] };
      return { data, errors };
    } catch {
      return undefined; // Nobody listens, the connection broke, or it took too long.
    } finally {
      clearTimeout(timer);
    }
  }
}
