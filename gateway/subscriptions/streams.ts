/** The long-lived connections of the gateway: WebSockets and event streams, with the subscriptions that they share. */
import type { Server } from 'node:http';
import type { Clock } from '../../platform/clock.js';
import type { Config } from '../../platform/config.js';
import type { Logger } from '../../platform/logging.js';
import type { Tokens } from '../../platform/tokens.js';
import type { Graph } from '../graph.js';
import type { Exchange } from '../http/listener.js';
import { authenticate } from '../identity.js';
import { checkNesting } from '../limits/json-depth.js';
import { Admission } from './admission.js';
import { answerOperation, withoutSuggestions } from './answer.js';
import { Message } from './message.js';
import { prepare, readOperation } from './prepare.js';
import type { SocketHost } from './socket-connection.js';
import { createEventStreams } from './sse-route.js';
import { Subscriptions } from './subscriptions.js';
import { createSocketServer } from './websocket.js';

export interface StreamsOptions {
  config: Config;
  logger: Logger;
  clock: Clock;
  /** What access tokens are checked with; undefined where nobody has to show one. */
  tokens: Tokens | undefined;
  /** Refuses callers without one. Default false. */
  requiresToken?: boolean;
  graph: Graph;
}

export interface Streams {
  /** Answers WebSocket upgrades of a server. */
  serveUpgrades(server: Server): void;
  /** Answers a request for an event stream. @param body the JSON of a POST */
  streamEvents(exchange: Exchange, body: unknown): Promise<void>;
  /** Refuses new connections, completes all operations and ends their connections, within `streamDrainMs`. */
  close(): Promise<void>;
}

export function createStreams(options: StreamsOptions): Streams {
  const { config, graph } = options;
  const subscriptions = new Subscriptions(options);
  const admission = new Admission(config.streamsMax, config.streamsPerUser, graph.metrics);
  const host = createHost(options, subscriptions, admission);
  const sockets = createSocketServer(host, admission, config);
  const events = createEventStreams(host, admission, config);
  return {
    serveUpgrades: (server) => void server.on('upgrade', sockets.accept),
    streamEvents: events.handle,
    close: async () => {
      await Promise.all([sockets.close(), events.close()]);
      subscriptions.close();
    },
  };
}

/** What connections ask of the gateway. */
function createHost(options: StreamsOptions, subscriptions: Subscriptions, admission: Admission): SocketHost {
  const { config, logger, clock, tokens, graph } = options;
  const { limits, persisted } = graph;
  const deadline = () => clock.now() + config.operationTimeoutMs;
  return {
    logger,
    initTimeoutMs: config.connectionInitMs,
    maxOperations: config.operationsPerSocket,
    nowMs: () => clock.now(),
    authenticate: async (authorization) =>
      tokens && authenticate(tokens, authorization, crypto.randomUUID(), deadline(), options.requiresToken),
    admit: (identity) => admission.enterAs(identity),
    checkNesting: (json) => checkNesting(json, limits),
    read: (payload) => readOperation(payload, persisted),
    prepare: async (request, { identity }) => {
      const prepared = await prepare(graph.gateway, request, limits);
      if (prepared.kind !== 'refused' || identity || graph.schemaIsPublic) return prepared;
      return { ...prepared, errors: withoutSuggestions(prepared.errors) };
    },
    subscribe: (plan, caller, sink) => subscriptions.open(plan, caller, sink),
    answer: async (request, caller) => {
      // Each operation of a long-lived connection has a deadline and a request id of its own.
      const own = { requestId: crypto.randomUUID(), deadline: deadline() };
      const identity = caller.identity && { ...caller.identity, ...own };
      return new Message(await answerOperation(graph, request, { ...caller, ...own, identity }, logger));
    },
  };
}
