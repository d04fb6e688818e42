/** Functions of texts. Positions count characters (code points) from 0. None gives null. */
import type { Expr } from '../types.js';
import { jsonPath } from './json-path.js';
import { groupPattern, patternProblem } from './regex/index.js';
import type { FunctionSpec } from './signatures.js';
import { spec } from './spec.js';

const page = (name: string): string => `${name}-function`;
const text = (name: string, description: string): FunctionSpec => spec(page(name), description, 'string -> string');

/** Refuses patterns that cannot be run exactly. */
const withPattern = (of: FunctionSpec, argument = 0): FunctionSpec => ({
  ...of,
  check: (args: readonly Expr[]) => {
    const pattern = args[argument];
    if (pattern?.kind !== 'literal' || pattern.value === null) return undefined;
    const message = patternProblem(String(pattern.value), 'GROUPS');
    return message === undefined ? undefined : { argument, message };
  },
});

/** Refuses patterns without groups, and groups that a pattern does not have. */
const withGroups = (of: FunctionSpec): FunctionSpec => {
  const { check, ...rest } = withPattern(of);
  return {
    ...rest,
    check: (args) => {
      const problem = check!(args);
      if (problem !== undefined) return problem;
      const [pattern, wanted] = args;
      if (pattern?.kind !== 'literal' || pattern.value === null) return undefined;
      const { groups, names } = groupPattern(String(pattern.value));
      if (groups.length === 1)
        return { argument: 0, message: 'The regular expression of extract_all must have a group.' };
      if (args.length < 3 || wanted?.kind !== 'literal' || wanted.value === null) return undefined;
      const isKnown = (group: unknown) =>
        typeof group === 'string' ? names.has(group) : Number.isInteger(group) && groups[group as number] !== undefined;
      if (Array.isArray(wanted.value) && wanted.value.length > 0 && wanted.value.every(isKnown)) return undefined;
      return {
        argument: 1,
        message: 'The groups must be an array of numbers and names of groups in the regular expression.',
      };
    },
  };
};

const replaceRegex = (name: string): FunctionSpec =>
  withPattern(
    spec(
      page(name),
      'The text with every match of the regular expression replaced; `\\0` to `\\9` in the replacement are its groups.',
      'string, string!, string! -> string',
    ),
    1,
  );

export const strings = {
  strlen: spec(page('strlen'), 'How many characters the text has.', 'string -> long'),
  string_size: spec(page('string-size'), 'How many bytes the text has in UTF-8.', 'string -> long'),
  toupper: text('toupper', 'The text in upper case.'),
  tolower: text('tolower', 'The text in lower case.'),
  reverse: spec(page('reverse'), 'The characters of the text in reverse order.', 'any -> string'),
  substring: spec(
    page('substring'),
    'The text from a position on, at most so many characters; a negative position counts from the end.',
    'string, long, long? -> string',
  ),
  indexof: spec(
    page('indexof'),
    'Where the text holds the other one: from a start on, within a length (-1: all), at its nth occurrence; -1 where it does not, null for a start or occurrence below its least.',
    'any, any, long?, long?, long? -> long',
  ),
  countof: {
    ...spec(
      page('countof'),
      'How often the text holds the other one, overlapping ones included; with "regex" how often the pattern matches.',
      'string, string, string!? -> long',
    ),
    check: ([, pattern, kind]: readonly Expr[]) => {
      if (kind?.kind !== 'literal' || kind.value === 'normal') return undefined;
      if (kind.value !== 'regex') return { argument: 2, message: 'The kind is "normal" or "regex".' };
      if (pattern?.kind !== 'literal') return { argument: 1, message: 'A regular expression must be a literal.' };
      const message = patternProblem(String(pattern.value), 'GROUPS');
      return message === undefined ? undefined : { argument: 1, message };
    },
  },
  split: spec(
    page('split'),
    'The parts of the text between delimiters; with an index an array of that part alone.',
    'string, string, long? -> dynamic',
  ),
  strcat: spec(page('strcat'), 'The values as texts, one after another.', 'any, any... -> string'),
  strcat_delim: spec(
    page('strcat-delim'),
    'The values as texts with the delimiter between them.',
    'string, any... -> string',
  ),
  strcat_array: spec(
    page('strcat-array'),
    'The array’s elements as texts with the delimiter between them.',
    'dynamic, string -> string',
  ),
  strrep: spec(
    page('strrep'),
    'The value as a text so many times, at most 1,024, with a delimiter between.',
    'any, long, string? -> string',
  ),
  strcmp: spec(
    page('strcmp'),
    '-1, 0 or 1 as the first text comes before, is, or comes after the second.',
    'string, string -> long',
  ),
  trim: withPattern(
    spec(
      page('trim'),
      'The text without the matches of the regular expression at its two ends.',
      'string!, string -> string',
    ),
  ),
  trim_start: withPattern(
    spec(
      page('trim-start'),
      'The text without the match of the regular expression at its begin.',
      'string!, string -> string',
    ),
  ),
  trim_end: withPattern(
    spec(
      page('trim-end'),
      'The text without the match of the regular expression at its end.',
      'string!, string -> string',
    ),
  ),
  replace_string: spec(
    page('replace-string'),
    'The text with every occurrence of one text replaced by another.',
    'string, string, string -> string',
  ),
  replace_strings: spec(
    page('replace-strings'),
    'The text with the first array’s texts replaced by the second’s, one after another.',
    'string, dynamic!, dynamic! -> string',
  ),
  replace_regex: replaceRegex('replace-regex'),
  replace: withPattern(
    spec(
      page('replace-regex'),
      'As `replace_regex`, with the pattern and the replacement first.',
      'string!, string!, string -> string',
    ),
  ),
  translate: spec(
    page('translate'),
    'The text with characters of the first list replaced by those of the second, whose last one stands for what it lacks.',
    'string!, string!, string -> string',
  ),
  extract: withPattern(
    spec(
      page('extract'),
      'What a group of the regular expression matches first in the text, group 0 being all of it; empty where nothing matches.',
      'string!, long!, string -> string',
    ),
  ),
  extract_all: withGroups(
    spec(
      page('extract-all'),
      'Every match of the regular expression: its group, or an array of its groups where it has several; null without a match.',
      'string!, string -> dynamic',
      'string!, dynamic!, string -> dynamic',
    ),
  ),
  extract_json: {
    ...spec(
      page('extract-json'),
      'The value at a JSON path (`$.a[0].b`) in the text, as a text; empty where there is none.',
      'string!, string|dynamic -> string',
    ),
    check: ([path]) =>
      path?.kind === 'literal' && jsonPath(String(path.value)) === undefined
        ? { argument: 0, message: 'The path must be of the form $.name["name"][0].' }
        : undefined,
  },
  parse_url: spec(page('parse-url'), 'The parts of an absolute URL.', 'string -> dynamic'),
  parse_urlquery: spec(page('parse-urlquery'), 'The parameters of a URL’s query.', 'string -> dynamic'),
  parse_path: spec(page('parse-path'), 'The parts of a file’s path.', 'string -> dynamic'),
  parse_csv: spec(page('parse-csv'), 'The fields of the first CSV record.', 'string -> dynamic'),
  parse_version: spec(
    page('parse-version'),
    'A version of one to four numbers as one number that compares as it does; null for others.',
    'string -> decimal',
  ),
  url_encode: text('url-encode', 'The text as part of a URL, a space as `+`.'),
  url_encode_component: text('url-encode-component', 'The text as part of a URL, a space as `%20`.'),
  url_decode: text('url-decode', 'The text that a part of a URL stands for; what is no escape stays as it is.'),
  base64_encode_tostring: text('base64-encode-tostring', 'The text’s UTF-8 in base64.'),
  base64_decode_tostring: text(
    'base64-decode-tostring',
    'The text whose UTF-8 in base64 is given; empty where that is no such text.',
  ),
  base64_decode_toarray: spec(
    page('base64-decode-toarray'),
    'The bytes that are given in base64, as numbers; null where it is none.',
    'string -> dynamic',
  ),
  base64_decode_toguid: spec(
    page('base64-decode-toguid'),
    'The guid whose bytes are given in base64; null where it is none.',
    'string -> guid',
  ),
  hash_md5: spec(page('md5'), 'The MD5 hash of the value as a text, in hexadecimal digits.', 'any -> string'),
  hash_sha256: spec(page('sha256'), 'The SHA-256 hash of the value as a text, in hexadecimal digits.', 'any -> string'),
  isascii: spec(page('isascii'), 'Whether the text has ASCII characters alone.', 'string -> bool'),
  isutf8: spec(page('isutf8'), 'Whether the text is UTF-8, which stored text always is.', 'string -> bool'),
  to_utf8: spec(page('to-utf8'), 'The numbers of the text’s characters.', 'string -> dynamic'),
  unicode_codepoints_from_string: spec(
    page('unicode-codepoints-from-string'),
    'The numbers of the text’s characters.',
    'string -> dynamic',
  ),
  unicode_codepoints_to_string: spec(
    page('unicode-codepoints-to-string'),
    'The text of the characters with these numbers.',
    'long|dynamic, long|dynamic... -> string',
  ),
} satisfies Record<string, FunctionSpec>;
