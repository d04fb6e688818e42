/** The subgraphs of the gateway benchmarks with rules of access: on every type, and on fields of the root. */
import type { BenchSubgraph } from '../compose.js';
import { subgraphs } from '../gateway/graph.js';

/** What one has to hold for a type or a field. */
const rules: Record<string, string> = {
  User: '@authenticated',
  Product: '@requiresScopes(scopes: [["events:read"]])',
  Review: '@requiresScopes(scopes: [["audit:read"], ["events:read", "jobs:read"]])',
  users: '@requiresScopes(scopes: [["org:read"]])',
  topProducts: '@requiresScopes(scopes: [["events:read"], ["platform:admin"]])',
};

const guarded = (sdl: string): string =>
  sdl
    .replace('/federation/v2.3', '/federation/v2.9')
    .replace('import: [', 'import: ["@authenticated", "@requiresScopes", ')
    .replace(/type (\w+) @key/g, (_, type: string) => `type ${type} ${rules[type]} @key`)
    .replace(/\b(users|topProducts)(\([^)]*\))?: (\[\w+\])/g, (field, name: string) => `${field} ${rules[name]}`);

export const guardedSubgraphs: readonly BenchSubgraph[] = subgraphs.map((subgraph) => ({
  ...subgraph,
  sdl: guarded(subgraph.sdl),
}));
