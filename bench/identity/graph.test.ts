import { parse } from 'graphql';
import { expect, it } from 'vitest';
import { AccessRules } from '../../platform/graphql/access-rules.js';
import { composeBench } from '../compose.js';
import { guardedSubgraphs } from './graph.js';

it('every type of the benchmark’s graph has a rule, and so have the lists at its root', () => {
  const sdl = composeBench(guardedSubgraphs);
  for (const type of ['User', 'Product', 'Review']) {
    expect(sdl).toMatch(new RegExp(`^type ${type}\\b[^{]*@(authenticated|requiresScopes)`, 'm'));
  }
  expect(sdl).toMatch(/users: .*@requiresScopes/);
  expect(sdl).toMatch(/topProducts\(.*@requiresScopes/);
  expect(() => AccessRules.read(parse(sdl))).not.toThrow();
});
