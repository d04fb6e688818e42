/**
 * The query part of a search as a predicate. Nothing is scored: a clause holds for an event or it does not.
 * https://docs.opensearch.org/latest/query-dsl/
 *
 * `match` and its like look for whole words, upper and lower case alike, in the text as it is stored; a word is a run
 * of letters and digits, as for KQL's `has`. `term` and its like compare whole values.
 */
import { literal } from '../../plan/build.js';
import { call } from '../../plan/functions/index.js';
import type { Expr } from '../../plan/types.js';
import { didYouMean } from '../../suggest.js';
import { type DateFormat, parseMoment } from './date-math.js';
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
          : equals(field, fieldLiteral(field, query!));
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
        startsWith(asText(field), required(text, 'value', at).string(), case_insensitive?.boolean() ?? false),
    ),
  wildcard: (value, fields) =>
    ofField(value, fields, ['value', 'wildcard', 'case_insensitive', 'rewrite', 'boost'], (field, given, at) => {
      const pattern = required(given.value ?? given.wildcard, 'value', at).string();
      const fn = given.case_insensitive?.boolean() ? 'sql_ilike' : 'sql_like';
      return call(fn, [asText(field), literal('string', likePattern(pattern))]);
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
  return isInNetwork(field, value) ?? equals(field, fieldLiteral(field, value));
}

/** `10.0.0.0/8` stands for every address in it. */
function isInNetwork(field: Field, value: Json): Expr | undefined {
  const text = field.kind === 'ip' ? String(value.scalar()) : '';
  if (!text.includes('/')) return undefined;
  return call(text.includes(':') ? 'ipv6_is_in_range' : 'ipv4_is_in_range', [field.value, literal('string', text)]);
}

const equals = (field: Field, value: Expr): Expr =>
  call('==', [field.kind === 'object' ? asText(field) : field.value, value]);

function isOneOf(field: Field, values: Json[]): Expr {
  const networks = values.map((value) => isInNetwork(field, value)).filter((network) => network !== undefined);
  const plain = values
    .filter((value) => isInNetwork(field, value) === undefined)
    .map((value) => fieldLiteral(field, value));
  const whole = field.kind === 'object' ? asText(field) : field.value;
  return any([...networks, ...(plain.length === 0 ? [] : [call('in', [whole, ...plain])])]);
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
  const dates = { format: dateFormat(options.format), timeZone: options.time_zone?.string() ?? 'UTC' };
  return all(
    given.map(([bound, operator, rounding]) => {
      if (field.kind === 'date') return call(operator, [field.value, parseMoment(bound!, rounding, dates)]);
      if (field.kind === 'ip') return addressBound(field, operator, bound!);
      return call(operator, [comparableTo(field, bound!), boundLiteral(field, bound!)]);
    }),
  );
}

/** An undeclared field is compared as what the bound is: as a number with a number, else as text. */
const comparableTo = (field: Field, bound: Json): Expr =>
  field.kind !== 'object'
    ? field.value
    : call(typeof bound.scalar() === 'number' ? 'todouble' : 'tostring', [field.value]);

const boundLiteral = (field: Field, bound: Json): Expr =>
  field.kind === 'object' && typeof bound.scalar() === 'number'
    ? literal('real', bound.number())
    : fieldLiteral(field, bound);

function addressBound(field: Field, operator: '>' | '>=' | '<' | '<=', bound: Json): Expr {
  const address = bound.string();
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(address)) {
    bound.fail('Ranges of addresses are supported for IPv4, such as 10.0.0.1.', 'QUERY_NOT_SUPPORTED');
  }
  return call(operator, [call('ipv4_compare', [field.value, literal('string', address)]), literal('long', 0)]);
}

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
    return isInNetwork(field, query) ?? equals(field, fieldLiteral(field, query));
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
  const { must, filter, should, must_not, minimum_should_match } = value.fields(
    'must',
    'filter',
    'should',
    'must_not',
    'minimum_should_match',
    'adjust_pure_negative',
    'boost',
    '_name',
  );
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
  const least =
    minimum_should_match === undefined
      ? Number(needed.length === 0 && optional.length > 0)
      : minimumShouldMatch(minimum_should_match, optional.length);
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

/** OpenSearch's `*` and `?` as SQL's `%` and `_`; what these mean by themselves is escaped. */
export function likePattern(pattern: string): string {
  return pattern.replace(/\\([*?])|[\\%_*?]/g, (found, escaped: string | undefined) => {
    if (escaped !== undefined) return escaped;
    if (found === '*') return '%';
    return found === '?' ? '_' : `\\${found}`;
  });
}
