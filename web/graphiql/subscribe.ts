import type { Observable } from '@graphiql/toolkit';
import { type Client, createClient } from 'graphql-ws';
import { type Answer, type AnswerError, hasAuthenticationError, isUnauthenticated, type Operation } from './request.js';
import { bearer, notices, renewBeforeExpiryMs, type Session } from './session.js';

/** Close code for our own planned reconnect: not one of the codes after which graphql-ws gives up. */
const restartCode = 4205;
/** A planned reconnect never comes sooner than this, so that a wrong clock cannot make the connection spin. */
const shortestConnectionMs = 30_000;
const longestRetryWaitMs = 15_000;

interface Observer {
  next(answer: Answer): void;
  error(error: unknown): void;
  complete(): void;
}

/**
 * Runs a subscription on a WebSocket of its own. The connection is made anew with a new token before the old one ends,
 * and once when the server refuses the token all the same.
 */
export function subscribe(session: Session, operation: Operation, headers: Record<string, string>): Observable<never> {
  const start = (observer: Observer) => {
    let token: string | null = null;
    let mayRenew = !headers.authorization;
    let stop = () => {};

    const connectionParams = async () => {
      token = headers.authorization ? null : await session.accessToken();
      return { ...(token && bearer(token)), ...headers };
    };
    const open = () => {
      const client = connect(session, connectionParams);
      let over = false;
      const once = (action: () => void) => {
        if (over) return;
        stop();
        action();
      };
      const unsubscribe = client.subscribe(operation, {
        next(answer) {
          if (over) return;
          if (isUnauthenticated(answer)) return once(() => void fail(answer.errors));
          mayRenew = !headers.authorization;
          observer.next(answer);
        },
        error: (error) => once(() => void fail(error)),
        complete: () => once(() => observer.complete()),
      });
      stop = () => {
        over = true;
        unsubscribe();
        void client.dispose();
      };
    };
    const fail = async (error: unknown) => {
      if (!isRefusal(error) || headers.authorization) return observer.error(explain(error, session.endpoint));
      if (token && mayRenew) {
        mayRenew = false;
        let stopped = false;
        stop = () => {
          stopped = true;
        };
        const renewed = await session.renew(token).catch((problem: unknown) => problem);
        if (stopped) return;
        if (renewed instanceof Error) return observer.error(explain(renewed, session.endpoint));
        if (renewed) return open();
      } else session.end(token ? notices.refused : notices.needed, token);
      observer.error(explain(error, session.endpoint));
    };

    open();
    return { unsubscribe: () => stop() };
  };
  return { subscribe: start as Observable<never>['subscribe'] };
}

function connect(session: Session, connectionParams: () => Promise<Record<string, string>>): Client {
  const url = new URL(session.endpoint);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  let restart: ReturnType<typeof setTimeout> | undefined;
  return createClient({
    url: url.href,
    connectionParams,
    // A code from 4400 to 4499 is an answer and stays one; anything else is a line that may come back.
    shouldRetry: (event) => !(event instanceof CloseEvent && event.code >= 4400 && event.code < 4500),
    retryWait: (retries) => wait(retries === 0 ? 0 : Math.min(2 ** retries * 500, longestRetryWaitMs)),
    on: {
      connected(socket) {
        const remainingMs = Math.max(session.remainingMs() - renewBeforeExpiryMs, shortestConnectionMs);
        restart = setTimeout(() => (socket as WebSocket).close(restartCode, 'renewing the token'), remainingMs);
      },
      closed: () => clearTimeout(restart),
    },
  });
}

/** True when the connection or the subscription was refused for its token. */
function isRefusal(error: unknown): boolean {
  if (error instanceof CloseEvent) return error.code === 4401 || error.code === 4403;
  return Array.isArray(error) && hasAuthenticationError(error as AnswerError[]);
}

/** Turns what graphql-ws throws into something that reads well in the result pane. */
function explain(error: unknown, { host }: URL): unknown {
  if (Array.isArray(error)) return error;
  if (isRefusal(error))
    return { message: 'The server refused the live connection. Sign in again, then run it once more.' };
  if (error instanceof CloseEvent) {
    const reason = error.reason ? `: ${error.reason}` : '';
    return {
      message: `The live connection to ${host} was closed (code ${error.code}${reason}). Check that Harborwatch is running, then run the subscription again.`,
    };
  }
  if (error instanceof Error) return { message: error.message };
  return { message: `The live connection to ${host} failed. Check that Harborwatch is running, then try again.` };
}

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
