/**
 * The query part of a search as a predicate. Nothing is scored: a clause holds for an event or it does not.
 * https://docs.opensearch.org/latest/query-dsl/
 *
 * `match` and its like look for whole words (text.ts). `term` and its like compare whole values.
 */
import { isIP } from 'node:net';
import { literal } from '../../plan/build.js';
import { call } from '../../plan/functions/index.js';
import type { Expr } from '../../plan/types.js';
import { didYouMean } from '../../suggest.js';
import { type DateFormat, type DateOptions, parseMoment, type Rounding, readTimeZone } from './date-math.js';
import { asText, type Field, type Fields, fieldLiteral, isPresent } from './fields.js';
import type { Json } from './json.js';
import { all, always, any, never, none, required, withoutBoost } from './predicates.js';
import { simpleQueryString } from './simple-query-string.js';
import { allWords, anyWord, phrase, startsWith } from './text.js';

const maxClauses = 10_000;

type Clause = (value: Json, fields: Fields) => Expr;

const clauses: Record<string, Clause> = {
  match_all: (value) => constant(value, always),
  match_none: (value) => constant(value, never),
  term: (value, fields) => ofField(value, fields, ['value', 'case_insensitive', 'boost'], term),
  terms,
  range: (value, fields) =>
    ofField(value, fields, ['gt', 'gte', 'lt', 'lte', 'from', 'to', 'format', 'time_zone', 'relation', 'boost'], range),
  match: (value, fields) =>
    ofField(
      value,
      fields,
      ['query', 'operator', 'minimum_should_match', 'lenient', 'zero_terms_query', 'boost'],
      match,
    ),
  match_phrase: (value, fields) =>
    ofField(
      value,
      fields,
      ['query', 'slop', 'zero_terms_query', 'boost'],
      (field, { query, slop, zero_terms_query }, at) => {
        if (slop !== undefined && slop.integer(0, 100) !== 0)
          slop.fail('Phrases with a slop are not supported.', 'QUERY_NOT_SUPPORTED');
        const text = required(query, 'query', at).scalar();
        return field.kind === 'keyword' || field.kind === 'object'
          ? phrase(asText(field), String(text), zeroTerms(zero_terms_query))
          : equals(field, query!);
      },
    ),
  multi_match: multiMatch,
  exists: (value, fields) => {
    const { field } = value.fields('field', 'boost');
    const name = required(field, 'field', value);
    return isPresent(fields.find(name.string(), name).value);
  },
  prefix: (value, fields) =>
    ofField(
      value,
      fields,
      ['value', 'case_insensitive', 'rewrite', 'boost'],
      (field, { value: text, case_insensitive }, at) =>
        startsWith(letters(field, at), required(text, 'value', at).string(), case_insensitive?.boolean() ?? false),
    ),
  wildcard: (value, fields) =>
    ofField(value, fields, ['value', 'wildcard', 'case_insensitive', 'rewrite', 'boost'], (field, given, at) => {
      const pattern = required(given.value ?? given.wildcard, 'value', at).string();
      const fn = given.case_insensitive?.boolean() ? 'sql_ilike' : 'sql_like';
      return call(fn, [letters(field, at), literal('string', likePattern(pattern))]);
    }),
  bool,
  constant_score: (value, fields) =>
    predicate(required(value.fields('filter', 'boost').filter, 'filter', value), fields),
  ids: (value, fields) => {
    const { values } = value.fields('values', 'boost');
    const ids = required(values, 'values', value).items();
    return isOneOf(fields.find('_id', value), ids);
  },
  simple_query_string: simpleQueryString,
};

/** A field whose value has letters to look at, as text. */
const letters = (field: Field, at: Json): Expr =>
  field.kind === 'keyword' || field.kind === 'object'
    ? asText(field)
    : at.fail(`"${field.name}" is no text. Use term or range.`);

function constant(value: Json, holds: Expr): Expr {
  value.fields('boost');
  return holds;
}

/** Kinds that OpenSearch has and that are refused by name, with what to write instead. */
const refused: Record<string, string> = {
  script: 'Scripts are not run. Write the condition as range, term or bool clauses.',
  script_score: 'Nothing is scored here.',
  function_score: 'Nothing is scored here. Use `sort`.',
  nested: 'There are no nested documents: fields under "attributes." are reached by their path.',
  knn: 'There are no vectors.',
  neural: 'There are no vectors.',
  query_string: 'Use simple_query_string, or bool with match clauses.',
  regexp: 'Use wildcard, or KQL’s `matches regex`.',
  fuzzy: 'Fuzzy matches are not supported. Use wildcard or match.',
  more_like_this: 'Nothing is scored here.',
};

/** The predicate of one query clause. */
export function predicate(value: Json, fields: Fields): Expr {
  const [kind, body] = value.only('the kind of query');
  if (Object.hasOwn(clauses, kind)) return clauses[kind]!(body, fields);
  const instead = Object.hasOwn(refused, kind) ? ` ${refused[kind]}` : didYouMean(kind, Object.keys(clauses));
  return body.fail(`The query "${kind}" is not supported.${instead}`, 'QUERY_NOT_SUPPORTED');
}

type Options<Key extends string> = Partial<Record<Key, Json>>;

/** Reads `{field: value}` or `{field: {option: …}}`, whose first option is what a bare value stands for. */
function ofField<Key extends string>(
  value: Json,
  fields: Fields,
  known: Key[],
  make: (field: Field, options: Options<Key>, at: Json) => Expr,
): Expr {
  const entries = value.entries().filter(([key]) => key !== 'boost' && key !== '_name');
  const first = entries[0];
  if (entries.length !== 1 || first === undefined) return value.fail(`"${value.name}" takes one field: {"field": …}.`);
  const [name, body] = first;
  const field = fields.find(name, body);
  const options = body.isObject ? body.fields(...known) : ({ [known[0]!]: body } as Options<Key>);
  return make(field, options, body);
}

function term(field: Field, given: Options<'value' | 'case_insensitive' | 'boost'>, at: Json): Expr {
  const value = required(given.value, 'value', at);
  if (given.case_insensitive?.boolean()) return call('=~', [asText(field), literal('string', String(value.scalar()))]);
  return isInNetwork(field, value) ?? equals(field, value);
}

/** `10.0.0.0/8` stands for every address in it. */
function isInNetwork(field: Field, value: Json): Expr | undefined {
  const text = field.kind === 'ip' ? String(value.scalar()) : '';
  if (!text.includes('/')) return undefined;
  const [, address = '', prefix] = /^(.*)\/(\d{1,3})$/.exec(text) ?? [];
  const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)]!;
  if (address.includes('%') || !(Number(prefix) <= bits)) value.fail(`"${text}" is no network. Write 10.0.0.0/8.`);
  return call(text.includes(':') ? 'ipv6_is_in_range' : 'ipv4_is_in_range', [field.value, literal('string', text)]);
}

const equals = (field: Field, value: Json): Expr => call('==', [comparableTo(field, value), literalFor(field, value)]);

function isOneOf(field: Field, values: Json[]): Expr {
  const networks = values.map((value) => isInNetwork(field, value)).filter((network) => network !== undefined);
  const plain = values.filter((value) => isInNetwork(field, value) === undefined);
  const [figures, others] = [true, false].map((wanted) => plain.filter((value) => isFigure(field, value) === wanted));
  const among = (list: Json[]): Expr[] =>
    list.length === 0
      ? []
      : [call('in', [comparableTo(field, list[0]!), ...list.map((value) => literalFor(field, value))])];
  return any([...networks, ...among(figures!), ...among(others!)]);
}

function terms(value: Json, fields: Fields): Expr {
  const entries = value.entries().filter(([key]) => key !== 'boost' && key !== '_name');
  const first = entries[0];
  if (entries.length !== 1 || first === undefined) return value.fail('"terms" takes one field: {"field": [values]}.');
  const [name, list] = first;
  const field = fields.find(name, list);
  if (!list.isList) list.fail('"terms" takes a list of values. Look-ups in other indexes are not supported.');
  return isOneOf(field, list.items());
}

type RangeOptions = Options<
  'gt' | 'gte' | 'lt' | 'lte' | 'from' | 'to' | 'format' | 'time_zone' | 'relation' | 'boost'
>;

function range(field: Field, options: RangeOptions, at: Json): Expr {
  const bounds = [
    [options.gt, '>', 'UP'],
    [options.gte ?? options.from, '>=', 'DOWN'],
    [options.lt, '<', 'DOWN'],
    [options.lte ?? options.to, '<=', 'UP'],
  ] as const;
  if (field.kind === 'boolean') at.fail(`"${field.name}" is a boolean: it has no range.`);
  const given = bounds.filter(([bound]) => bound !== undefined && bound.node.type !== 'null');
  if (given.length === 0) return isPresent(field.value);
  const dates = { format: dateFormat(options.format), timeZone: readTimeZone(options.time_zone) };
  return all(
    given.map(([bound, operator, rounding]) => {
      if (field.kind === 'date') return call(operator, [field.value, momentBound(bound!, rounding, dates)]);
      if (field.kind === 'ip') return addressBound(field, operator, bound!);
      return call(operator, [comparableTo(field, bound!), literalFor(field, bound!)]);
    }),
  );
}

function momentBound(bound: Json, rounding: Rounding, dates: Required<DateOptions>): Expr {
  // OpenSearch reads a figure in another zone as that of a clock there.
  if (dates.timeZone !== 'UTC' && /^-?\d{5,}/.test(String(bound.scalar()))) {
    bound.fail('Milliseconds since 1970 have no "time_zone".', 'QUERY_NOT_SUPPORTED');
  }
  return parseMoment(bound, rounding, dates);
}

/** An undeclared field is compared as what it is compared with is: as a number with a number, else as text. */
const comparableTo = (field: Field, value: Json): Expr =>
  field.kind !== 'object' ? field.value : isFigure(field, value) ? call('todouble', [field.value]) : asText(field);

const literalFor = (field: Field, value: Json): Expr =>
  isFigure(field, value) ? literal('real', value.number()) : fieldLiteral(field, value);

/** Whether a value is a number that an undeclared field is compared with. */
const isFigure = ({ kind }: Field, value: Json): boolean => kind === 'object' && typeof value.scalar() === 'number';

/** Addresses of IPv4 come before those of IPv6, as numbers of 128 bits. */
const addressBound = (field: Field, operator: '>' | '>=' | '<' | '<=', bound: Json): Expr =>
  call(operator, [call('ipv6_compare', [field.value, fieldLiteral(field, bound)]), literal('long', 0)]);

function dateFormat(format: Json | undefined): DateFormat {
  if (format === undefined) return 'ANY';
  const parts = format.string().split('||');
  if (parts.includes('epoch_second')) return 'EPOCH_SECOND';
  if (parts.includes('epoch_millis') && parts.length === 1) return 'EPOCH_MILLIS';
  const known = [
    'strict_date_optional_time',
    'date_optional_time',
    'epoch_millis',
    'strict_date',
    'yyyy-MM-dd',
    'date',
  ];
  const unknown = parts.find((part) => !known.includes(part));
  if (unknown !== undefined) {
    format.fail(
      `The date format "${unknown}" is not supported. Write dates as 2026-01-31T12:00:00Z.`,
      'QUERY_NOT_SUPPORTED',
    );
  }
  return 'ANY';
}

type MatchOptions = Options<'query' | 'operator' | 'minimum_should_match' | 'lenient' | 'zero_terms_query' | 'boost'>;

function match(field: Field, options: MatchOptions, at: Json): Expr {
  const query = required(options.query, 'query', at);
  if (field.kind !== 'keyword' && field.kind !== 'object') {
    return isInNetwork(field, query) ?? equals(field, query);
  }
  if (options.minimum_should_match !== undefined) {
    options.minimum_should_match.fail('Say "operator": "and" for all words, or "or" for any.', 'QUERY_NOT_SUPPORTED');
  }
  const isAnd = (options.operator?.string().toLowerCase() ?? 'or') === 'and';
  const text = String(query.scalar());
  return (isAnd ? allWords : anyWord)(asText(field), text, zeroTerms(options.zero_terms_query));
}

/** What a text without words finds: nothing, or everything. */
const zeroTerms = (option: Json | undefined): Expr => (option?.oneOf('none', 'all') === 'all' ? always : never);

function multiMatch(value: Json, fields: Fields): Expr {
  const options = value.fields('query', 'fields', 'type', 'operator', 'lenient', 'boost');
  const type = options.type?.oneOf('best_fields', 'most_fields', 'phrase') ?? 'best_fields';
  const query = required(options.query, 'query', value);
  const names = options.fields?.items() ?? [];
  const searched =
    names.length === 0 ? fields.texts : names.flatMap((name) => fields.matching(withoutBoost(name), name));
  return any(
    searched.map((field) =>
      type === 'phrase'
        ? phrase(asText(field), String(query.scalar()), never)
        : match(field, { query, ...(options.operator && { operator: options.operator }) }, value),
    ),
  );
}

function bool(value: Json, fields: Fields): Expr {
  const { must, filter, should, must_not, minimum_should_match, adjust_pure_negative } = value.fields(
    'must',
    'filter',
    'should',
    'must_not',
    'minimum_should_match',
    'adjust_pure_negative',
    'boost',
    '_name',
  );
  if (adjust_pure_negative?.boolean() === false) {
    adjust_pure_negative.fail('"adjust_pure_negative" is always true here.', 'QUERY_NOT_SUPPORTED');
  }
  const each = (list: Json | undefined): Expr[] => (list?.items() ?? []).map((item) => predicate(item, fields));
  const needed = [...each(must), ...each(filter)];
  const optional = each(should);
  const excluded = each(must_not).map(none);
  if (needed.length + optional.length + excluded.length > maxClauses) {
    value.fail(
      `"bool" takes at most ${maxClauses.toLocaleString('en')} clauses. Use "terms" for a list of values.`,
      'QUERY_NOT_SUPPORTED',
    );
  }
  // Where nothing else is asked for, one of them must hold, whatever is said of their number.
  const one = Number(needed.length === 0 && optional.length > 0);
  const asked = minimum_should_match === undefined ? 0 : minimumShouldMatch(minimum_should_match, optional.length);
  const isEmpty = needed.length + optional.length + excluded.length === 0;
  const least = isEmpty ? 0 : Math.max(one, asked);
  return all([...needed, ...excluded, ...atLeast(least, optional)]);
}

function minimumShouldMatch(value: Json, optional: number): number {
  const text = String(value.scalar());
  const share = /^(-?)(\d{1,3})%$/.exec(text);
  const count = share ? Math.floor((Number(share[2]) * optional) / 100) * (share[1] ? -1 : 1) : Number(text);
  if (!Number.isInteger(count)) {
    value.fail('"minimum_should_match" takes a whole number or a percentage such as 75%.', 'QUERY_NOT_SUPPORTED');
  }
  const isFromAll = count < 0 || share?.[1] === '-';
  return Math.max(0, isFromAll ? optional + count : count);
}

/** That at least so many of the terms hold. */
function atLeast(least: number, terms: Expr[]): Expr[] {
  if (least === 0) return [];
  if (least === 1) return [any(terms)];
  if (least > terms.length) return [never];
  if (least === terms.length) return terms;
  const figures = terms.map((each) => call('iff', [each, literal('long', 1), literal('long', 0)]));
  return [call('>=', [figures.reduce((sum, figure) => call('+', [sum, figure])), literal('long', least)])];
}

/** OpenSearch's `*` and `?` as SQL's `%` and `_`; what these mean by themselves is escaped. A backslash takes the next character as it is. */
export function likePattern(pattern: string): string {
  return pattern.replace(/\\(.)|[\\%_*?]/gsu, (found, escaped: string | undefined) => {
    if (escaped !== undefined) return /[\\%_]/.test(escaped) ? `\\${escaped}` : escaped;
    if (found === '*') return '%';
    return found === '?' ? '_' : `\\${found}`;
  });
}
