/** Choices, and questions about null and empty values. */
import type { FunctionSpec } from './signatures.js';
import { scalarTypes, spec } from './spec.js';

const page = (name: string): string => `${name}-function`;
const either = (name: string): FunctionSpec =>
  spec(page(name), 'The second value where the first is true, the third where it is false or null.', 'bool, T, T -> T');

export const conditionals = {
  iff: either('iff'),
  iif: either('iff'),
  case: {
    source: page('case'),
    description: 'The value after the first condition that is true, else the last value.',
    signatures: scalarTypes.map((type) => ({
      parameters: ['bool', type],
      cycle: { group: ['bool', type], last: type },
      returns: type,
    })),
  },
  coalesce: spec(
    page('coalesce'),
    'The first value that is not null; of strings the first that is not empty.',
    'T, T, T... -> T',
  ),
  isnull: spec(page('isnull'), 'Whether the value is null; false for every string of Kusto’s.', 'any -> bool'),
  isnotnull: spec(page('isnotnull'), 'Whether the value is not null.', 'any -> bool'),
  isempty: spec(page('isempty'), 'Whether the value is null or the empty string.', 'any -> bool'),
  isnotempty: spec(page('isnotempty'), 'Whether the value is neither null nor the empty string.', 'any -> bool'),
  min_of: spec(page('min-of'), 'The least of the values that are not null.', 'O, O, O... -> O'),
  max_of: spec(page('max-of'), 'The greatest of the values that are not null.', 'O, O, O... -> O'),
} satisfies Record<string, FunctionSpec>;
