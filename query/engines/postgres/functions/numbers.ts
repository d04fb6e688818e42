/** Functions of numbers. */
import type { numbers } from '../../../plan/functions/numbers.js';
import { type Argument, partial, type Sql, sql, type Template, total } from './template.js';

const isPositive = ({ literal }: Argument): boolean => literal?.value != null && Number(literal.value) > 0;

const call = (name: string): Template => sql((...args) => `${name}(${args.join(', ')})`);
const bits = (operator: string): Template => sql((a, b) => `(${a} ${operator} ${b})`);
/** Kusto’s counting of datetimes begins with the year 1. */
const origin = `timestamptz '0001-01-01 00:00:00+00'`;

const bin: Template = ({ args }): Sql => {
  const [value, size] = args as [Argument, Argument];
  if (value.type === 'datetime' && isPositive(size)) {
    return { sql: `date_bin(${size.sql}, ${value.sql}, ${origin})`, nullable: value.nullable };
  }
  return { sql: `fn.bin(${value.sql}, ${size.sql})`, nullable: value.nullable || !isPositive(size) };
};

const ceilingOf =
  (name: 'ceil' | 'floor'): Template =>
  (call) => {
    const [value, size] = call.args as [Argument, Argument | undefined];
    if (size !== undefined) return bin(call);
    return value.type === 'long' ? value.sql : `${name}(${value.sql})`;
  };

const round: Template = ({ args }) => {
  const [value, digits] = args as [Argument, Argument | undefined];
  if (value.type === 'long') return value.sql;
  return `fn.round(${value.sql}, ${digits?.sql ?? '0'})`;
};

const shift = (isLeft: boolean): Template => partial((a, b) => `fn.shift_bits(${a}, ${b}, ${isLeft})`);

export const numberTemplates: Readonly<Record<keyof typeof numbers, Template>> = {
  abs: ({ args: [value] }) => (value!.type === 'timespan' ? `fn.abs(${value!.sql})` : `abs(${value!.sql})`),
  ceiling: ceilingOf('ceil'),
  floor: ceilingOf('floor'),
  bin,
  bin_at: partial((value, size, point) => `fn.bin_at(${value}, ${size}, ${point})`),
  round,
  sign: call('sign'),
  exp: call('fn.exp'),
  exp2: sql((a) => `fn.pow(2, ${a})`),
  exp10: sql((a) => `fn.pow(10, ${a})`),
  log: partial((a) => `fn.log(${a})`),
  log2: partial((a) => `fn.log2(${a})`),
  log10: partial((a) => `fn.log10(${a})`),
  pow: partial((a, b) => `fn.pow(${a}, ${b})`),
  sqrt: partial((a) => `fn.sqrt(${a})`),
  pi: total(() => 'pi()'),
  sin: call('sin'),
  cos: call('cos'),
  tan: call('tan'),
  asin: partial((a) => `fn.asin(${a})`),
  acos: partial((a) => `fn.acos(${a})`),
  atan: call('atan'),
  atan2: call('atan2'),
  radians: call('radians'),
  degrees: call('degrees'),
  isnan: total((a) => `coalesce(${a} = 'NaN', false)`),
  isinf: total((a) => `coalesce(abs(${a}) = 'Infinity', false)`),
  isfinite: total((a) => `coalesce(abs(${a}) < 'Infinity', false)`),
  binary_and: bits('&'),
  binary_or: bits('|'),
  binary_xor: bits('#'),
  binary_shift_left: shift(true),
  binary_shift_right: shift(false),
  binary_not: sql((a) => `(~ ${a})`),
  bitset_count_ones: sql((a) => `bit_count(int8send(${a}))`),
};
