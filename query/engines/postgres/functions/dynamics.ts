/** Arrays and property bags. A dynamic’s SQL is never JSON’s null. */
import type { dynamics } from '../../../plan/functions/dynamics.js';
import { asJson } from './conversions.js';
import { path } from './paths.js';
import { type Argument, partial, type Template } from './template.js';

const json = (arg: Argument): string => `coalesce(${asJson(arg)}, 'null')`;
const array = (args: readonly Argument[]): string => `ARRAY[${args.map(({ sql }) => sql).join(', ')}]::jsonb[]`;
const overAll =
  (name: string): Template =>
  ({ args }) => ({ sql: `fn.${name}(${array(args)})`, nullable: true });

/** PostgreSQL passes a function at most 100 arguments; an even number, so that a name stays with its value. */
const maxArguments = 100;

/** `build` of all parts, however many: what several calls build is put together. */
function built(build: 'jsonb_build_object' | 'jsonb_build_array', parts: readonly string[]): string {
  const calls: string[] = [];
  for (let at = 0; at === 0 || at < parts.length; at += maxArguments) {
    calls.push(`${build}(${parts.slice(at, at + maxArguments).join(', ')})`);
  }
  return calls.length === 1 ? calls[0]! : `(${calls.join(' || ')})`;
}

const bag: Template = ({ args }) => {
  const parts = args.map((arg, i) => (i % 2 === 0 ? arg.sql : json(arg)));
  return { sql: built('jsonb_build_object', parts), nullable: false };
};

const range: Template = ({ args }) => {
  const [from, to, step] = args as [Argument, Argument, Argument | undefined];
  const one = from.type === 'long' || from.type === 'real' ? '1' : `interval '1 hour'`;
  return { sql: `fn.range(${from.sql}, ${to.sql}, ${step?.sql ?? one})`, nullable: true };
};

/** `IN`-like search in an array. */
const hasElement: Template = ({ args: [set, value] }) => ({
  sql: `(fn.array_index_of(${set!.sql}, ${asJson(value!)}) >= 0)`,
  nullable: true,
});

export const dynamicTemplates: Readonly<Record<keyof typeof dynamics | 'path', Template>> = {
  path,
  array_length: partial((a) => `fn.array_length(${a})`),
  array_concat: overAll('array_concat'),
  array_slice: partial((a, from, to) => `fn.array_slice(${a}, ${from}, ${to})`),
  array_split: ({ args: [value, at] }) => ({
    sql: `fn.array_split(${value!.sql}, ${at!.type === 'long' ? `jsonb_build_array(${at!.sql})` : at!.sql})`,
    nullable: true,
  }),
  array_index_of: ({ args: [value, wanted] }) => ({
    sql: `fn.array_index_of(${value!.sql}, ${asJson(wanted!)})`,
    nullable: true,
  }),
  array_sort_asc: partial((a, last) => `fn.array_sort(${a}, false, ${last ?? 'true'})`),
  array_sort_desc: partial((a, last) => `fn.array_sort(${a}, true, ${last ?? 'true'})`),
  array_sum: partial((a) => `fn.array_sum(${a})`),
  array_reverse: partial((a) => `fn.array_reverse(${a})`),
  array_iff: ({ args: [conditions, yes, no] }) => ({
    sql: `fn.array_iff(${conditions!.sql}, ${asJson(yes!)}, ${asJson(no!)})`,
    nullable: true,
  }),
  array_rotate_left: partial((a, n) => `fn.array_rotate(${a}, ${n})`),
  array_rotate_right: partial((a, n) => `fn.array_rotate(${a}, - ${n})`),
  set_union: overAll('set_union'),
  set_intersect: overAll('set_intersect'),
  set_difference: overAll('set_difference'),
  set_has_element: hasElement,
  jaccard_index: partial((a, b) => `fn.jaccard_index(${a}, ${b})`),
  bag_keys: partial((a) => `fn.bag_keys(${a})`),
  bag_has_key: partial((a, key) => `fn.bag_has_key(${a}, ${key})`),
  bag_merge: overAll('bag_merge'),
  bag_remove_keys: partial((a, keys) => `fn.bag_remove_keys(${a}, ${keys})`),
  bag_set_key: ({ args: [value, key, to] }) => ({
    sql: `fn.bag_set_key(${value!.sql}, ${key!.sql}, ${json(to!)})`,
    nullable: true,
  }),
  bag_pairs: partial(
    (a) =>
      `(SELECT coalesce(jsonb_agg(jsonb_build_array(key, value)), '[]') FROM jsonb_each(CASE jsonb_typeof(${a}) WHEN 'object' THEN ${a} END) HAVING jsonb_typeof(${a}) = 'object')`,
  ),
  bag_zip: partial((keys, values) => `fn.bag_zip(${keys}, ${values})`),
  bag_pack: bag,
  pack: bag,
  pack_dictionary: bag,
  pack_array: ({ args }) => ({ sql: built('jsonb_build_array', args.map(json)), nullable: false }),
  zip: overAll('zip'),
  repeat: ({ args: [value, count] }) => ({ sql: `fn.repeat(${json(value!)}, ${count!.sql})`, nullable: true }),
  range,
  treepath: partial((a) => `fn.treepath(${a})`),
};
