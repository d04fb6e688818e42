/** GraphQL over HTTP: the request goes to Apollo Server as it came, within the body limit. */
import { type ApolloServer, HeaderMap } from '@apollo/server';
import { fail } from '../platform/errors.js';
import type { GraphQLContext } from '../platform/subgraph.js';
import { readBody } from './body.js';
import type { Exchange, Route } from './http.js';

/** What the activity recorder wants to know of an answered request. */
export type OnAnswered = (
  exchange: Exchange,
  what: { action: string; operation: string | null; responseMs: number },
) => void;

/** The route `/graphql`. @param onAnswered is told of every request after its answer */
export function graphqlRoute(
  apollo: ApolloServer<GraphQLContext>,
  bodyLimitBytes: number,
  onAnswered: OnAnswered,
): Route {
  return {
    path: '/graphql',
    methods: ['GET', 'POST'],
    authenticated: true,
    async handle(exchange) {
      const started = performance.now();
      const { request, response, url, identity, remoteIp } = exchange;
      const body = request.method === 'POST' ? parseBody(exchange, await readBody(request, bodyLimitBytes)) : undefined;
      const headers = new HeaderMap();
      for (const [name, value] of Object.entries(request.headers)) {
        if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
      }
      const answer = await apollo.executeHTTPGraphQLRequest({
        httpGraphQLRequest: { method: request.method ?? 'GET', headers, search: url.search, body },
        context: async () => ({ identity, remoteIp }),
      });
      for (const [name, value] of answer.headers) response.setHeader(name, value);
      response.statusCode = answer.status ?? 200;
      if (answer.body.kind === 'complete') {
        response.setHeader('content-length', Buffer.byteLength(answer.body.string));
        response.end(answer.body.string);
      } else {
        for await (const chunk of answer.body.asyncIterator) response.write(chunk);
        response.end();
      }
      const { query, operationName } = (body ?? {}) as { query?: unknown; operationName?: unknown };
      const kind = typeof query === 'string' ? /^[\s,]*(query|mutation|subscription)\b(?:\s+(\w+))?/.exec(query) : null;
      const operation = typeof operationName === 'string' ? operationName : (kind?.[2] ?? null);
      onAnswered(exchange, { action: kind?.[1] ?? 'query', operation, responseMs: performance.now() - started });
    },
  };
}

function parseBody({ request }: Exchange, body: Buffer): unknown {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    fail('UNSUPPORTED_MEDIA_TYPE', 'GraphQL over POST takes the content type application/json.', {
      argument: 'Content-Type',
    });
  }
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    fail('BAD_USER_INPUT', `The body is not JSON: ${(error as Error).message}.`, { argument: 'body' });
  }
}
