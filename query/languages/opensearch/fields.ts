/** What a field's name in a search means: a column, or a path into `attributes`; and what its values may be. */
import { isIPv4, isIPv6 } from 'node:net';
import type { ColumnType } from '../../../datasets/types.js';
import { globMatcher } from '../../glob.js';
import { column, literal } from '../../plan/build.js';
import { call } from '../../plan/functions/index.js';
import type { Expr, PlanColumn } from '../../plan/types.js';
import type { QueryableDataset } from '../../prepared-query.js';
import { didYouMean } from '../../suggest.js';
import { datasetColumns } from '../dataset-columns.js';
import { parseMoment } from './date-math.js';
import type { Json } from './json.js';
import type { FieldKind } from './search-plans.js';

export interface Field {
  /** As the search names it. */
  name: string;
  kind: FieldKind;
  value: Expr;
}

const kinds: Record<ColumnType, FieldKind> = {
  STRING: 'keyword',
  INT: 'long',
  LONG: 'long',
  REAL: 'double',
  BOOLEAN: 'boolean',
  DATETIME: 'date',
  IP: 'ip',
  JSON: 'object',
};

/** The fields of one dataset. */
export class Fields {
  readonly #byName = new Map<string, Field>();
  /** Every column that a hit shows, in the order of its `_source`. */
  readonly columns: PlanColumn[];

  constructor(readonly dataset: QueryableDataset) {
    const declared = [...dataset.columns, { name: 'attributes', type: 'JSON' as const }];
    this.columns = datasetColumns(dataset);
    for (const [index, { name, type }] of declared.entries()) {
      this.#byName.set(name, { name, kind: kinds[type], value: column(this.columns[index]!) });
    }
    this.#byName.set('@timestamp', { ...this.time, name: '@timestamp' });
    this.#byName.set('_id', { name: '_id', kind: 'keyword', value: column({ name: '_id', type: 'string' }) });
  }

  get time(): Field {
    return this.#byName.get(this.dataset.timeColumn)!;
  }

  get id(): Field {
    return this.#byName.get('_id')!;
  }

  /** The fields that text is looked for where a query names none. */
  get texts(): Field[] {
    return [...this.#byName.values()].filter(({ name, kind }) => kind === 'keyword' && name !== '_id');
  }

  /** The field of this name; `at` is where the search names it. */
  find(name: string, at: Json): Field {
    const bare = name.endsWith('.keyword') ? name.slice(0, -'.keyword'.length) : name;
    const field = this.#byName.get(name) ?? this.#byName.get(bare) ?? this.#path(bare);
    return (
      field ??
      at.fail(
        `The dataset ${this.dataset.name} has no field "${name}".${didYouMean(name, this.#byName.keys())} Fields that it does not declare are under "attributes.".`,
        'QUERY_UNKNOWN_COLUMN',
      )
    );
  }

  /** The fields that a pattern with `*` names. */
  matching(pattern: string, at: Json): Field[] {
    if (!pattern.includes('*')) return [this.find(pattern, at)];
    const matches = globMatcher(pattern);
    return this.texts.filter(({ name }) => matches(name));
  }

  #path(name: string): Field | undefined {
    const [first, ...steps] = name.split('.');
    const root = this.#byName.get(first!);
    if (root?.kind !== 'object' || steps.length === 0 || steps.includes('')) return undefined;
    const path = call('path', [root.value, ...steps.map((step) => literal('string', step))]);
    return { name, kind: 'object', value: path };
  }
}

/** That a value is there; the empty string is. */
export const isPresent = (value: Expr): Expr => call('not', [call('sql_isnull', [value])]);

/** A field as text, for what looks into text: undeclared fields as they would be written. */
export const asText = ({ kind, value }: Field): Expr =>
  kind === 'keyword' || kind === 'ip' ? value : call('tostring', [value]);

/** The literal that a field is compared with. Refuses a value that such a field cannot hold, as OpenSearch does. */
export function fieldLiteral(field: Field, value: Json): Expr {
  const given = value.scalar();
  switch (field.kind) {
    case 'keyword':
    case 'object':
      return literal('string', String(given));
    case 'ip':
      return literal('string', address(field, value));
    case 'boolean':
      if (given === true || given === 'true') return literal('bool', true);
      if (given === false || given === 'false' || given === '') return literal('bool', false);
      return value.fail(`"${field.name}" is a boolean: it takes true or false.`);
    case 'long':
      return wholeNumber(field, value, given);
    case 'double': {
      const figure = typeof given === 'boolean' ? Number.NaN : Number(given);
      if (Number.isFinite(figure) && String(given).trim() !== '') return literal('real', figure);
      return value.fail(`"${field.name}" is a number: "${given}" is none.`);
    }
    case 'date':
      return parseMoment(value, 'DOWN');
  }
}

/** An address as it is stored, however it is written. */
function address(field: Field, value: Json): string {
  const text = String(value.scalar());
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes('%')) return value.fail(`"${field.name}" is an address: "${text}" is none.`);
  // PostgreSQL prints those with IPv4 in them in that form.
  return text.includes('.') ? text.toLowerCase() : new URL(`http://[${text}]/`).hostname.slice(1, -1);
}

function wholeNumber(field: Field, value: Json, given: string | number | boolean): Expr {
  const text = String(given).trim();
  if (typeof given === 'boolean' || !/^-?\d+(\.\d+)?$/.test(text)) {
    return value.fail(`"${field.name}" is a whole number: "${given}" is none.`);
  }
  // A fraction equals no whole number, and it is a good bound of a range.
  if (text.includes('.') && !/\.0+$/.test(text)) return literal('real', Number(text));
  const digits = BigInt(text.replace(/\.0+$/, ''));
  if (BigInt.asIntN(64, digits) !== digits) value.fail(`"${field.name}" holds 64 bits: ${text} is beyond that.`);
  return literal('long', Number.isSafeInteger(Number(digits)) ? Number(digits) : String(digits));
}

/** A field's value, or what stands for one that is missing. */
export function valueOr(field: Field, value: Expr, missing: Json | undefined): Expr {
  if (missing === undefined) return value;
  if (value.type === 'long' || value.type === 'real') {
    const figure = literal(value.type, value.type === 'real' ? missing.number() : missing.integer(-maxWhole, maxWhole));
    return call('sql_coalesce', [value, figure]);
  }
  return call('sql_coalesce', [value, fieldLiteral(field, missing)]);
}

const maxWhole = Number.MAX_SAFE_INTEGER;
