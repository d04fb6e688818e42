/** How the gateway reaches a subgraph that runs in its own process. */
import type { GraphQLDataSource, GraphQLDataSourceProcessOptions } from '@apollo/gateway';
import type { GatewayGraphQLResponse } from '@apollo/server-gateway-interface';
import type { ExecutionResult } from 'graphql';
import type { GraphQLContext, SubgraphExecutor, SubgraphOperation } from '../platform/subgraph.js';

export class InProcessSource implements GraphQLDataSource {
  constructor(private readonly subgraph: SubgraphExecutor) {}

  async process({ request, context }: GraphQLDataSourceProcessOptions): Promise<GatewayGraphQLResponse> {
    const { query, operationName, variables } = request;
    const result = await this.subgraph.execute(
      { query: query!, operationName, variables },
      context as unknown as GraphQLContext,
    );
    return toResponse(result);
  }

  subscribe(
    operation: SubgraphOperation,
    context: GraphQLContext,
  ): Promise<AsyncIterable<ExecutionResult> | ExecutionResult> {
    return this.subgraph.subscribe(operation, context);
  }

  /** The same source, with one operation's answer known: a subscription's event. */
  answering(operation: string, event: ExecutionResult): GraphQLDataSource {
    return {
      process: async (options) => (options.request.query === operation ? toResponse(event) : this.process(options)),
    };
  }
}

/**
 * The executor of plans writes fetched fields into the answer it was given, so it gets plain objects of its own: graphql-js
 * answers objects without a prototype.
 */
function toResponse(result: ExecutionResult): GatewayGraphQLResponse {
  return { data: result.data, errors: result.errors?.map((error) => error.toJSON()) } as GatewayGraphQLResponse;
}
