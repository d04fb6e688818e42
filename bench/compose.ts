/** The subgraphs of benchmarks, and how they become one graph. */
import { composeServices } from '@apollo/composition';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { type GraphQLSchema, parse } from 'graphql';

export interface BenchSubgraph {
  name: string;
  /** Its schema definition, as composition takes it. */
  sdl: string;
  /** The same, executable. */
  schema: GraphQLSchema;
}

/** @param resolvers by type and field, as Apollo's subgraph library takes them */
export function benchSubgraph(name: string, imports: string[], definitions: string, resolvers: object): BenchSubgraph {
  const link = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ${JSON.stringify(imports)})`;
  const sdl = `${link}\n${definitions}`;
  const schema = buildSubgraphSchema([{ typeDefs: parse(sdl), resolvers: resolvers as never }]);
  return { name, sdl, schema };
}

/** The supergraph of subgraphs at these ports; those without one are not reached over HTTP. @throws composition's errors */
export function composeBench(subgraphs: readonly BenchSubgraph[], ports: Record<string, number> = {}): string {
  const { supergraphSdl, errors } = composeServices(
    subgraphs.map(({ name, sdl }) => ({
      name,
      typeDefs: parse(sdl),
      url: `http://127.0.0.1:${ports[name] ?? 0}/graphql`,
    })),
  );
  if (supergraphSdl === undefined) throw new Error(`The subgraphs do not compose: ${errors?.join('\n')}`);
  return supergraphSdl;
}
