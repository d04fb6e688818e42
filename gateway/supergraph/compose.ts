/** Composes subgraph schemas into the supergraph. A composition hint counts as an error: it is a schema nobody meant. */
import { composeServices } from '@apollo/composition';
import { ROUTER_SUPPORTED_SUPERGRAPH_FEATURES, Supergraph } from '@apollo/federation-internals';
import { type GraphQLSchema, lexicographicSortSchema, parse, printSchema } from 'graphql';

export interface SubgraphDefinition {
  name: string;
  sdl: string;
}

/** @throws with all of composition's errors and hints */
export function composeSupergraph(definitions: SubgraphDefinition[]): { supergraphSdl: string; apiSdl: string } {
  const services = definitions.map(({ name, sdl }) => ({
    name,
    typeDefs: parse(sdl),
    url: `http://${name}.subgraph.invalid/`,
  }));
  const result = composeServices(services);
  // Composition does not see that the definition of @cacheControl uses its enum.
  const hints = (result.hints ?? []).filter(
    ({ definition, message }) => definition.code !== 'UNUSED_ENUM_TYPE' || !message.includes('"CacheControlScope"'),
  );
  const faults = [...(result.errors ?? []), ...hints].map((fault) => fault.message);
  if (result.supergraphSdl === undefined || faults.length > 0)
    throw new Error(`The subgraphs do not compose:\n${faults.join('\n')}`);
  return { supergraphSdl: result.supergraphSdl, apiSdl: `${printSchema(apiSchemaOf(result.supergraphSdl))}\n` };
}

function apiSchemaOf(supergraphSdl: string): GraphQLSchema {
  const supergraph = Supergraph.build(supergraphSdl, { supportedFeatures: ROUTER_SUPPORTED_SUPERGRAPH_FEATURES });
  return lexicographicSortSchema(supergraph.apiSchema().toGraphQLJSSchema());
}
