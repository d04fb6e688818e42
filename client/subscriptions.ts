/** The WebSocket side of the client: graphql-ws with a heartbeat, its many kinds of failure brought to one. */
import { createClient as createSocketClient } from 'graphql-ws/client';
import { fromWire, HarborwatchClientError, isTokenRefused, type WireError } from './errors.js';

/** A connection that is silent for this long is asked whether it is still there. */
const heartbeatMs = 15_000;
/** How long the answer to a heartbeat, and the opening of a connection, may take. */
const answerWithinMs = 10_000;
/** The close codes of a connection whose token is wrong or over, or whose access was taken back. */
const refusals: unknown[] = [4401, 4403];

interface Operation {
  query: string;
  variables: Record<string, unknown>;
}

interface SubscriptionsOptions {
  /** The WebSocket class. */
  webSocket: unknown;
  /** Gives the token; called with the one that the server refused, a newer one. */
  getToken(refused?: string): Promise<string | undefined>;
  /** How often in a row a lost connection is opened again. */
  retries: number;
}

export interface Subscriptions {
  /** @throws HarborwatchClientError while iterating */
  iterate(operation: Operation): AsyncIterableIterator<unknown>;
  close(): Promise<void>;
}

/**
 * One connection for all subscriptions, opened with the first and closed after the last. A lost connection is opened
 * again, with the token of that moment.
 */
export function createSubscriptions(url: URL, { webSocket, getToken, retries }: SubscriptionsOptions): Subscriptions {
  const address = new URL(url);
  address.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  let sent: string | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;
  const client = createSocketClient({
    url: address.href,
    webSocketImpl: webSocket,
    connectionAckWaitTimeout: answerWithinMs,
    keepAlive: heartbeatMs,
    retryAttempts: retries,
    // A refused connection is an error event, not a close event; the server may be starting again.
    shouldRetry: () => true,
    connectionParams: async () => {
      sent = await getToken();
      return sent === undefined ? {} : { authorization: `Bearer ${sent}` };
    },
    on: {
      ping: (received) => {
        if (!received) silence = setTimeout(() => client.terminate(), answerWithinMs);
      },
      pong: (received) => {
        if (received) clearTimeout(silence);
      },
      closed: () => clearTimeout(silence),
    },
  });
  async function* iterate(operation: Operation): AsyncGenerator<unknown, void, void> {
    let answered = true;
    for (;;) {
      try {
        for await (const result of client.iterate(operation)) {
          const [error] = (result.errors ?? []) as WireError[];
          if (error) throw fromWire(error);
          answered = true;
          yield result.data;
        }
        return;
      } catch (thrown) {
        const error = toClientError(thrown, url);
        // The server also closes when the token's time is over: with a newer one it goes on.
        if (!answered || !isTokenRefused(error) || sent === undefined) throw error;
        answered = false;
        const newer = await getToken(sent);
        if (newer === undefined || newer === sent) throw error;
      }
    }
  }

  return { iterate, close: async () => client.dispose() };
}

/** graphql-ws throws arrays of GraphQL errors, close events, error events of the socket, and errors. */
function toClientError(error: unknown, url: URL): HarborwatchClientError {
  if (error instanceof HarborwatchClientError) return error;
  const [first] = Array.isArray(error) ? (error as WireError[]) : [];
  if (first) return fromWire(first);
  const { code, reason, message } = (error ?? {}) as { code?: unknown; reason?: unknown; message?: unknown };
  if (refusals.includes(code)) {
    const [, named = 'UNAUTHENTICATED', text] = /^(?:([A-Z_]+): )?(.*)$/.exec(String(reason ?? ''))!;
    return new HarborwatchClientError(named, text || 'The server does not accept the token.', { cause: error });
  }
  const why = [code, reason || message].filter(Boolean).join(' ') || 'the connection was lost';
  return new HarborwatchClientError('UNREACHABLE', `${url.origin} ended the WebSocket connection: ${why}.`, {
    cause: error,
    details: { server: url.origin },
  });
}
