/**
 * A predicate of the plan as an OpenSearch query. Where OpenSearch cannot say the same, the query finds more, never less:
 * `exact` tells, and what it finds is then filtered again.
 *
 * What an index lacks counts: values too long for a keyword are named in `_long`, figures that are none (NaN) in
 * `_ignored` (mapping.ts). Letters beyond ASCII, and `k`, `i` and `s`, which some of those are the capitals of, are any
 * character where upper and lower case are alike: OpenSearch folds ASCII alone.
 */
import { findDataset } from '../../../datasets/index.js';
import type { Column } from '../../../datasets/types.js';
import { momentOf } from '../../plan/moment.js';
import { operandsIn } from '../../plan/optimize/terms.js';
import type { CallExpr, Expr, LiteralExpr, Scan } from '../../plan/types.js';
import { Declined } from './declined.js';
import { maxKeywordLength, metaFields, partsField } from './mapping.js';

export type SearchQuery = Record<string, unknown>;

/** Finds every event for which the predicate is true; these alone where it is exact. */
export interface Condition {
  query: SearchQuery;
  exact: boolean;
}

export const everything: Condition = { query: { match_all: {} }, exact: true };
const anything: Condition = { query: { match_all: {} }, exact: false };
const nothing: Condition = { query: { match_none: {} }, exact: true };

/** OpenSearch takes 1,024 of them in a whole query; a text is up to three. */
const maxClauses = 300;
const maxTerms = 60_000;
/** Texts are looked at one by one for each of them, and OpenSearch looks up from that rarely: to see that nobody waits. */
const maxPatterns = 32;
/** Levels of brackets: beyond what people write, and far from what OpenSearch refuses. */
const maxDepth = 20;

/** The condition of a filter over a scan. */
export function conditionOf(predicate: Expr, scan: Scan): Condition {
  return new Translation(scan).condition(predicate);
}

/** The events of a scan's time range. */
export function timeRange({ from, to }: Scan): SearchQuery[] {
  if (from === undefined && to === undefined) return [];
  const bounds = { ...(from !== undefined && { gte: micros(from) }), ...(to !== undefined && { lt: micros(to) }) };
  return [{ range: { [metaFields.timeUs]: bounds } }];
}

/** As a string: a number of JSON would lose digits. */
function micros(moment: string): string {
  const found = momentOf(moment);
  if (found === undefined) throw new Declined();
  return String(found);
}

type Rule = (args: Expr[], translation: Translation) => Condition | undefined;

interface Field {
  /** In the documents. */
  name: string;
  column: Column;
}

const eventId: Field = {
  name: metaFields.id,
  column: { name: '_id', type: 'IP', description: 'Never long, never null.' },
};

class Translation {
  readonly #columns: Map<string, Column>;
  #depth = 0;
  /** How many there may be besides. */
  patternsLeft = maxPatterns;

  constructor(readonly scan: Scan) {
    this.#columns = new Map(findDataset(scan.dataset)!.columns.map((column) => [column.name, column]));
  }

  condition(expr: Expr): Condition {
    if (expr.kind === 'literal') return expr.value === true ? everything : nothing;
    if (expr.kind === 'column') return this.#boolean(expr.name) ?? anything;
    if (expr.kind !== 'call' || this.#depth >= maxDepth) return anything;
    this.#depth++;
    const condition = rules[expr.fn]?.(expr.args, this) ?? anything;
    this.#depth--;
    return condition;
  }

  field(expr: Expr | undefined): Field | undefined {
    if (expr?.kind !== 'column') return undefined;
    if (expr.name === '_id') return eventId;
    const column = this.#columns.get(expr.name);
    return column && { name: column.name, column };
  }

  isTime(expr: Expr | undefined): boolean {
    return expr?.kind === 'column' && expr.name === this.scan.timeColumn;
  }

  #boolean(name: string): Condition | undefined {
    return this.#columns.get(name)?.type === 'BOOLEAN' ? { query: { term: { [name]: true } }, exact: true } : undefined;
  }

  /** That a value is stored. Strings that are not are empty ones for a scan whose strings are never null. */
  isStored({ name, column }: Field): Condition | undefined {
    if (name === this.scan.timeColumn) return everything;
    if (column.type === 'JSON') return undefined;
    const exists = { exists: { field: name } };
    if (column.type === 'STRING') return { query: anyOf([exists, { term: { [metaFields.long]: name } }]), exact: true };
    return column.type === 'REAL' || column.type === 'DATETIME' ? undefined : { query: exists, exact: true };
  }
}

const isText = ({ column }: Field): boolean => column.type === 'STRING' || column.type === 'IP';
const isWhole = ({ column }: Field): boolean => column.type === 'INT' || column.type === 'LONG';

const conjunctions = ['and', 'sql_and'];
const disjunctions = ['or', 'sql_or'];
/** KQL's and SQL's are true for the same. */
const all: Rule = (args, translation) =>
  allOfConditions(operandsIn(conjunctions, args).map((arg) => translation.condition(arg)));
const any: Rule = (args, translation) => {
  const operands = operandsIn(disjunctions, args);
  return operands.length > maxClauses
    ? undefined
    : anyOfConditions(operands.map((operand) => translation.condition(operand)));
};

const rules: Record<string, Rule> = {
  and: all,
  sql_and: all,
  or: any,
  sql_or: any,
  not: (args, translation) => opposite(args[0]!, translation),
  '==': (args, translation) => equality(args, translation),
  '=': (args, translation) => equality(args, translation),
  '!=': (args, translation) => inequality(args, translation, true),
  '<>': (args, translation) => inequality(args, translation, false),
  '<': (args, translation) => comparison('lt', args, translation),
  '<=': (args, translation) => comparison('lte', args, translation),
  '>': (args, translation) => comparison('gt', args, translation),
  '>=': (args, translation) => comparison('gte', args, translation),
  between: ([value, low, high], translation) =>
    allOfConditions([
      comparison('gte', [value!, low!], translation) ?? anything,
      comparison('lte', [value!, high!], translation) ?? anything,
    ]),
  in: membership,
  '!in': (args, translation) => unless(membership(args, translation)),
  sql_in: membership,
  isempty: ([value], translation) => emptiness(value, translation),
  isnotempty: ([value], translation) => unless(emptiness(value, translation)),
  isnull: ([value], translation) => presence(value, translation, false),
  isnotnull: ([value], translation) => presence(value, translation, true),
  sql_isnull: ([value], translation) => presence(value, translation, false),
  '=~': (args, translation) => pattern(args, translation, (text) => text, true),
  contains: (args, translation) => pattern(args, translation, (text) => `*${text}*`, true),
  contains_cs: (args, translation) => pattern(args, translation, (text) => `*${text}*`, false),
  has: (args, translation) => pattern(args, translation, (text) => `*${text}*`, true),
  has_cs: (args, translation) => pattern(args, translation, (text) => `*${text}*`, false),
  hasprefix: (args, translation) => pattern(args, translation, (text) => `*${text}*`, true),
  hassuffix: (args, translation) => pattern(args, translation, (text) => `*${text}*`, true),
  startswith: (args, translation) => pattern(args, translation, (text) => `${text}*`, true),
  startswith_cs: (args, translation) => pattern(args, translation, (text) => `${text}*`, false),
  endswith: (args, translation) => pattern(args, translation, (text) => `*${text}`, true),
  endswith_cs: (args, translation) => pattern(args, translation, (text) => `*${text}`, false),
  has_any: ([value, ...words], translation) =>
    anyOfConditions(words.map((word) => pattern([value!, word], translation, (text) => `*${text}*`, true) ?? anything)),
  has_all: ([value, ...words], translation) =>
    allOfConditions(words.map((word) => pattern([value!, word], translation, (text) => `*${text}*`, true) ?? anything)),
};

const allOf = (queries: SearchQuery[]): SearchQuery => ({ bool: { filter: queries } });
const anyOf = (queries: SearchQuery[]): SearchQuery => ({ bool: { should: queries, minimum_should_match: 1 } });
const noneOf = (queries: SearchQuery[]): SearchQuery => ({ bool: { must_not: queries } });

/** What cannot be said is left out: more is found then. */
function allOfConditions(conditions: Condition[]): Condition {
  const said = conditions.filter((condition) => condition !== anything);
  if (said.length === 0 || said.length > maxClauses) return anything;
  return { query: allOf(said.map(({ query }) => query)), exact: conditions.every(({ exact }) => exact) };
}

function anyOfConditions(conditions: Condition[]): Condition {
  if (conditions.includes(anything) || conditions.length > maxClauses) return anything;
  return { query: anyOf(conditions.map(({ query }) => query)), exact: conditions.every(({ exact }) => exact) };
}

/** Three-valued: where a comparison is null, so is its opposite. Only what is never null can be turned round. */
function opposite(term: Expr, translation: Translation): Condition | undefined {
  if (term.kind !== 'call' || !neverNull.has(term.fn)) return undefined;
  if ((term.fn === '==' || term.fn === '!=') && !hasValue(term)) return undefined;
  return unless(translation.condition(term));
}

/** What an exact condition does not find. */
function unless(condition: Condition | undefined): Condition | undefined {
  return condition?.exact ? { query: noneOf([condition.query]), exact: true } : undefined;
}

const neverNull = new Set([
  ...['and', 'or', '==', '!=', 'in', '!in'],
  ...['isnull', 'isnotnull', 'sql_isnull', 'isempty', 'isnotempty'],
]);

/** Kusto's `==` is null only where both sides are. */
const hasValue = ({ args }: CallExpr): boolean => args.some((arg) => arg.kind === 'literal' && arg.value !== null);

/** The column and the literal of a comparison, the column first. */
function sides([left, right]: Expr[], translation: Translation): [Field, LiteralExpr] | undefined {
  if (right?.kind !== 'literal' || right.value === null) return undefined;
  const field = translation.field(left);
  return field && [field, right];
}

function flipped(args: Expr[]): Expr[] {
  return args[0]?.kind === 'literal' ? [args[1]!, args[0]] : args;
}

function equality(args: Expr[], translation: Translation): Condition | undefined {
  const ordered = flipped(args);
  const found = sides(ordered, translation);
  if (found === undefined) return undefined;
  const [field, { value, type }] = found;
  if (translation.isTime(ordered[0])) {
    if (type !== 'datetime') return undefined;
    return { query: { term: { [metaFields.timeUs]: micros(String(value)) } }, exact: true };
  }
  if (isText(field)) return isPlainText(found[1]) ? sameText(field, String(value), translation) : undefined;
  const isAlike = isWhole(field) ? type === 'long' : field.column.type === 'BOOLEAN' && type === 'bool';
  return isAlike ? { query: { term: { [field.name]: value } }, exact: true } : undefined;
}

/** A text that can be sent and stored. */
const isPlainText = ({ type, value }: LiteralExpr): boolean =>
  type === 'string' && typeof value === 'string' && value.isWellFormed() && !value.includes('\0');

/** That a text is this one. */
function sameText(field: Field, value: string, translation: Translation): Condition | undefined {
  if (value.length > maxKeywordLength) return undefined;
  const same = { term: { [field.name]: value } };
  if (value !== '' || translation.scan.nullStrings) return { query: same, exact: true };
  const stored = translation.isStored(field);
  return stored && { query: anyOf([same, noneOf([stored.query])]), exact: true };
}

function inequality(args: Expr[], translation: Translation, isTrueForNull: boolean): Condition | undefined {
  const same = equality(args, translation);
  if (same === undefined) return undefined;
  const other = noneOf([same.query]);
  if (isTrueForNull) return { query: other, exact: true };
  const field = translation.field(flipped(args)[0]);
  const stored = field && presence(flipped(args)[0], translation, true);
  return stored && { query: allOf([stored.query, other]), exact: stored.exact };
}

const mirrored = { lt: 'gt', lte: 'gte', gt: 'lt', gte: 'lte' } as const;

function comparison(bound: keyof typeof mirrored, args: Expr[], translation: Translation): Condition | undefined {
  const isFlipped = args[0]?.kind === 'literal';
  const ordered = flipped(args);
  const found = sides(ordered, translation);
  if (found === undefined) return undefined;
  const [field, { value, type }] = found;
  const operator = isFlipped ? mirrored[bound] : bound;
  if (translation.isTime(ordered[0]) && type === 'datetime') {
    return { query: { range: { [metaFields.timeUs]: { [operator]: micros(String(value)) } } }, exact: true };
  }
  if (isWhole(field) && type === 'long')
    return { query: { range: { [field.name]: { [operator]: value } } }, exact: true };
  return undefined;
}

function membership([value, ...others]: Expr[], translation: Translation): Condition | undefined {
  const field = translation.field(value);
  if (field === undefined || translation.isTime(value) || others.length > maxTerms) return undefined;
  const literals = others.filter((other) => other.kind === 'literal' && other.value !== null) as LiteralExpr[];
  if (literals.length < others.length) return undefined;
  const fits = (each: LiteralExpr): boolean =>
    isText(field)
      ? isPlainText(each) && String(each.value).length <= maxKeywordLength
      : isWhole(field) && each.type === 'long';
  if (!literals.every(fits)) return undefined;
  const found: Condition = {
    query: { terms: { [field.name]: literals.map((each) => each.value).filter((each) => each !== '') } },
    exact: true,
  };
  const empty = literals.some((each) => each.value === '') ? sameText(field, '', translation) : nothing;
  return empty && anyOfConditions([found, empty]);
}

/** Null, or the empty text. */
function emptiness(value: Expr | undefined, translation: Translation): Condition | undefined {
  const field = translation.field(value);
  const stored = field && translation.isStored(field);
  if (stored === undefined) return undefined;
  const missing = noneOf([stored.query]);
  if (!isText(field!)) return { query: missing, exact: true };
  return { query: anyOf([missing, { term: { [field!.name]: '' } }]), exact: true };
}

function presence(value: Expr | undefined, translation: Translation, isThere: boolean): Condition | undefined {
  const field = translation.field(value);
  if (field === undefined) return undefined;
  // Kusto's strings are never null.
  if (isText(field) && !translation.scan.nullStrings) return isThere ? everything : nothing;
  const stored = translation.isStored(field);
  return stored && (isThere ? stored : { query: noneOf([stored.query]), exact: true });
}

/** A text that looks like this; what is found is filtered again. */
function pattern(
  [value, text]: Expr[],
  translation: Translation,
  make: (text: string) => string,
  ignoreCase: boolean,
): Condition | undefined {
  const field = translation.field(value);
  if (field === undefined || !isText(field) || text?.kind !== 'literal' || !isPlainText(text)) return undefined;
  const wanted = String(text.value);
  // The wildcard field finds the wrong events for what has a meaning in its patterns, escaped or not.
  if (wanted === '' || wanted.length > 1_000 || (field.column.freeText && /[\\*?]/.test(wanted))) return undefined;
  if (--translation.patternsLeft < 0) return undefined;
  const glob = make(ignoreCase ? [...wanted].map(foldable).join('') : [...wanted].map(escaped).join(''));
  const like = (name: string) => ({ wildcard: { [name]: { value: glob, case_insensitive: ignoreCase } } });
  if (field.column.freeText) return { query: like(partsField(field.name)), exact: false };
  return { query: anyOf([like(field.name), { term: { [metaFields.long]: field.name } }]), exact: false };
}

const escaped = (character: string): string => (/[*?\\]/.test(character) ? `\\${character}` : character);

const foldable = (character: string): string =>
  character.charCodeAt(0) > 127 || /[kis]/i.test(character) ? '?' : escaped(character);
