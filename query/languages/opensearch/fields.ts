/** What a field's name in a search means: a column, or a path into `attributes`; and what its values may be. */
import type { ColumnType } from '../../../datasets/types.js';
import { column, literal } from '../../plan/build.js';
import { call } from '../../plan/functions/index.js';
import type { Expr, PlanColumn, ScalarType } from '../../plan/types.js';
import type { QueryableDataset } from '../../prepared-query.js';
import { didYouMean } from '../../suggest.js';
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

const planTypes: Record<FieldKind, ScalarType> = {
  keyword: 'string',
  ip: 'string',
  long: 'long',
  double: 'real',
  boolean: 'bool',
  date: 'datetime',
  object: 'dynamic',
};

/** The fields of one dataset. */
export class Fields {
  readonly #byName = new Map<string, Field>();
  /** Every column that a hit shows, in the order of its `_source`. */
  readonly columns: PlanColumn[];

  constructor(readonly dataset: QueryableDataset) {
    const declared = [...dataset.columns, { name: 'attributes', type: 'JSON' as const }];
    this.columns = declared.map(({ name, type }) => ({ name, type: planTypes[kinds[type]] }));
    for (const { name, type } of declared) {
      const kind = kinds[type];
      this.#byName.set(name, { name, kind, value: column({ name, type: planTypes[kind] }) });
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

/** `*` is any run of characters. */
export function globMatcher(pattern: string): (name: string) => boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const regex = new RegExp(`^${parts.join('.*')}$`);
  return (name) => regex.test(name);
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
    case 'ip':
    case 'object':
      return literal('string', String(given));
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
