/** How the gateway reaches a subgraph in another process: GraphQL over HTTP, its streams over a WebSocket. */
import type { Config } from '../../platform/config.js';
import type { HopSigner } from '../../platform/hop-tokens.js';
import type { Logger } from '../../platform/logging.js';
import type { GatewayMetrics } from '../../platform/metrics.js';
import { within } from '../../platform/within.js';
import type { RequestContext } from '../context.js';
import { Breaker } from './breaker.js';
import { HttpCall, type Target } from './http-call.js';
import { type OpenPool, openPool } from './pools.js';
import type { FetchOperation, Source, SubgraphAnswer, Variables } from './source.js';
import { UpstreamSocket } from './upstream-socket.js';

export interface HttpSourceOptions {
  /** The subgraph's name in the supergraph. */
  name: string;
  /** Where it answers, such as `http://127.0.0.1:4101/jobs`. */
  url: string;
  settings: Pick<
    Config,
    | 'subgraphTimeoutMs'
    | 'subgraphConnections'
    | 'subgraphAnswerBytes'
    | 'breakerFailures'
    | 'breakerFailurePercent'
    | 'breakerCooldownMs'
  >;
  /** Signs every call. For the product's own subgraph processes, which take no other; foreign ones go without. */
  signer?: HopSigner | undefined;
  logger: Logger;
  /** Is told of the breaker's states. */
  metrics?: Pick<GatewayMetrics, 'breaker'> | undefined;
}

const healthTimeoutMs = 2_000;
const smallest: FetchOperation = { text: '{__typename}', kind: 'query' };

export class HttpSource implements Source {
  readonly name: string;
  readonly #target: Target;
  readonly #pool: OpenPool;
  readonly #socket: UpstreamSocket;
  /** The beginning of the body of each operation, which is the same in every call. */
  readonly #prefixes = new WeakMap<FetchOperation, string>();

  constructor({ name, url, settings, signer, logger, metrics }: HttpSourceOptions) {
    const { origin, pathname, search } = new URL(url);
    this.name = name;
    this.#pool = openPool(origin, {
      connections: settings.subgraphConnections,
      connectTimeoutMs: settings.subgraphTimeoutMs,
    });
    metrics?.breaker(name, 'closed');
    this.#target = {
      name,
      pool: this.#pool.pool,
      path: pathname + search,
      breaker: new Breaker({
        failures: settings.breakerFailures,
        failurePercent: settings.breakerFailurePercent,
        cooldownMs: settings.breakerCooldownMs,
        onChange: (state) => {
          logger.warn({ subgraph: name, state }, 'the breaker of a subgraph changed');
          metrics?.breaker(name, state);
        },
      }),
      timeoutMs: settings.subgraphTimeoutMs,
      answerBytes: settings.subgraphAnswerBytes,
      signer,
      logger,
    };
    this.#socket = new UpstreamSocket({
      name,
      url: url.replace(/^http/, 'ws'),
      timeoutMs: settings.subgraphTimeoutMs,
      eventBytes: settings.subgraphAnswerBytes,
      signer,
      logger,
    });
  }

  execute(
    operation: FetchOperation,
    variables: Variables | undefined,
    context: RequestContext,
  ): Promise<SubgraphAnswer> {
    let prefix = this.#prefixes.get(operation);
    if (prefix === undefined) {
      prefix = `{"query":${JSON.stringify(operation.text)}`;
      this.#prefixes.set(operation, prefix);
    }
    const body = variables ? `${prefix},"variables":${JSON.stringify(variables)}}` : `${prefix}}`;
    return new Promise((resolve) => new HttpCall(this.#target, operation.kind, body, context, resolve).start());
  }

  async subscribe(
    operation: FetchOperation,
    variables: Variables | undefined,
    context: RequestContext,
  ): Promise<AsyncIterableIterator<SubgraphAnswer>> {
    return this.#socket.subscribe(operation, variables, context);
  }

  isHealthy(): Promise<boolean> {
    return within(healthTimeoutMs, this.#askHealth(), false);
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.#pool.release();
  }

  /** Our own subgraph processes tell by themselves; a foreign one is asked the smallest question. */
  async #askHealth(): Promise<boolean> {
    const { pool, signer } = this.#target;
    if (signer) {
      const { statusCode, body } = await pool.request({ method: 'GET', path: '/health/ready' });
      await body.dump();
      if (statusCode !== 404) return statusCode === 200;
    }
    const deadline = Date.now() + healthTimeoutMs;
    const context = { identity: undefined, remoteIp: null, requestId: crypto.randomUUID(), deadline };
    return (await this.execute(smallest, undefined, context)).data !== undefined;
  }
}
