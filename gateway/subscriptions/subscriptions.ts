/** All subscriptions of the gateway: opened, shared among equal callers, and carried over to a new supergraph. */
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { canonicalJson } from '../../platform/canonical-json.js';
import type { Clock } from '../../platform/clock.js';
import type { Config } from '../../platform/config.js';
import { HarborwatchError, toErrorPayload } from '../../platform/errors.js';
import type { Logger } from '../../platform/logging.js';
import { formatError } from '../apollo.js';
import { callerKey, type RequestContext } from '../context.js';
import type { CompiledOperation, OperationResult } from '../execution/compiled-operation.js';
import type { Graph } from '../graph.js';
import { Execution, type Subscribed } from './execution.js';
import { Message } from './message.js';
import { type Caller, prepare, type SubscriptionPlan } from './prepare.js';
import { readSharingRules, type Sharing, type SharingRules, sharingOf } from './stream-sharing.js';
import type { Sink, Subscriber } from './subscriber.js';
import { Upstream } from './upstream.js';

export interface SubscriptionsOptions {
  graph: Pick<Graph, 'gateway' | 'limits' | 'metrics'>;
  config: Config;
  clock: Clock;
  logger: Logger;
}

/** An execution with what it takes to plan it again. */
interface Running {
  execution: Execution;
  plan: SubscriptionPlan;
  /** One of the equal callers who share it. */
  caller: Caller;
}

export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #executions = new Map<string, Running>();
  readonly #upstreams = new Map<string, Upstream>();
  /** Also those that nobody joins any more. */
  readonly #running = new Set<Running>();
  /** One number for each compiled operation: equal texts are compiled to different plans where one is rolled out by degrees. */
  readonly #ids = new WeakMap<CompiledOperation, number>();
  #lastId = 0;
  readonly #stopListening: () => void;
  #rules: SharingRules;

  constructor(options: SubscriptionsOptions) {
    const { gateway } = options.graph;
    this.#options = options;
    this.#rules = readSharingRules(gateway.supergraphSdl);
    this.#stopListening = gateway.onSchemaLoadOrUpdate(({ coreSupergraphSdl }) => this.#reload(coreSupergraphSdl));
  }

  /** Opens a subscription, or joins an equal one. Errors of its source go to the sink like those of its events. */
  open(plan: SubscriptionPlan, caller: Caller, sink: Sink): Subscriber {
    const { compiled, operationName, variables } = plan;
    const scope = callerKey(caller);
    const key = canonicalJson([scope, this.#idOf(compiled), variables.raw]);
    const known = this.#executions.get(key);
    if (known?.execution.joinableFor(compiled)) return known.execution.join(sink);
    const sharing = sharingOf(this.#rules, compiled.document, operationName, variables.raw);
    const running: Running = { plan, caller, execution: this.#execute(plan, caller, scope, sharing, () => ended()) };
    const ended = () => {
      this.#running.delete(running);
      if (this.#executions.get(key) === running) this.#executions.delete(key);
    };
    this.#executions.set(key, running);
    this.#running.add(running);
    return running.execution.join(sink);
  }

  close(): void {
    this.#stopListening();
  }

  #idOf(compiled: CompiledOperation): number {
    const id = this.#ids.get(compiled) ?? ++this.#lastId;
    this.#ids.set(compiled, id);
    return id;
  }

  #execute(plan: SubscriptionPlan, caller: Caller, scope: string, sharing: Sharing, onEnd: () => void): Execution {
    const { logger, config, graph } = this.#options;
    return new Execution(plan, this.#upstream(plan, caller, scope, sharing), {
      sharing,
      bounds: { messages: config.subscriptionQueueMessages, bytes: config.subscriptionQueueBytes },
      complete: async ({ subscription, variables }, event) => {
        try {
          const result = await subscription.resolveEvent(event, variables, this.#contextFor(caller));
          return formatted(result, logger);
        } catch (error) {
          return { data: null, errors: [this.#explain(error)] };
        }
      },
      explain: ({ errors = [] }) => Message.ofErrors(errors.map((error) => formatError(error, logger))),
      onEnd,
      metrics: graph.metrics,
    });
  }

  #upstream({ subscription, variables }: SubscriptionPlan, caller: Caller, scope: string, sharing: Sharing): Upstream {
    const { source, operation } = subscription.upstream;
    const given = subscription.upstream.variables(variables);
    const key = canonicalJson([scope, source.name, given ?? null, operation.text]);
    const known = this.#upstreams.get(key);
    if (known?.joinable && known.source === source) return known;
    const upstream: Upstream = new Upstream(source, sharing, {
      onEnd: () => {
        if (this.#upstreams.get(key) === upstream) this.#upstreams.delete(key);
      },
      explain: (error) => ({ errors: [this.#explain(error)] }),
    });
    this.#upstreams.set(key, upstream);
    void upstream.open(source.subscribe(operation, given, this.#contextFor(caller)));
    return upstream;
  }

  /**
   * What subgraphs see of a shared subscription. It belongs to no single connection or token: each lasts as long as it
   * likes, and only what all sharers have in common is told. Every event has a deadline of its own.
   */
  #contextFor({ identity, forwardedHeaders }: Caller): RequestContext {
    const { clock, config } = this.#options;
    const requestId = crypto.randomUUID();
    const deadline = () => clock.now() + config.operationTimeoutMs;
    const { expiresAtMs, ...lasting } = identity ?? {};
    return {
      identity: identity && {
        ...(lasting as typeof identity),
        requestId,
        get deadline() {
          return deadline();
        },
      },
      remoteIp: null,
      requestId,
      deadline: deadline(),
      ...(forwardedHeaders ? { forwardedHeaders } : {}),
    };
  }

  /** What a client is told of something that was thrown. */
  #explain(error: unknown): GraphQLFormattedError {
    const { logger } = this.#options;
    if (error instanceof HarborwatchError) return toErrorPayload(error);
    if (error instanceof GraphQLError) return formatError(error.toJSON(), logger, error);
    return formatError({ message: String(error) }, logger, error);
  }

  /** A new supergraph: what runs ends its event on the old one, and goes on if it still means the same. */
  #reload(supergraphSdl: string): void {
    this.#rules = readSharingRules(supergraphSdl);
    for (const running of this.#running) running.execution.replan(() => this.#planAgain(running));
  }

  async #planAgain(running: Running): Promise<Subscribed | Message> {
    const { gateway, limits } = this.#options.graph;
    const { query, operationName, given, subscription, variables } = running.plan;
    const request = { query, operationName, variables: given, extensions: undefined };
    const prepared = await prepare(gateway, request, limits, running.caller.identity);
    if (prepared.kind !== 'subscription') return reloaded;
    const upstream = prepared.subscription.upstream;
    const isSame =
      upstream.source === subscription.upstream.source &&
      upstream.operation.text === subscription.upstream.operation.text &&
      canonicalJson(upstream.variables(prepared.variables)) ===
        canonicalJson(subscription.upstream.variables(variables));
    if (!isSame) return reloaded;
    running.plan = prepared;
    return prepared;
  }
}

const reloaded = Message.ofErrors([
  {
    message: 'The graph has changed, and this subscription does not mean the same any more. Subscribe again.',
    extensions: { code: 'SUBSCRIPTION_SCHEMA_RELOAD' },
  },
]);

/** A result as clients get it. */
export function formatted({ data, errors, extensions }: OperationResult, logger: Logger): OperationResult {
  return {
    ...(data === undefined ? {} : { data }),
    ...(errors ? { errors: errors.map((error) => formatError(error, logger)) } : {}),
    ...(extensions ? { extensions } : {}),
  };
}
