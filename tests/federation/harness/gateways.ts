/** The gateway over a family's subgraphs, in each of its ways: both planners, in one process and over HTTP. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { composeServices } from '@apollo/composition';
import { ROUTER_SUPPORTED_SUPERGRAPH_FEATURES, Supergraph } from '@apollo/federation-internals';
import { type DocumentNode, type ExecutionResult, type GraphQLSchema, parse, validate } from 'graphql';
import { FederatedGateway } from '../../../gateway/federated-gateway.js';
import { HttpSource } from '../../../gateway/sources/http.js';
import { InProcessSource } from '../../../gateway/sources/in-process.js';
import type { Source } from '../../../gateway/sources/source.js';
import { loadConfig, operationLimitsOf } from '../../../platform/config.js';
import { compileExecution } from '../../../platform/graphql/compiled-executor.js';
import type { Identity } from '../../../platform/identity.js';
import { createLogger } from '../../../platform/logging.js';
import { createGatewayMetrics } from '../../../platform/metrics.js';
import type { Family } from './cases.js';
import { DataSubgraph, type Execute, interpret } from './subgraph.js';

const planners = ['native', 'apollo'] as const;
const transports = ['in process', 'HTTP'] as const;

export interface Way {
  planner: (typeof planners)[number];
  transport: (typeof transports)[number];
}

/** All ways of running an operation. */
export const ways: Way[] = planners.flatMap((planner) => transports.map((transport) => ({ planner, transport })));

const logger = createLogger('federation-test', 'silent');
const timeoutMs = 20_000;
/** Generous bounds: limits have tests of their own. */
const settings = {
  subgraphTimeoutMs: timeoutMs,
  subgraphConnections: 10,
  subgraphAnswerBytes: 10_000_000,
  breakerFailures: 1_000,
  breakerFailurePercent: 100,
  breakerCooldownMs: 1_000,
};

/** A family at work. */
export interface OpenFamily {
  supergraphSdl: string;
  subgraphs: Map<string, DataSubgraph>;
  /** What mutations wrote down since the list was emptied. */
  steps: string[];
  /** Runs an operation as a client's request. */
  answer(
    way: Way,
    query: string,
    variables: Record<string, unknown>,
    operationName?: string,
    identity?: Identity,
  ): Promise<ExecutionResult>;
  close(): Promise<void>;
}

/**
 * @param change changes the supergraph before it is served
 * @throws what is wrong with the subgraphs together
 */
export async function openFamily(family: Family, change = (sdl: string) => sdl): Promise<OpenFamily> {
  const steps: string[] = [];
  const subgraphs = new Map(
    family.subgraphs.map(({ name, sdl }) => [
      name,
      new DataSubgraph(name, sdl, family.data, family.implementations, steps),
    ]),
  );
  const servers = new Map(
    await Promise.all([...subgraphs].map(async ([name, subgraph]) => [name, await serve(subgraph)] as const)),
  );
  const supergraphSdl = change(compose(family, (name) => servers.get(name)!.url));
  const gateways = new Map<Way, Promise<FederatedGateway>>();
  const open = (way: Way) => {
    const sourceFor = ({ name, url }: { name: string; url: string }): Source =>
      way.transport === 'HTTP'
        ? new HttpSource({ name, url, settings, logger })
        : new InProcessSource(inProcess(subgraphs.get(name)!), timeoutMs);
    return FederatedGateway.create({
      supergraphSdl,
      sourceFor,
      planner: way.planner,
      maxOperations: 1_000,
      maxOperationBytes: 100_000_000,
      limits: { ...operationLimitsOf(loadConfig({})), cost: Number.POSITIVE_INFINITY },
      metrics: createGatewayMetrics(),
      logger,
    });
  };
  return {
    supergraphSdl,
    subgraphs,
    steps,
    answer: async (way, query, variables, operationName, identity) => {
      if (!gateways.has(way)) gateways.set(way, open(way));
      const gateway = await gateways.get(way)!;
      const document = parse(query);
      const faults = validate(gateway.apiSchema, document);
      if (faults.length > 0) throw new Error(`The operation is not valid: ${faults.map(String).join('\n')}`);
      const operation = await gateway.compile(document, query, operationName, identity);
      return (await gateway.run(operation, variables, {
        identity,
        remoteIp: null,
        requestId: 'federation-test',
        deadline: Date.now() + timeoutMs,
      })) as ExecutionResult;
    },
    close: async () => {
      await Promise.all([...gateways.values()].map(async (gateway) => (await gateway).stop()));
      await Promise.all([...servers.values()].map((server) => server.close()));
    },
  };
}

/** The supergraph of a family. Hints are no faults here: some families are about what they warn of. */
export function compose({ name, subgraphs }: Family, urlOf: (subgraph: string) => string): string {
  const services = subgraphs.map((subgraph) => ({
    name: subgraph.name,
    typeDefs: subgraph.sdl,
    url: urlOf(subgraph.name),
  }));
  const { supergraphSdl, errors } = composeServices(services);
  if (supergraphSdl === undefined) {
    throw new Error(`${name} does not compose: ${errors?.map(({ message }) => message).join('\n')}`);
  }
  return supergraphSdl;
}

/** The schema that clients see. */
export const apiSchemaOf = (supergraphSdl: string): GraphQLSchema =>
  Supergraph.build(supergraphSdl, { supportedFeatures: ROUTER_SUPPORTED_SUPERGRAPH_FEATURES })
    .apiSchema()
    .toGraphQLJSSchema();

/** A subgraph as one of our own runs in the gateway's process: by compiled operations. */
function inProcess(subgraph: DataSubgraph) {
  const compiled = new Map<DocumentNode, ReturnType<typeof compileExecution>>();
  const run: Execute = async (schema, document, variableValues, contextValue) => {
    const execution = compiled.get(document) ?? compileExecution(schema, document);
    compiled.set(document, execution);
    return execution({ variableValues, contextValue });
  };
  return {
    name: subgraph.name,
    execute: async (operation: { query: string; variables?: Record<string, unknown> | undefined }) => {
      const { fault } = subgraph;
      if (fault === 'unreachable' || fault === 'crashed' || fault === 'empty')
        throw new Error('The subgraph is broken.');
      return subgraph.answer(operation, run);
    },
    subscribe: () => Promise.reject(new Error('Nobody subscribes here.')),
    cacheControlOf: () => undefined,
  };
}

/** Serves a subgraph over HTTP, on graphql-js. */
async function serve(subgraph: DataSubgraph): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    const body = JSON.parse(await text(request));
    if (subgraph.fault === 'unreachable') return request.socket.destroy();
    if (subgraph.fault === 'crashed') return response.writeHead(500).end('<h1>Internal Server Error</h1>');
    // What does not fit the schema is refused, as by any server; the case that meets it fails.
    const answer = await subgraph.answer(body, interpret).catch((error: Error) => ({ errors: [error] }));
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
