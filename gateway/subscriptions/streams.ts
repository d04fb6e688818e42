/** The long-lived connections of the gateway: WebSockets and event streams, with the subscriptions that they share. */
import type { Server } from 'node:http';
import type { Authenticator } from '../../platform/authentication/authenticator.js';
import type { Clock } from '../../platform/clock.js';
import type { Config } from '../../platform/config.js';
import { isSignedIn } from '../../platform/identity.js';
import type { Logger } from '../../platform/logging.js';
import { withoutSuggestions } from '../apollo.js';
import type { Graph } from '../graph.js';
import type { Exchange } from '../http/listener.js';
import type { CallerLimits } from '../limits/caller-limits.js';
import { checkNesting } from '../limits/json-depth.js';
import { Admission } from './admission.js';
import { answerOperation } from './answer.js';
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
  /** Tells who asks; undefined where nobody has to show anything. */
  authenticator: Authenticator | undefined;
  /** What callers are held to; undefined for no limits. */
  callerLimits?: CallerLimits | undefined;
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
  const admission = new Admission(config.streamsMax, config.streamsPerUser, graph.metrics, options.callerLimits);
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
  const { config, logger, clock, authenticator, graph } = options;
  const { limits, persisted } = graph;
  const deadline = () => clock.now() + config.operationTimeoutMs;
  return {
    logger,
    initTimeoutMs: config.connectionInitMs,
    maxOperations: config.operationsPerSocket,
    nowMs: () => clock.now(),
    authenticate: async (authorization, remoteIp) => {
      try {
        const requestId = crypto.randomUUID();
        return await authenticator?.authenticate({ authorization, remoteIp, requestId, deadline: deadline() });
      } catch (error) {
        // Mistakes are charged to the address, as over HTTP.
        const charge = await options.callerLimits?.charge({ identity: undefined, remoteIp });
        await charge?.take(1);
        throw error;
      }
    },
    watch: (identity, onEnded) => authenticator?.watch(identity, onEnded) ?? (() => {}),
    admit: (caller) => admission.enterAs(caller),
    checkNesting: (json) => checkNesting(json, limits),
    read: (payload) => readOperation(payload, persisted),
    charged: async (caller) => ({ ...caller, charge: await options.callerLimits?.charge(caller) }),
    prepare: async (request, { identity, charge }) => {
      const prepared = await prepare(graph.gateway, request, limits, identity, charge);
      if (prepared.kind !== 'refused' || isSignedIn(identity) || graph.schemaIsPublic) return prepared;
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
