/** Functions and operators of strings, which are never null. */
import type { Call, Value } from './values.js';

type TextTest = (text: string, part: string) => boolean;

const isTermCharacter = (character: string | undefined): boolean =>
  character !== undefined && /[A-Za-z0-9]/.test(character);

/** Whether `part` stands somewhere in the text with the ends of terms where they are asked for. */
function stands(text: string, part: string, ends: { before: boolean; after: boolean }): boolean {
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + 1)) {
    const isBefore = !ends.before || !isTermCharacter(text[at - 1]);
    const isAfter = !ends.after || !isTermCharacter(text[at + part.length]);
    if (isBefore && isAfter) return true;
  }
  return false;
}

const tests: Record<string, TextTest> = {
  contains: (text, part) => text.includes(part),
  startswith: (text, part) => text.startsWith(part),
  endswith: (text, part) => text.endsWith(part),
  has: (text, part) => stands(text, part, { before: true, after: true }),
  hasprefix: (text, part) => stands(text, part, { before: true, after: false }),
  hassuffix: (text, part) => stands(text, part, { before: false, after: true }),
};

type TextFunction = (call: Call) => Value;
const strings = (args: Value[]): string[] => args as string[];
const words = (args: Value[]): string[] =>
  args.flatMap((arg) => (Array.isArray(arg) ? (arg as string[]) : [arg as string]));

const operators: Record<string, TextFunction> = {};
for (const [name, test] of Object.entries(tests)) {
  const ignoringCase: TextTest = (text, part) => test(lower(text), lower(part));
  for (const [spelling, how] of [
    [name, ignoringCase],
    [`${name}_cs`, test],
  ] as const) {
    operators[spelling] = ({ args }) => how(...(strings(args) as [string, string]));
    operators[`!${spelling}`] = ({ args }) => !how(...(strings(args) as [string, string]));
  }
}

const lower = (text: string): string => text.toLowerCase();
const characters = (text: string): string[] => [...text];

export const textFunctions: Record<string, TextFunction> = {
  ...operators,
  '=~': ({ args: [a, b] }) => lower(a as string) === lower(b as string),
  '!~': ({ args: [a, b] }) => lower(a as string) !== lower(b as string),
  'in~': ({ args: [text, ...others] }) => words(others).some((other) => lower(other) === lower(text as string)),
  '!in~': ({ args: [text, ...others] }) => !words(others).some((other) => lower(other) === lower(text as string)),
  has_any: ({ args: [text, ...others] }) =>
    words(others).some((word) => tests.has!(lower(text as string), lower(word))),
  has_all: ({ args: [text, ...others] }) =>
    words(others).every((word) => tests.has!(lower(text as string), lower(word))),
  'matches regex': ({ args: [text, pattern] }) => new RegExp(pattern as string, 'u').test(text as string),
  extract: ({ args: [pattern, group, text] }) =>
    new RegExp(pattern as string, 'u').exec(text as string)?.[Number(group)] ?? '',
  tolower: ({ args: [text] }) => lower(text as string),
  toupper: ({ args: [text] }) => (text as string).toUpperCase(),
  strlen: ({ args: [text] }) => BigInt(characters(text as string).length),
  reverse: ({ args: [text] }) =>
    characters(text as string)
      .reverse()
      .join(''),
  strrep: ({ args: [text, times] }) => (text as string).repeat(Number(times)),
  substring: ({ args: [text, start, count] }) => {
    const all = characters(text as string);
    const from = Number(start) < 0 ? Math.max(0, all.length + Number(start)) : Number(start);
    return all.slice(from, count === undefined ? undefined : from + Number(count)).join('');
  },
  indexof: ({ args: [text, part] }) => {
    const at = (text as string).indexOf(part as string);
    return BigInt(at === -1 ? -1 : characters((text as string).slice(0, at)).length);
  },
  countof: ({ args: [text, part] }) => {
    let count = 0n;
    for (
      let at = (text as string).indexOf(part as string);
      at !== -1;
      at = (text as string).indexOf(part as string, at + 1)
    )
      count++;
    return count;
  },
  replace_string: ({ args: [text, old, fresh] }) => (text as string).split(old as string).join(fresh as string),
  split: ({ args: [text, by] }) => (text as string).split(by as string),
  base64_encode_tostring: ({ args: [text] }) => Buffer.from(text as string).toString('base64'),
  ipv4_is_private: ({ args: [text] }) => {
    const parts = /^(\d{1,3})[.](\d{1,3})[.](\d{1,3})[.](\d{1,3})$/
      .exec(text as string)
      ?.slice(1)
      .map(Number);
    if (parts === undefined || parts.some((part) => part > 255)) return null;
    const [a, b] = parts as [number, number];
    return a === 10 || (a === 172 && b >= 16 && b <= 31) || (a === 192 && b === 168);
  },
};
