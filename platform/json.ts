/** A JSON object: no null, no list. */
export type JsonObject = Record<string, unknown>;

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A whole number of so many digits where a value may stand. In a text it does no harm but to the time. */
const largeInteger = /(?:^|[:,[])\s*-?\d{16,}\s*(?:$|[,\]}])/;

/**
 * Parses JSON in which integers may be beyond 2^53: those come as strings of their digits. Figures are looked at as they
 * are written only where there are such integers.
 */
export function parseLargeJson(text: string): unknown {
  if (!largeInteger.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_key, value, context?: { source?: string }) => {
    const digits = context?.source;
    const isLarge = typeof value === 'number' && !Number.isSafeInteger(value);
    return isLarge && digits !== undefined && /^-?\d+$/.test(digits) ? digits : value;
  });
}
