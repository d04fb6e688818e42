/** Functions of numbers. */
import type { FunctionSpec } from './signatures.js';
import { spec } from './spec.js';

const page = (name: string): string => `${name}-function`;
const real = (name: string, description: string): FunctionSpec =>
  spec(page(name), `${description} Null for null.`, 'real -> real');
const bits = (name: string, description: string): FunctionSpec => spec(page(name), description, 'long, long -> long');

export const numbers = {
  abs: spec(page('abs'), 'The number or timespan without its sign.', 'N -> N', 'timespan -> timespan'),
  ceiling: spec(page('ceiling'), 'The least whole number that is not below the number.', 'N -> N'),
  floor: spec(
    page('floor'),
    'The greatest whole number not above the number; with a size as `bin`.',
    'N -> N',
    'N, N -> N',
    'datetime, timespan -> datetime',
    'timespan, timespan -> timespan',
  ),
  bin: spec(
    page('bin'),
    'The greatest multiple of the size that is not above the value, counted from 0 or from the year 1; null for sizes that are not above 0.',
    'N, N -> N',
    'datetime, timespan -> datetime',
    'timespan, timespan -> timespan',
  ),
  bin_at: spec(
    page('bin-at'),
    'As `bin`, counted from a fixed point.',
    'N, N, N -> N',
    'datetime, timespan, datetime -> datetime',
    'timespan, timespan, timespan -> timespan',
  ),
  round: spec(
    page('round'),
    'The number rounded, halves away from zero, to so many digits behind the point.',
    'real, long? -> real',
    'decimal, long? -> decimal',
    'long -> long',
  ),
  sign: spec(page('sign'), '1, 0 or -1 as the number is above, at or below 0.', 'real -> real'),
  exp: real('exp', 'e to the power of the number.'),
  exp2: real('exp2', '2 to the power of the number.'),
  exp10: real('exp10', '10 to the power of the number.'),
  log: real('log', 'The natural logarithm; null where there is none.'),
  log2: real('log2', 'The logarithm to base 2; null where there is none.'),
  log10: real('log10', 'The logarithm to base 10; null where there is none.'),
  pow: spec(
    page('pow'),
    'The first number to the power of the second; null where there is none.',
    'real, real -> real',
  ),
  sqrt: real('sqrt', 'The square root; null for negative numbers.'),
  pi: spec(page('pi'), 'The circumference of a circle over its diameter.', ' -> real'),
  sin: real('sin', 'The sine of an angle in radians.'),
  cos: real('cos', 'The cosine of an angle in radians.'),
  tan: real('tan', 'The tangent of an angle in radians.'),
  asin: real('asin', 'The angle in radians whose sine is the number; null where there is none.'),
  acos: real('acos', 'The angle in radians whose cosine is the number; null where there is none.'),
  atan: real('atan', 'The angle in radians whose tangent is the number.'),
  atan2: spec(page('atan2'), 'The angle in radians between the x axis and the point (y, x).', 'real, real -> real'),
  radians: real('radians', 'Degrees as radians.'),
  degrees: real('degrees', 'Radians as degrees.'),
  isnan: spec(page('isnan'), 'Whether the number is NaN; false for null.', 'real -> bool'),
  isinf: spec(page('isinf'), 'Whether the number is infinite; false for null.', 'real -> bool'),
  isfinite: spec(page('isfinite'), 'Whether the number is neither infinite nor NaN; false for null.', 'real -> bool'),
  binary_and: bits('binary-and', 'The bits that both numbers have.'),
  binary_or: bits('binary-or', 'The bits that one of the numbers has.'),
  binary_xor: bits('binary-xor', 'The bits that one of the numbers has and not the other.'),
  binary_shift_left: bits('binary-shift-left', 'The bits moved up by so many places, modulo 64.'),
  binary_shift_right: bits('binary-shift-right', 'The bits moved down by so many places, modulo 64.'),
  binary_not: spec(page('binary-not'), 'Every bit turned round.', 'long -> long'),
  bitset_count_ones: spec(page('bitset-count-ones'), 'How many bits are set.', 'long -> long'),
} satisfies Record<string, FunctionSpec>;
