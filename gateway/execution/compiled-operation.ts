/** What one operation of one version of the supergraph compiles to. */
import type { DocumentNode, ExecutionResult, GraphQLFormattedError } from 'graphql';
import type { Identity } from '../../platform/identity.js';
import type { RequestContext } from '../context.js';
import type { FetchOperation, Source, SubgraphAnswer, Variables } from '../sources/source.js';

/** An answer in the shape of the operation, errors formatted for the client. */
export interface OperationResult {
  data?: Record<string, unknown> | null;
  errors?: GraphQLFormattedError[];
  extensions?: ExecutionResult['extensions'];
  /** What the subgraphs allow to be cached, combined; undefined where one of them allows nothing. */
  cacheControl?: string;
}

/** Variables as the client sent them, coerced values, and the errors of coercion. */
export interface CoercedVariables {
  /** What subgraphs get: as the client wrote it, with the operation's defaults. */
  raw: Variables;
  /** What conditions read. */
  coerced: Variables;
}

export interface CompiledOperation {
  kind: 'query' | 'mutation' | 'subscription';
  /** The operation's own name. */
  name: string | undefined;
  /** The valid document that it stands in. */
  document: DocumentNode;
  /** Whether it asks for the schema. */
  introspects: boolean;
  /** Checks the variables. Answers errors with the code BAD_USER_INPUT where they do not fit. */
  coerce(variables: Variables | undefined): CoercedVariables | { errors: GraphQLFormattedError[] };
  /** The cost by @cost and @listSize with these variables. */
  cost(variables: Variables): number;
  /**
   * Runs what the caller may ask for of a query or mutation; the rest is null in the answer, with an error each.
   * @throws a GraphQLError where it cannot be planned with these conditions
   */
  execute(variables: CoercedVariables, context: RequestContext): Promise<OperationResult>;
  /**
   * For subscriptions. Answers errors where the caller may not ask for it.
   * @throws a GraphQLError where it cannot be planned with these conditions
   */
  planSubscription(
    variables: CoercedVariables,
    identity: Identity | undefined,
  ): Promise<PlannedSubscription | { errors: GraphQLFormattedError[] }>;
}

export interface PlannedSubscription {
  upstream: { source: Source; operation: FetchOperation; variables(given: CoercedVariables): Variables | undefined };
  /** Completes one event with the fields of other subgraphs. */
  resolveEvent(event: SubgraphAnswer, variables: CoercedVariables, context: RequestContext): Promise<OperationResult>;
}
