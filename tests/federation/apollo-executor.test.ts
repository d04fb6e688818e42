/** Our planner and executor beside Apollo's own, on operations whose answers Apollo's gets right. */
import { operationFromDocument, Supergraph } from '@apollo/federation-internals';
import { buildOperationContext, executeQueryPlan, LocalGraphQLDataSource, type ServiceMap } from '@apollo/gateway';
import { QueryPlanner } from '@apollo/query-planner';
import { parse } from 'graphql';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { composeBench } from '../../bench/compose.js';
import { subgraphs } from '../../bench/gateway/graph.js';
import { largeOperation, smallOperation, variantOfLargeOperation } from '../../bench/gateway/operations.js';
import { FederatedGateway } from '../../gateway/federated-gateway.js';
import { InProcessSource } from '../../gateway/sources/in-process.js';
import { loadConfig, operationLimitsOf } from '../../platform/config.js';
import { createLogger } from '../../platform/logging.js';
import { createGatewayMetrics } from '../../platform/metrics.js';
import { createSchemaExecutor } from '../../platform/subgraph.js';

const variants = process.env.HARBORWATCH_DEEP ? 2_000 : 60;
const operations = [
  largeOperation,
  smallOperation,
  ...Array.from({ length: variants }, (_, n) => variantOfLargeOperation(n)),
];

let gateway: FederatedGateway;
let apollo: (query: string) => Promise<unknown>;

beforeAll(async () => {
  const supergraphSdl = composeBench(subgraphs);
  const schemas = new Map(subgraphs.map(({ name, schema }) => [name, schema]));
  gateway = await FederatedGateway.create({
    supergraphSdl,
    sourceFor: ({ name }) => new InProcessSource(createSchemaExecutor(name, schemas.get(name)!), 20_000),
    planner: 'native',
    maxOperations: 1_000,
    maxOperationBytes: 100_000_000,
    limits: operationLimitsOf(loadConfig({})),
    metrics: createGatewayMetrics(),
    logger: createLogger('test', 'silent'),
  });
  const supergraph = Supergraph.build(supergraphSdl);
  const api = supergraph.apiSchema();
  const apiSchema = api.toGraphQLJSSchema();
  const supergraphSchema = supergraph.schema.toGraphQLJSSchema();
  const planner = new QueryPlanner(supergraph);
  const services: ServiceMap = Object.fromEntries(
    subgraphs.map(({ name, schema }) => [name, new LocalGraphQLDataSource(schema)]),
  );
  apollo = async (query) => {
    const document = parse(query);
    const plan = planner.buildQueryPlan(operationFromDocument(api, document));
    const context = buildOperationContext({ schema: apiSchema, operationDocument: document });
    const request = { request: { query }, document, source: query, context: {}, metrics: {}, schema: apiSchema };
    return executeQueryPlan(plan, services, request as never, context, supergraphSchema, api);
  };
});
afterAll(() => gateway?.stop());

it('answers as Apollo’s gateway does, with the keys in the same order', async () => {
  for (const query of operations) {
    const compiled = await gateway.compile(parse(query), query, undefined, undefined);
    const context = { identity: undefined, remoteIp: null, requestId: 'test', deadline: Date.now() + 20_000 };
    const ours = await gateway.run(compiled, undefined, context);
    expect(JSON.stringify(ours)).toBe(JSON.stringify(await apollo(query)));
  }
});
