/** Queries and mutations over long-lived connections: what is compiled runs at once, the rest goes through Apollo Server. */
import type { GraphQLFormattedError } from 'graphql';
import type { Logger } from '../../platform/logging.js';
import type { RequestContext } from '../context.js';
import type { OperationResult } from '../execution/compiled-operation.js';
import type { Graph } from '../graph.js';
import type { OperationRequest } from './prepare.js';
import { formatted } from './subscriptions.js';

/** @throws only for a fault of ours */
export async function answerOperation(
  { gateway, apollo, schemaIsPublic }: Graph,
  { query, operationName, variables, extensions }: OperationRequest,
  context: RequestContext,
  logger: Logger,
): Promise<OperationResult> {
  const compiled = query === undefined || extensions ? undefined : gateway.compiled(query, operationName);
  if (compiled && compiled.kind !== 'subscription' && (!compiled.introspects || context.identity || schemaIsPublic)) {
    return formatted(await gateway.run(compiled, variables, context), logger);
  }
  const request = { query, operationName, variables, extensions } as never;
  const { body } = await apollo.executeOperation(request, { contextValue: context });
  if (body.kind !== 'single') throw new Error('Apollo Server answered in parts, which nothing here asks for.');
  const { data, errors } = body.singleResult;
  return { ...(data === undefined ? {} : { data }), ...(errors ? { errors: [...errors] } : {}) } as OperationResult;
}

const suggestion = / Did you mean .*\?$/s;

/** Errors without what they tell of the schema. */
export const withoutSuggestions = (errors: readonly GraphQLFormattedError[]): GraphQLFormattedError[] =>
  errors.map((error) => ({ ...error, message: error.message.replace(suggestion, '') }));
