/** Functions of arrays and property bags. What is no array, or no bag, gives null. Positions count from 0. */
import type { FunctionSpec } from './signatures.js';
import { spec } from './spec.js';

const page = (name: string): string => `${name}-function`;
const bag = (name: string): FunctionSpec => ({
  ...spec(
    page(name),
    'A bag of the values under the names before them, nulls included.',
    'string, any, any... -> dynamic',
  ),
  check: (args) => {
    if (args.length % 2 === 1) return { argument: args.length - 1, message: 'The last name has no value.' };
    const wrong = args.findIndex(({ type }, i) => i % 2 === 0 && type !== 'string');
    return wrong === -1 ? undefined : { argument: wrong, message: 'Names must be strings.' };
  },
});

export const dynamics = {
  array_length: spec(page('array-length'), 'How many elements the array has.', 'dynamic -> long'),
  array_concat: spec(page('array-concat'), 'The elements of all arrays.', 'dynamic, dynamic... -> dynamic'),
  array_slice: spec(
    page('array-slice'),
    'The elements from one position to another, both included; negative ones count from the end.',
    'dynamic, long, long -> dynamic',
  ),
  array_split: spec(
    page('array-split'),
    'The array cut before the position, or before each of them.',
    'dynamic, long|dynamic -> dynamic',
  ),
  array_index_of: spec(
    page('array-index-of'),
    'The position of the first element that is the value; -1 where none is.',
    'dynamic, any -> long',
  ),
  array_sort_asc: spec(
    page('array-sort-asc'),
    'The elements in ascending order: numbers, texts, all others, and nulls last.',
    'dynamic, bool!? -> dynamic',
  ),
  array_sort_desc: spec(
    page('array-sort-desc'),
    'The elements in descending order, nulls last.',
    'dynamic, bool!? -> dynamic',
  ),
  array_sum: spec(page('array-sum'), 'The sum of the elements; null where one is no number.', 'dynamic -> real'),
  array_reverse: spec(page('array-reverse'), 'The elements in reverse order.', 'dynamic -> dynamic'),
  array_iff: spec(
    page('array-iff'),
    'For each condition of the first array the element of the second or third.',
    'dynamic, any, any -> dynamic',
  ),
  array_rotate_left: spec(
    page('array-rotate-left'),
    'The elements moved to the left by so many places, round the ends.',
    'dynamic, long -> dynamic',
  ),
  array_rotate_right: spec(
    page('array-rotate-right'),
    'The elements moved to the right by so many places, round the ends.',
    'dynamic, long -> dynamic',
  ),
  set_union: spec(
    page('set-union'),
    'The different elements of all arrays, in the order in which they first stand there.',
    'dynamic, dynamic... -> dynamic',
  ),
  set_intersect: spec(
    page('set-intersect'),
    'The different elements that all arrays have.',
    'dynamic, dynamic... -> dynamic',
  ),
  set_difference: spec(
    page('set-difference'),
    'The different elements of the first array that no other one has.',
    'dynamic, dynamic... -> dynamic',
  ),
  set_has_element: spec(page('set-has-element'), 'Whether the array has the value.', 'dynamic, any -> bool'),
  jaccard_index: spec(
    page('jaccard-index'),
    'How many elements both sets have, over how many one has.',
    'dynamic, dynamic -> real',
  ),
  bag_keys: spec(page('bag-keys'), 'The names of the bag’s properties.', 'dynamic -> dynamic'),
  bag_has_key: spec(
    page('bag-has-key'),
    'Whether the bag has the property, or the path that begins with `$.`.',
    'dynamic, string -> bool',
  ),
  bag_merge: spec(
    page('bag-merge'),
    'One bag of the properties of all; the first one that has a property gives it.',
    'dynamic, dynamic... -> dynamic',
  ),
  bag_remove_keys: spec(
    page('bag-remove-keys'),
    'The bag without the properties that the array names.',
    'dynamic, dynamic -> dynamic',
  ),
  bag_set_key: spec(page('bag-set-key'), 'The bag with a property set.', 'dynamic, string, any -> dynamic'),
  bag_pairs: spec(
    'mv-expand-operator',
    'An array of a `[key, value]` array for each property of the bag; null for what is no bag.',
    'dynamic -> dynamic',
  ),
  bag_zip: spec(
    page('bag-zip'),
    'A bag of the second array’s values under the first one’s names.',
    'dynamic, dynamic -> dynamic',
  ),
  bag_pack: bag('bag-pack'),
  pack: bag('bag-pack'),
  pack_dictionary: bag('bag-pack'),
  pack_array: spec(page('pack-array'), 'An array of the values.', 'any, any... -> dynamic'),
  zip: spec(
    page('zip'),
    'An array of arrays: the first elements of all, then the second ones, and so on.',
    'dynamic, dynamic... -> dynamic',
  ),
  repeat: spec(page('repeat'), 'An array of the value so many times, at most 1,048,576.', 'any, long -> dynamic'),
  range: spec(
    page('range'),
    'An array from a value to at most another (included) in steps, of at most 1,048,576 elements.',
    'long, long, long? -> dynamic',
    'real, real, real? -> dynamic',
    'datetime, datetime, timespan? -> dynamic',
    'timespan, timespan, timespan? -> dynamic',
  ),
  treepath: spec(page('treepath'), 'The paths of all values in the dynamic.', 'dynamic -> dynamic'),
} satisfies Record<string, FunctionSpec>;
