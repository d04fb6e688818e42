import { expect, it } from 'vitest';
import { intersectCapabilities } from './capabilities.js';
import type { Capability } from './identity.js';

const read = (app?: string, className?: string): Capability => ({
  action: 'audit:read',
  ...(app === undefined ? {} : { app }),
  ...(className === undefined ? {} : { class: className }),
});

it('what two holders may both do is the narrower scope of each pair, once, and nothing where scopes do not meet', () => {
  const cases: [Capability[], Capability[], Capability[]][] = [
    [[read()], [read('shop')], [read('shop')]],
    [[read('shop')], [read()], [read('shop')]],
    [[read('shop')], [read('shop', 'orders')], [read('shop', 'orders')]],
    [[read('shop')], [read(undefined, 'orders')], [read('shop', 'orders')]],
    [[read('shop')], [read('bank')], []],
    [[read('shop', 'orders')], [read('shop', 'users')], []],
    [[read(), read('shop')], [read('shop')], [read('shop')]],
    [[{ action: 'jobs:read' }], [read()], []],
    [[], [read()], []],
  ];
  for (const [some, others, both] of cases) {
    expect(intersectCapabilities(some, others)).toEqual(both);
    expect(intersectCapabilities(others, some)).toEqual(both);
  }
});
