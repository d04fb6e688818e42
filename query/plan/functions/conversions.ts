/** From one type to another. What cannot be converted is null, or the empty string. */
import type { FunctionSpec } from './signatures.js';
import { spec } from './spec.js';

const page = (name: string): string => `${name}-function`;
const integer = (name: string): FunctionSpec =>
  spec(
    page(name),
    'The value as a whole number, a fraction cut off; null where it is none or out of range.',
    'any -> long',
  );
const real = (name: string): FunctionSpec =>
  spec(page(name), 'The value as a real number; null where it is none.', 'any -> real');
const bool = (name: string): FunctionSpec =>
  spec(page(name), 'The value as a bool: of texts `true`, `false` and whole numbers; null for others.', 'any -> bool');
const json = (name: string): FunctionSpec =>
  spec(
    page(name),
    'The JSON value that the text holds; a text that is no JSON is that text itself, an empty one null.',
    'any -> dynamic',
  );

export const conversions = {
  tostring: spec(
    page('tostring'),
    'The value as a text: `2015-05-17T10:05:03.1200000Z`, `1.02:03:04.5000000`, `true`; empty for null.',
    'any -> string',
  ),
  tolong: integer('tolong'),
  toint: spec(
    page('toint'),
    'The value as a whole number of 32 bits; null where it is none or out of range.',
    'any -> long',
  ),
  todouble: real('todouble'),
  toreal: real('toreal'),
  todecimal: spec(page('todecimal'), 'The value as a decimal number; null where it is none.', 'any -> decimal'),
  tobool: bool('tobool'),
  toboolean: bool('tobool'),
  toguid: spec(page('toguid'), 'The value as a guid; null where it is none.', 'any -> guid'),
  todatetime: spec(
    page('todatetime'),
    'The moment that the text names, in UTC where it says no zone; null where it names none, or one out of range.',
    'any -> datetime',
  ),
  totimespan: spec(
    page('totimespan'),
    'The length of time that the text names, as `1.02:03:04.5` or `90m`; null where it names none.',
    'any -> timespan',
  ),
  todynamic: json('todynamic'),
  parse_json: json('parse-json'),
  gettype: spec(
    page('gettype'),
    'The name of the value’s type; of a dynamic that of the value in it.',
    'any -> string',
  ),
  tohex: spec(
    page('tohex'),
    'The number in hexadecimal digits, two’s complement where it is negative; with zeros before it up to the given length.',
    'long, long? -> string',
  ),
} satisfies Record<string, FunctionSpec>;
