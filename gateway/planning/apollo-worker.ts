/**
 * A worker thread with Apollo's federation packages: it checks supergraphs, derives their API schema, and plans. Runs by
 * itself, so it imports packages alone.
 */
import { parentPort } from 'node:worker_threads';
import { operationFromDocument, type Schema, Supergraph } from '@apollo/federation-internals';
import { type PlanNode, QueryPlanner, type SubscriptionNode } from '@apollo/query-planner';
import { parse, printSchema } from 'graphql';

/** What the thread is asked. */
export type WorkerRequest =
  | { id: number; kind: 'load'; supergraphSdl: string }
  | { id: number; kind: 'plan'; source: string; operationName: string | undefined; override: number };

/** What it answers: the API schema's text, or the plan's top node. */
export type WorkerReply =
  | { id: number; apiSdl?: string; node?: PlanNode | SubscriptionNode | undefined }
  | { id: number; error: string };

let loaded:
  | {
      supergraph: Supergraph;
      api: Schema;
      planner?: QueryPlanner;
      /** The labels of progressive overrides with their percentages. */
      labels: Map<string, number>;
    }
  | undefined;

function answer(request: WorkerRequest): WorkerReply {
  const { id } = request;
  if (request.kind === 'load') {
    const supergraph = Supergraph.build(request.supergraphSdl, { validateSupergraph: true });
    const api = supergraph.apiSchema();
    const labels = request.supergraphSdl.matchAll(/"(percent\((\d+(?:\.\d+)?)\))"/g);
    loaded = { supergraph, api, labels: new Map([...labels].map(([, label, value]) => [label!, Number(value)])) };
    return { id, apiSdl: printSchema(api.toGraphQLJSSchema()) };
  }
  if (!loaded) throw new Error('No supergraph is loaded.');
  const { operationName } = request;
  const document = parse(request.source);
  const operation = operationFromDocument(loaded.api, document, operationName === undefined ? {} : { operationName });
  // Made with the first plan: it weighs the most, and the native planner may never need it.
  loaded.planner ??= new QueryPlanner(loaded.supergraph);
  const overrideConditions = new Map(
    [...loaded.labels].map(([label, percentage]) => [label, percentage > request.override]),
  );
  const { node } = loaded.planner.buildQueryPlan(operation, { overrideConditions });
  // A plan holds parsed documents whose objects cannot be posted.
  return {
    id,
    node:
      node && JSON.parse(JSON.stringify(node, (key, value) => (key === 'operationDocumentNode' ? undefined : value))),
  };
}

parentPort!.on('message', (request: WorkerRequest) => {
  let reply: WorkerReply;
  try {
    reply = answer(request);
  } catch (error) {
    reply = { id: request.id, error: (error as Error).message };
  }
  parentPort!.postMessage(reply);
});
