/**
 * The program of the planning process: it checks a supergraph, derives its API schema, and plans with either planner. It
 * runs by itself, so it imports packages alone.
 */
import type { operationFromDocument, Schema, Supergraph } from '@apollo/federation-internals';
import type { PlanNode, QueryPlanner, SubscriptionNode } from '@apollo/query-planner';
import type { PlanNode as HiveNode, QueryPlanner as HivePlanner } from '@graphql-hive/router-query-planner';

/** What the process is asked. The first message gives the supergraph. */
export type PlanningRequest =
  | { id: number; kind: 'open'; supergraphSdl: string }
  | { id: number; kind: 'api' }
  | {
      id: number;
      kind: 'native' | 'apollo';
      source: string;
      operationName: string | undefined;
      override: number;
    };

/** What it answers: the API schema's text, or the plan's top node. */
export type PlanningReply =
  | { id: number; apiSdl?: string; native?: HiveNode; apollo?: PlanNode | SubscriptionNode }
  | { id: number; error: string };

type PlanRequest = Extract<PlanningRequest, { source: string }>;

interface ApolloParts {
  supergraph: Supergraph;
  api: Schema;
  planner?: QueryPlanner;
  operationFromDocument: typeof operationFromDocument;
}

let supergraphSdl = '';
// Each is loaded when it is first needed: neither is small, and a process may need one alone.
let apollo: Promise<ApolloParts> | undefined;
let native: Promise<HivePlanner> | undefined;

async function loadApollo(): Promise<ApolloParts> {
  const {
    operationFromDocument,
    ROUTER_SUPPORTED_SUPERGRAPH_FEATURES: supportedFeatures,
    Supergraph,
  } = await import('@apollo/federation-internals');
  const supergraph = Supergraph.build(supergraphSdl, { supportedFeatures, validateSupergraph: true });
  return { supergraph, api: supergraph.apiSchema(), operationFromDocument };
}

async function loadNative(): Promise<HivePlanner> {
  const { QueryPlanner } = await import('@graphql-hive/router-query-planner');
  return new QueryPlanner(supergraphSdl);
}

async function apiSdl(): Promise<string> {
  apollo ??= loadApollo();
  const { printSchema } = await import('graphql');
  return printSchema((await apollo).api.toGraphQLJSSchema());
}

async function planNatively({ source, operationName, override }: PlanRequest): Promise<HiveNode | undefined> {
  native ??= loadNative();
  // Labels of other kinds than percentages are nobody's here.
  return (await (await native).planAsync(source, operationName ?? null, new Set(), override)).node;
}

async function planWithApollo({ source, operationName, override }: PlanRequest) {
  apollo ??= loadApollo();
  const parts = await apollo;
  if (!parts.planner) {
    const { QueryPlanner } = await import('@apollo/query-planner');
    parts.planner = new QueryPlanner(parts.supergraph);
  }
  const { parse } = await import('graphql');
  const named = operationName === undefined ? {} : { operationName };
  const operation = parts.operationFromDocument(parts.api, parse(source), named);
  const labels = supergraphSdl.matchAll(/"(percent\((\d+(?:\.\d+)?)\))"/g);
  const overrideConditions = new Map([...labels].map(([, label, value]) => [label!, Number(value) > override]));
  const { node } = parts.planner.buildQueryPlan(operation, { overrideConditions });
  // A plan holds parsed documents, which nobody needs.
  const text = node && JSON.stringify(node, (key, value) => (key === 'operationDocumentNode' ? undefined : value));
  return text && JSON.parse(text);
}

async function answer(request: PlanningRequest): Promise<PlanningReply> {
  const { id } = request;
  switch (request.kind) {
    case 'open':
      supergraphSdl = request.supergraphSdl;
      return { id };
    case 'api':
      return { id, apiSdl: await apiSdl() };
    case 'native': {
      const node = await planNatively(request);
      return node ? { id, native: node } : { id };
    }
    case 'apollo':
      return { id, apollo: await planWithApollo(request) };
  }
}

process.on('message', (request: PlanningRequest) => {
  answer(request)
    .catch((error: unknown) => ({ id: request.id, error: error instanceof Error ? error.message : String(error) }))
    .then(
      (reply) => process.send?.(reply),
      () => process.exit(1),
    );
});
process.on('disconnect', () => process.exit());
// A terminal's Ctrl-C reaches every process: the gateway decides when this one ends.
process.on('SIGINT', () => {});
