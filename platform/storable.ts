/** What PostgreSQL can keep of the text and the JSON that callers send. */

/** The most levels of lists and objects within each other that a stored value may have. */
export const maxNesting = 64;

/** Whether a text column or jsonb can keep the text: it holds no NUL and no half of a surrogate pair. */
export const isStorableText = (text: string): boolean => !text.includes('\u0000') && text.isWellFormed();

/** The text with a replacement character for each part that cannot be kept. */
export const toStorableText = (text: string): string => text.replaceAll('\u0000', '\uFFFD').toWellFormed();

/** Whether the value has more levels than may be stored; far deeper ones would overflow the stack of JSON.stringify. */
export function isNestedTooDeeply(value: unknown, levels = maxNesting): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((item) => isNestedTooDeeply(item, levels - 1));
}

/** The JSON value as it can be stored: its texts so, and what lies deeper than may be as a mark. */
export function toStorable(value: unknown, levels = maxNesting): unknown {
  if (typeof value === 'string') return toStorableText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (levels === 0) return '…';
  if (Array.isArray(value)) return value.map((item) => toStorable(item, levels - 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [toStorableText(key), toStorable(item, levels - 1)]),
  );
}
