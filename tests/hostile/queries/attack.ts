/** What is tried on the query engine. */

/** What it is, its text, and what may come of it where that is more than "told": a code, or `ANSWER`. */
export type Attack = [title: string, text: string];

/** Texts of one kind, each named by itself. */
export const lettered = (kind: string, texts: string[]): Attack[] =>
  texts.map((text) => [`${kind}: ${JSON.stringify(text.slice(0, 80))}`, text]);

/** So many pieces in a row. */
export const many = (count: number, make: (index: number) => string, between: string): string =>
  Array.from({ length: count }, (_, n) => make(n)).join(between);
