/** Queries and mutations over long-lived connections: what is compiled runs at once, the rest goes through Apollo Server. */
import type { Logger } from '../../platform/logging.js';
import type { RequestContext } from '../context.js';
import type { OperationResult } from '../execution/compiled-operation.js';
import { compiledFor, type Graph } from '../graph.js';
import type { OperationRequest } from './prepare.js';
import { formatted } from './subscriptions.js';

/** @throws RATE_LIMITED; else only for a fault of ours */
export async function answerOperation(
  graph: Graph,
  { query, operationName, variables, extensions }: OperationRequest,
  context: RequestContext,
  logger: Logger,
): Promise<OperationResult> {
  const { gateway, apollo } = graph;
  const compiled = query === undefined || extensions ? undefined : compiledFor(graph, context, query, operationName);
  if (compiled) return formatted(await gateway.run(compiled, variables, context), logger);
  const request = { query, operationName, variables, extensions } as never;
  const { body } = await apollo.executeOperation(request, { contextValue: context });
  if (context.charge?.refusal) throw context.charge.refusal;
  if (body.kind !== 'single') throw new Error('Apollo Server answered in parts, which nothing here asks for.');
  const { data, errors } = body.singleResult;
  return { ...(data === undefined ? {} : { data }), ...(errors ? { errors: [...errors] } : {}) } as OperationResult;
}
