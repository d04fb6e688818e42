/** How the gateway reaches a subgraph, wherever it runs. */
import type { RequestContext } from '../context.js';

/** An operation that the planner wrote for a subgraph; one object per compiled plan node, so sources may cache by it. */
export interface FetchOperation {
  text: string;
  kind: 'query' | 'mutation' | 'subscription';
}

export type Variables = Record<string, unknown>;

/** An error as it stands in an answer. */
export interface SubgraphError {
  message: string;
  path?: readonly (string | number)[];
  extensions?: Record<string, unknown>;
}

export interface SubgraphAnswer {
  /** Plain objects that belong to the caller, who writes into them. */
  data?: Record<string, unknown> | null;
  errors?: readonly SubgraphError[];
  /** The answer's Cache-Control, where the subgraph gave one. */
  cacheControl?: string;
}

export interface Source {
  /** The subgraph's name in the supergraph. */
  readonly name: string;
  /** Answers; a call that fails answers with one error and its code, and never throws. */
  execute(
    operation: FetchOperation,
    variables: Variables | undefined,
    context: RequestContext,
  ): SubgraphAnswer | Promise<SubgraphAnswer>;
  /** Opens a stream, or answers why not. `return()` of the stream reaches the subgraph while a `next()` is pending. */
  subscribe(
    operation: FetchOperation,
    variables: Variables | undefined,
    context: RequestContext,
  ): Promise<AsyncIterableIterator<SubgraphAnswer> | SubgraphAnswer>;
  /** Whether the subgraph can answer now. */
  isHealthy(): Promise<boolean>;
  close(): Promise<void>;
}
