/** Apollo Server over our gateway: parsing, validation, CSRF prevention and the shape of HTTP answers are its part. */
import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import { unwrapResolverError } from '@apollo/server/errors';
import { GraphQLError, type GraphQLFormattedError, visit } from 'graphql';
import type { Logger } from '../platform/logging.js';
import type { GraphQLContext } from '../platform/subgraph.js';
import type { FederatedGateway } from './federated-gateway.js';

/** The most tokens an operation may have. */
export const maxTokens = 2_000;

const suggestion = / Did you mean .*\?$/s;

/** The schema is for signed-in callers: others neither introspect it nor learn of it from suggestions. */
const schemaNeedsIdentity: ApolloServerPlugin<GraphQLContext> = {
  requestDidStart: async () => ({
    didResolveOperation: async ({ document, contextValue }) => {
      if (contextValue.identity) return;
      visit(document, {
        Field({ name }) {
          if (name.value !== '__schema' && name.value !== '__type') return;
          throw new GraphQLError('Sign in to read the schema.', {
            extensions: { code: 'UNAUTHENTICATED', http: { status: 401 } },
          });
        },
      });
    },
    willSendResponse: async ({ response, contextValue }) => {
      if (contextValue.identity || response.body.kind !== 'single') return;
      const { singleResult } = response.body;
      const plain = singleResult.errors?.map((error) => ({ ...error, message: error.message.replace(suggestion, '') }));
      if (plain) response.body = { kind: 'single', singleResult: { ...singleResult, errors: plain } };
    },
  }),
};

/** What of an error goes out: never the subgraph's name, a stack or anything internal. */
export function formatError(formatted: GraphQLFormattedError, logger: Logger, error?: unknown): GraphQLFormattedError {
  const { serviceName, stacktrace, exception, http, ...extensions } = (formatted.extensions ?? {}) as Record<
    string,
    unknown
  >;
  const path = formatted.path?.filter((key) => key !== '_entities');
  const common = { ...(formatted.locations ? { locations: formatted.locations } : {}), ...(path ? { path } : {}) };
  if (
    extensions.code === undefined ||
    (extensions.code === 'INTERNAL_SERVER_ERROR' && extensions.requestId === undefined)
  ) {
    logger.error({ err: unwrapResolverError(error), message: formatted.message }, 'unexpected error in the gateway');
    return {
      message: 'Something went wrong on our side; it was logged.',
      ...common,
      extensions: { code: 'INTERNAL_SERVER_ERROR' },
    };
  }
  return { message: formatted.message, ...common, extensions };
}

/** Apollo Server, started. */
export async function startApollo(
  gateway: FederatedGateway,
  options: { introspection: boolean; logger: Logger },
): Promise<ApolloServer<GraphQLContext>> {
  const { logger } = options;
  const server = new ApolloServer<GraphQLContext>({
    gateway,
    introspection: options.introspection,
    includeStacktraceInErrorResponses: false,
    csrfPrevention: true,
    hideSchemaDetailsFromClientErrors: false,
    parseOptions: { maxTokens },
    stopOnTerminationSignals: false,
    logger: {
      debug: () => {},
      info: () => {},
      warn: (message) => logger.warn(message),
      error: (message) => logger.error(message),
    },
    plugins: [schemaNeedsIdentity],
    formatError: (formatted, error) => formatError(formatted, logger, error),
  });
  await server.start();
  return server;
}
