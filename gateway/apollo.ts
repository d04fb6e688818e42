/** Apollo Server over our gateway: parsing, validation, CSRF prevention and the shape of HTTP answers are its part. */
import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import { unwrapResolverError } from '@apollo/server/errors';
import { ApolloServerPluginCacheControlDisabled } from '@apollo/server/plugin/disabled';
import { GraphQLError, type GraphQLFormattedError, visit } from 'graphql';
import type { OperationLimits } from '../platform/config.js';
import { isSignedIn } from '../platform/identity.js';
import type { Logger } from '../platform/logging.js';
import type { RequestContext } from './context.js';
import type { FederatedGateway } from './federated-gateway.js';
import { errorBehind, limitsRule, maxValidationErrors } from './limits/operation-limits.js';

const suggestion = / Did you mean .*\?$/s;

/** Errors without what they tell of the schema. */
export const withoutSuggestions = (errors: readonly GraphQLFormattedError[]): GraphQLFormattedError[] =>
  errors.map((error) => ({ ...error, message: error.message.replace(suggestion, '') }));

/** The schema is for signed-in callers: others neither introspect it nor learn of it from suggestions. */
const schemaNeedsIdentity: ApolloServerPlugin<RequestContext> = {
  requestDidStart: async () => ({
    didResolveOperation: async ({ document, contextValue }) => {
      if (isSignedIn(contextValue.identity)) return;
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
      if (isSignedIn(contextValue.identity) || response.body.kind !== 'single') return;
      const { singleResult } = response.body;
      const errors = singleResult.errors && withoutSuggestions(singleResult.errors);
      if (errors) response.body = { kind: 'single', singleResult: { ...singleResult, errors } };
    },
  }),
};

/** Faults of the request rather than of the operation in it. */
const requestFaults = new Set<unknown>(['BAD_REQUEST', 'OPERATION_RESOLUTION_FAILURE', 'SUBSCRIPTION_TRANSPORT']);

/** Tells requests whose operation is at fault from those that are none. */
const notesFaults: ApolloServerPlugin<RequestContext> = {
  requestDidStart: async () => ({
    didEncounterErrors: async ({ errors, contextValue: { outcome } }) => {
      if (outcome) outcome.operationIsAtFault = !errors.some(({ extensions }) => requestFaults.has(extensions.code));
    },
  }),
};

/**
 * Headers that a browser asks about before it sends them to another origin, and never adds by itself: a request with one
 * of them is no forgery by another page.
 */
const csrfSafeHeaders = ['authorization', 'apollo-require-preflight', 'x-apollo-operation-name'];

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
  options: { introspection: boolean; schemaIsPublic: boolean; limits: OperationLimits; logger: Logger },
): Promise<ApolloServer<RequestContext>> {
  const { limits, logger } = options;
  const server = new ApolloServer<RequestContext>({
    gateway,
    introspection: options.introspection,
    includeStacktraceInErrorResponses: false,
    csrfPrevention: { requestHeaders: csrfSafeHeaders },
    hideSchemaDetailsFromClientErrors: false,
    parseOptions: { maxTokens: limits.tokens },
    validationRules: [limitsRule(limits)],
    validationOptions: { maxErrors: maxValidationErrors },
    stopOnTerminationSignals: false,
    logger: {
      debug: () => {},
      info: () => {},
      warn: (message) => logger.warn(message),
      error: (message) => logger.error(message),
    },
    // What may be cached is told by our own executor.
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      notesFaults,
      ...(options.schemaIsPublic ? [] : [schemaNeedsIdentity]),
    ],
    formatError: (formatted, error) => {
      const behind = errorBehind(unwrapResolverError(error), limits);
      return formatError(behind?.toJSON() ?? formatted, logger, error);
    },
  });
  await server.start();
  return server;
}
