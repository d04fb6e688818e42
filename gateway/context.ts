/** What every operation carries through the gateway. */
import { identityKey } from '../platform/identity.js';
import type { GraphQLContext } from '../platform/subgraph.js';
import type { TraceSpan } from '../platform/tracing.js';
import type { Charge } from './limits/charge.js';

export interface RequestContext extends GraphQLContext {
  /** Found again in answers, logs and traces. */
  requestId: string;
  /** When the answer must have gone out, in milliseconds since the epoch. */
  deadline: number;
  /** W3C trace context to send on to subgraphs. */
  traceHeaders?: Record<string, string> | undefined;
  /** The step of the trace that this is, where traces are on. */
  span?: TraceSpan | undefined;
  /** Written by the execution. An object of its own, since Apollo Server runs operations with a copy of the context. */
  outcome?: {
    /** What the subgraphs allow to be cached of the answer. */
    cacheControl?: string | undefined;
    /** The request arrived in order, and what it asks for is at fault. */
    operationIsAtFault?: boolean;
  };
  /** What the request is charged; undefined where nobody is held to limits, and for what the gateway itself asks. */
  charge?: Charge | undefined;
  /** The caller's own headers that foreign subgraphs are to see, by lower-case name; part of who the caller is. */
  forwardedHeaders?: Record<string, string>;
}

/** Callers with equal keys may be answered alike: whatever subgraphs see of a caller is in it. */
export const callerKey = ({
  identity,
  forwardedHeaders,
}: Pick<RequestContext, 'identity' | 'forwardedHeaders'>): string =>
  forwardedHeaders ? `${identityKey(identity)} ${JSON.stringify(forwardedHeaders)}` : identityKey(identity);
