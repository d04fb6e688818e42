/** Runs the gateway's own operations on the graph: other doors are thin layers over the same schema and rules. */
import type { ApolloServer } from '@apollo/server';
import { type ErrorCode, errorRegistry, HarborwatchError } from '../platform/errors.js';
import type { GraphQLContext } from '../platform/subgraph.js';
import type { RequestContext } from './context.js';

/** Runs an operation and answers its data. @throws HarborwatchError with the first error's code and details */
export type RunOperation = <Data>(
  query: string,
  variables: Record<string, unknown>,
  context: GraphQLContext,
) => Promise<Data>;

/** Runs operations as if they had come from outside, with the context as it is given. */
export function createRunOperation(
  apollo: ApolloServer<RequestContext>,
  { operationTimeoutMs }: { operationTimeoutMs: number },
): RunOperation {
  return async <Data>(query: string, variables: Record<string, unknown>, context: GraphQLContext): Promise<Data> => {
    const { identity } = context;
    const contextValue: RequestContext = {
      ...context,
      requestId: identity?.requestId ?? crypto.randomUUID(),
      deadline: identity?.deadline ?? Date.now() + operationTimeoutMs,
    };
    const { body } = await apollo.executeOperation({ query, variables }, { contextValue });
    if (body.kind !== 'single') throw new Error('An internal operation answered in parts.');
    const [error] = body.singleResult.errors ?? [];
    if (error) {
      const { code, ...details } = (error.extensions ?? {}) as { code?: string };
      const known =
        code !== undefined && Object.hasOwn(errorRegistry, code) ? (code as ErrorCode) : 'INTERNAL_SERVER_ERROR';
      throw new HarborwatchError(known, error.message, details);
    }
    return body.singleResult.data as Data;
  };
}
