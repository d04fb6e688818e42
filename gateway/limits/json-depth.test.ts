import fc from 'fast-check';
import { expect, it } from 'vitest';
import { loadConfig, operationLimitsOf } from '../../platform/config.js';
import { checkNesting, jsonDepth } from './json-depth.js';

const limits = operationLimitsOf(loadConfig({}));

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

it('counts the levels of any JSON, whatever its texts hold', () => {
  const text = fc.oneof(fc.string(), fc.constantFrom('[', '{{', '"]', '\\"[', '\\', '🏃['));
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 8 },
      text,
      fc.integer(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(text, tie('value'), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(value, fc.constantFrom(undefined, 2), (json, indent) => {
      expect(jsonDepth(Buffer.from(JSON.stringify(json, null, indent)))).toBe(depthOf(json));
    }),
    { numRuns: 500 },
  );
});

it('lets 100 levels pass, and tells number and limit of more', () => {
  const nested = (levels: number) => Buffer.from('['.repeat(levels) + ']'.repeat(levels));
  expect(() => checkNesting(nested(100), limits)).not.toThrow();
  expect(() => checkNesting(nested(101), limits)).toThrow('Lists and objects nest 101 deep; the limit is 100.');
  expect(() => checkNesting(nested(500_000), limits)).toThrow('500,000 deep');
});

it('takes any bytes', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => jsonDepth(bytes) >= 0));
});
