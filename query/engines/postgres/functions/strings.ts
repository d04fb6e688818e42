/** Functions of texts. Kusto’s give no null: what cannot be found is the empty text. */
import { jsonPath } from '../../../plan/functions/json-path.js';
import { type GroupPattern, groupPattern, searchPattern } from '../../../plan/functions/regex/index.js';
import type { strings } from '../../../plan/functions/strings.js';
import { text } from './conversions.js';
import { type Argument, partial, sql, type Template, type TemplateCall } from './template.js';

const literalText = ({ literal }: Argument): string => (literal?.value == null ? '' : String(literal.value));
const literalNumber = ({ literal }: Argument): number | undefined =>
  literal?.value == null ? undefined : Number(literal.value);

const call = (name: string): Template => sql((...args) => `${name}(${args.join(', ')})`);
const count = (name: string): Template => sql((a) => `${name}(${a})::bigint`);
/** The arguments as texts, whatever their types. */
const texts =
  (write: (...args: string[]) => string): Template =>
  ({ args }) => ({ sql: write(...args.map(text)), nullable: false });

const isSmall = (n: number | undefined): n is number => n !== undefined && n >= 0 && n < 2 ** 31 - 1;

const substring: Template = ({ args }) => {
  const [value, from, length] = args as [Argument, Argument, Argument | undefined];
  const start = literalNumber(from);
  const size = length && literalNumber(length);
  if (isSmall(start) && (length === undefined || isSmall(size))) {
    return {
      sql: `substr(${value.sql}, ${start + 1}${length === undefined ? '' : `, ${size}`})`,
      nullable: value.nullable,
    };
  }
  return `fn.substring(${args.map((arg) => arg.sql).join(', ')})`;
};

const split: Template = ({ args }) => {
  const [value, delimiter, index] = args as [Argument, Argument, Argument | undefined];
  const parts = `fn.split(${value.sql}, ${delimiter.sql})`;
  if (index === undefined) return parts;
  return { sql: `fn.only_element(${parts}, ${index.sql})`, nullable: true };
};

const delimited: Template = ({ args }) => ({
  sql: `array_to_string(ARRAY[${args.slice(1).map(text).join(', ')}], ${args[0]!.sql})`,
  nullable: false,
});

const countOf: Template = ({ args, parameter }) => {
  const [value, wanted, kind] = args as [Argument, Argument, Argument | undefined];
  if (kind === undefined || literalText(kind) !== 'regex') return `fn.count_of(${value.sql}, ${wanted.sql})`;
  const { pattern, tail, canBeEmpty } = groupPattern(literalText(wanted));
  if (tail === 0 && !canBeEmpty) return `regexp_count(${value.sql}, ${parameter(pattern, 'text')})::bigint`;
  return `coalesce(cardinality(fn.regex_matches(${value.sql}, ${parameter(pattern, 'text')}, ${tail}, '{0}')), 0)::bigint`;
};

const trimStart = (value: string, wanted: string, { parameter }: TemplateCall): string => {
  const { pattern, tail } = groupPattern(wanted);
  const replacement = tail === 0 ? '' : `\\${tail}`;
  // PostgreSQL’s replacement names groups up to 9.
  if (tail > 9) return `coalesce(fn.regex_tail(${value}, ${parameter(`^${pattern}`, 'text')}, ${tail}), ${value})`;
  return `regexp_replace(${value}, ${parameter(`^(?:${pattern})`, 'text')}, '${replacement}')`;
};
const trimEnd = (value: string, wanted: string, { parameter }: TemplateCall): string =>
  `regexp_replace(${value}, ${parameter(`(?:${searchPattern(wanted)})$`, 'text')}, '')`;

const trimming =
  (...trims: ((value: string, wanted: string, call: TemplateCall) => string)[]): Template =>
  (call) => {
    const [pattern, value] = call.args as [Argument, Argument];
    const trimmed = trims.reduce((inner, trim) => trim(inner, literalText(pattern), call), value.sql);
    return { sql: trimmed, nullable: value.nullable };
  };

/** `\1` in Kusto’s replacements is a group, `\0` the whole match; all else is as it is written. */
function replacementParts(replacement: string): (string | number)[] {
  const parts: (string | number)[] = [];
  for (const [, group, escaped, plain] of replacement.matchAll(/\\(\d)|\\(\\)|([^\\]+|\\)/gs)) {
    parts.push(group === undefined ? (escaped ?? plain)! : Number(group));
  }
  return parts;
}

function replaceRegex(value: Argument, wanted: string, replacement: string, { parameter }: TemplateCall) {
  const compiled = groupPattern(wanted);
  const parts = replacementParts(replacement).map((part) =>
    typeof part === 'string' || compiled.groups[part] !== undefined ? part : '',
  );
  const pattern = parameter(compiled.pattern, 'text');
  if (compiled.tail === 0 && !compiled.canBeEmpty) {
    const written = parts.map((part) =>
      typeof part === 'string' ? part.replaceAll('\\', '\\\\') : part === 0 ? '\\&' : `\\${compiled.groups[part]}`,
    );
    return {
      sql: `regexp_replace(${value.sql}, ${pattern}, ${parameter(written.join(''), 'text')}, 'g')`,
      nullable: value.nullable,
    };
  }
  const fixed = parameter(
    parts.map((part) => (typeof part === 'string' ? part : null)),
    'text[]',
  );
  const groups = parameter(
    parts.map((part) => (typeof part === 'string' ? null : compiled.groups[part]!)),
    'int[]',
  );
  return {
    sql: `fn.regex_replace(${value.sql}, ${pattern}, ${compiled.tail}, ${fixed}, ${groups})`,
    nullable: value.nullable,
  };
}

const extract: Template = ({ args, parameter }) => {
  const [wanted, group, value] = args as [Argument, Argument, Argument];
  const number = literalNumber(group);
  const { pattern, groups, tail }: GroupPattern = groupPattern(literalText(wanted));
  if (number === undefined || groups[number] === undefined) return { sql: `''::text`, nullable: false };
  const sqlPattern = parameter(pattern, 'text');
  if (number === 0) return { sql: `fn.regex_match(${value.sql}, ${sqlPattern}, ${tail})`, nullable: false };
  const found =
    groups[number] === 1
      ? `substring(${value.sql}, ${sqlPattern})`
      : `(regexp_match(${value.sql}, ${sqlPattern}))[${groups[number]}]`;
  return { sql: `coalesce(${found}, '')`, nullable: false };
};

const extractAll: Template = ({ args, parameter }) => {
  const [wanted, ...rest] = args as [Argument, ...Argument[]];
  const value = rest.at(-1)!;
  const { pattern, groups, names, tail } = groupPattern(literalText(wanted));
  const chosen = rest.length === 2 ? (rest[0]!.literal!.value as (number | string)[] | null) : null;
  const numbers = (chosen ?? groups.slice(1).map((_, i) => i + 1)).map(
    (group) => groups[typeof group === 'string' ? names.get(group)! : group]!,
  );
  const matches = `fn.regex_matches(${value.sql}, ${parameter(pattern, 'text')}, ${tail}, '{${numbers.join(',')}}')`;
  const json = numbers.length === 1 ? `to_jsonb(${matches})` : `fn.rows_of(${matches}, ${numbers.length})`;
  return { sql: json, nullable: true };
};

const extractJson: Template = ({ args, parameter }) => {
  const [path, value] = args as [Argument, Argument];
  const steps = jsonPath(literalText(path)) ?? [];
  const json = value.type === 'dynamic' ? value.sql : `fn.parse_json(${value.sql})`;
  const keys = steps.map((step) => (typeof step === 'number' ? `(${step})` : parameter(step, 'text')));
  return { sql: `coalesce(fn.json_text(${[json, ...keys].join(' -> ')}), '')`, nullable: false };
};

const translate: Template = ({ args, parameter }) => {
  const [from, to, value] = args as [Argument, Argument, Argument];
  const wanted = [...literalText(from)];
  const given = [...literalText(to)];
  const padded = given.length === 0 ? [] : wanted.map((_, i) => given[i] ?? given.at(-1)!);
  return {
    sql: `translate(${value.sql}, ${parameter(wanted.join(''), 'text')}, ${parameter(padded.join(''), 'text')})`,
    nullable: value.nullable,
  };
};

const replaceStrings: Template = ({ args, parameter }) => {
  const [value, wanted, replacements] = args as [Argument, Argument, Argument];
  const list = ({ literal }: Argument): string[] =>
    Array.isArray(literal?.value)
      ? literal.value.map((each) => (typeof each === 'string' ? each : JSON.stringify(each)))
      : [];
  const to = list(replacements);
  const replaced = list(wanted).reduce(
    (inner, from, i) => `replace(${inner}, ${parameter(from, 'text')}, ${parameter(to[i] ?? '', 'text')})`,
    value.sql,
  );
  return { sql: replaced, nullable: value.nullable };
};

const hash = (write: (value: string) => string): Template => texts((value) => write(value!));

export const stringTemplates: Readonly<Record<keyof typeof strings, Template>> = {
  strlen: count('length'),
  string_size: count('octet_length'),
  toupper: call('upper'),
  tolower: call('lower'),
  reverse: texts((value) => `reverse(${value})`),
  substring,
  indexof: ({ args }) => {
    const [value, wanted, ...rest] = args as [Argument, Argument, ...Argument[]];
    const numbers = ['0', '-1', '1'].map((usual, i) => rest[i]?.sql ?? usual);
    return { sql: `fn.index_of(${text(value)}, ${text(wanted)}, ${numbers.join(', ')})`, nullable: true };
  },
  countof: countOf,
  split,
  strcat: texts((...values) => `(${values.join(' || ')})`),
  strcat_delim: delimited,
  strcat_array: ({ args: [list, delimiter] }) => ({
    sql: `coalesce(fn.join(${list!.sql}, ${delimiter!.sql}), '')`,
    nullable: false,
  }),
  strrep: ({ args: [value, times, delimiter] }) => ({
    sql: `coalesce(fn.strrep(${text(value!)}, ${times!.sql}, ${delimiter?.sql ?? `''`}), '')`,
    nullable: false,
  }),
  strcmp: call('fn.strcmp'),
  trim: trimming(trimStart, trimEnd),
  trim_start: trimming(trimStart),
  trim_end: trimming(trimEnd),
  replace_string: call('replace'),
  replace_strings: replaceStrings,
  replace_regex: (call) => {
    const [value, pattern, replacement] = call.args as [Argument, Argument, Argument];
    return replaceRegex(value, literalText(pattern), literalText(replacement), call);
  },
  replace: (call) => {
    const [pattern, replacement, value] = call.args as [Argument, Argument, Argument];
    return replaceRegex(value, literalText(pattern), literalText(replacement), call);
  },
  translate,
  extract,
  extract_all: extractAll,
  extract_json: extractJson,
  parse_url: partial((a) => `fn.parse_url(${a})`),
  parse_urlquery: partial((a) => `fn.parse_urlquery(${a})`),
  parse_path: partial((a) => `fn.parse_path(${a})`),
  parse_csv: partial((a) => `fn.parse_csv(${a})`),
  parse_version: partial((a) => `fn.parse_version(${a})`),
  url_encode: sql((a) => `fn.url_encode(${a}, '+')`),
  url_encode_component: sql((a) => `fn.url_encode(${a}, '%20')`),
  url_decode: call('fn.url_decode'),
  base64_encode_tostring: sql((a) => `fn.base64(${a})`),
  base64_decode_tostring: ({ args: [value] }) => ({
    sql: `coalesce(fn.utf8(fn.base64_bytes(${value!.sql})), '')`,
    nullable: false,
  }),
  base64_decode_toarray: partial((a) => `fn.byte_array(fn.base64_bytes(${a}))`),
  base64_decode_toguid: partial((a) => `fn.guid_of(fn.base64_bytes(${a}))`),
  hash_md5: hash((value) => `md5(${value})`),
  hash_sha256: hash((value) => `encode(sha256(convert_to(${value}, 'UTF8')), 'hex')`),
  isascii: sql((a) => `(octet_length(${a}) = length(${a}))`),
  isutf8: sql((a) => `(${a} IS NOT NULL)`),
  to_utf8: partial((a) => `fn.code_points(${a})`),
  unicode_codepoints_from_string: partial((a) => `fn.code_points(${a})`),
  unicode_codepoints_to_string: ({ args }) => ({
    sql: `fn.from_code_points(ARRAY[${args.map((arg) => (arg.type === 'long' ? `to_jsonb(${arg.sql})` : arg.sql)).join(', ')}]::jsonb[])`,
    nullable: true,
  }),
};
