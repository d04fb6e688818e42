import { buildSchema } from 'graphql';
import { expect, it } from 'vitest';
import { printSubgraph } from '../../platform/subgraph.js';
import { subgraphs } from '../../subgraphs/index.js';
import { composeSupergraph } from './compose.js';

it('every subgraph declares @cacheControl, and composition neither complains nor shows it to clients', () => {
  const definitions = subgraphs.map((subgraph) => ({ name: subgraph.name, sdl: printSubgraph(subgraph) }));
  for (const { name, sdl } of definitions) expect(sdl, name).toContain('directive @cacheControl(');
  const api = buildSchema(composeSupergraph(definitions).apiSdl);
  expect(api.getDirective('cacheControl')).toBeUndefined();
  expect(api.getType('CacheControlScope')).toBeUndefined();
});
