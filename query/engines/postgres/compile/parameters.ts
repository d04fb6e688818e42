/** The values that go to PostgreSQL beside the statement's text. */
import { fail } from '../../../../platform/errors.js';

/** The protocol counts parameters in 16 bits. */
const maxParameters = 65_535;

/**
 * PostgreSQL refuses a parameter that the text does not use, and not all that is written for a step stays in the text. So
 * each value has a mark until the text is whole. No SQL has a character 0 that could be taken for one.
 */
export class Parameters {
  readonly #values: unknown[] = [];

  /** The mark of a value in the text form of its type, or of an array of such. */
  add(value: unknown): string {
    return `\0${this.#values.push(value) - 1}\0`;
  }

  /** The text with `$1`, `$2`, ... in the place of the marks, and the values that it uses. */
  numbered(text: string): { text: string; values: string[] } {
    const values: string[] = [];
    const numbers = new Map<string, number>();
    const numberOf = (mark: string): number => {
      const value = this.#values[Number(mark)];
      if (values.length === maxParameters) {
        refuse(`The query has more than ${maxParameters.toLocaleString('en')} values. Use fewer.`);
      }
      if (hasNul(value)) refuse('The query has a text with the character U+0000, which no stored text can have.');
      const number = values.push(Array.isArray(value) ? arrayText(value) : String(value));
      numbers.set(mark, number);
      return number;
    };
    const numberedText = text.replaceAll(/\0(\d+)\0/g, (_, mark: string) => `$${numbers.get(mark) ?? numberOf(mark)}`);
    return { text: numberedText, values };
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
