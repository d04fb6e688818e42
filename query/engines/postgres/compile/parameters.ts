/** The values that go to PostgreSQL beside the statement's text. */
import { fail } from '../../../../platform/errors.js';

/** The protocol counts parameters in 16 bits. */
const maxParameters = 65_535;

export class Parameters {
  readonly values: string[] = [];

  /** `$1`, for a value in the text form of its type, or an array of such. */
  add(value: unknown): string {
    if (this.values.length === maxParameters) {
      refuse(`The query has more than ${maxParameters.toLocaleString('en')} values. Use fewer.`);
    }
    if (hasNul(value)) refuse('The query has a text with the character U+0000, which no stored text can have.');
    this.values.push(Array.isArray(value) ? arrayText(value) : String(value));
    return `$${this.values.length}`;
  }
}

/** A plan that PostgreSQL would answer wrongly, or not at all. */
export function refuse(message: string): never {
  fail('QUERY_NOT_SUPPORTED', message, { argument: 'query' });
}

/** `{"a","b"}`: the form of every array of texts, numbers or moments. */
const arrayText = (values: readonly unknown[]): string =>
  `{${values.map((value) => (value === null ? 'NULL' : `"${String(value).replaceAll(/["\\]/g, '\\$&')}"`)).join(',')}}`;

const hasNul = (value: unknown): boolean =>
  Array.isArray(value) ? value.some(hasNul) : typeof value === 'string' && value.includes('\0');
