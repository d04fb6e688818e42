import type { Fetcher, FetcherOpts } from '@graphiql/toolkit';
import { Kind, type OperationDefinitionNode, parse } from 'graphql';
import { type Answer, isUnauthenticated, type Operation, postOperation } from './request.js';
import { bearer, notices, type Session } from './session.js';
import { subscribe } from './subscribe.js';

/** The function through which GraphiQL runs everything: HTTP for queries and mutations, a WebSocket for subscriptions. */
export function createFetcher(session: Session): Fetcher {
  return (params, options) => {
    const operations = operationsOf(params.query);
    // GraphiQL learns the operation's name a moment after a change of tab; until then it sends the last tab's.
    const operationName = operations.length === 1 ? operations[0]?.name?.value : params.operationName;
    const chosen = operations.find(({ name }) => name?.value === operationName);
    const operation = { ...params, operationName };
    const headers = lowerCased(options);
    return chosen?.operation === 'subscription'
      ? subscribe(session, operation, headers)
      : (request(session, operation, headers).catch(asAnswer) as never);
  };
}

/** Runs a query or mutation with a fresh token; a token that the server refuses is renewed once. */
async function request(session: Session, operation: Operation, headers: Record<string, string>): Promise<Answer> {
  const send = (token: string | null) =>
    postOperation(session.endpoint, operation, { ...(token && bearer(token)), ...headers });
  // An authorization in the headers editor, such as an API key, is the user's own business.
  if (headers.authorization) return send(null);

  const token = await session.accessToken();
  const answer = await send(token);
  if (!isUnauthenticated(answer)) return answer;
  if (!token) {
    session.end(notices.needed, null);
    return answer;
  }
  const renewed = await session.renew(token);
  if (!renewed) return answer;
  const secondAnswer = await send(renewed);
  if (isUnauthenticated(secondAnswer)) session.end(notices.refused, renewed);
  return secondAnswer;
}

/** Shows a failure like an error of the API: GraphiQL would print the stack of our own code with it. */
const asAnswer = (problem: Error): Answer => ({ errors: [{ message: problem.message }] });

function operationsOf(query: string): OperationDefinitionNode[] {
  try {
    return parse(query).definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION);
  } catch {
    // The server explains a syntax error better, with its position.
    return [];
  }
}

/** What the headers editor holds, with the names in the case in which we look for them. */
function lowerCased(options: FetcherOpts = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]),
  );
}
