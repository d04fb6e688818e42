/** The three scalars of the API. graphql-scalars' own cut nanoseconds and change BigInt between number and string. */
import { GraphQLError, GraphQLScalarType, Kind, type ValueNode, valueFromASTUntyped } from 'graphql';

const bad = (message: string): never => {
  throw new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
};

const rfc3339 = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})$/;

const firstMs = Date.parse('0001-01-01T00:00:00Z');
const lastMs = Date.parse('9999-12-31T23:59:59Z');

/**
 * Reads an RFC 3339 moment and answers it in UTC with its own precision, up to nanoseconds.
 * @returns undefined for text that is no moment, and for one outside the years 1 to 9999, which no store could take
 */
export function parseMoment(text: string): string | undefined {
  const match = rfc3339.exec(text);
  if (!match) return undefined;
  const [, date, time, fraction, offset] = match;
  const ms = Date.parse(`${date}T${time}${offset!.toUpperCase()}`);
  if (Number.isNaN(ms) || ms < firstMs || ms > lastMs) return undefined;
  // Date.parse rolls 31 February over into March; a moment that does not exist is refused.
  if (Number(date!.slice(8)) > new Date(Date.UTC(Number(date!.slice(0, 4)), Number(date!.slice(5, 7)), 0)).getUTCDate())
    return undefined;
  const seconds = new Date(ms).toISOString().slice(0, 19);
  return fraction === undefined ? `${seconds}Z` : `${seconds}.${fraction}Z`;
}

const toMoment = (value: unknown): string => {
  const moment =
    typeof value === 'string' ? parseMoment(value) : value instanceof Date ? value.toISOString() : undefined;
  return (
    moment ?? bad(`DateTime takes an RFC 3339 moment such as 2026-01-31T12:00:00.5Z, not ${JSON.stringify(value)}.`)
  );
};

const literal = (node: ValueNode): unknown => ('value' in node ? node.value : undefined);

export const DateTimeScalar = new GraphQLScalarType<string, string>({
  name: 'DateTime',
  description: 'A moment as RFC 3339 in UTC, with up to nine digits of a second kept.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc3339',
  serialize: toMoment,
  parseValue: toMoment,
  parseLiteral: (node) => toMoment(node.kind === Kind.STRING ? node.value : literal(node)),
});

export const JSONScalar = new GraphQLScalarType<unknown, unknown>({
  name: 'JSON',
  description: 'Any JSON value.',
  serialize: (value) => value,
  parseValue: (value) => value,
  parseLiteral: (node, variables) => valueFromASTUntyped(node, variables),
});

const toBigInt = (value: unknown): string => {
  if (typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value))) return String(value);
  if (typeof value === 'string' && /^-?\d{1,38}$/.test(value)) return BigInt(value).toString();
  return bad(`BigInt takes a whole number, as a string where it is large, not ${JSON.stringify(value)}.`);
};

export const BigIntScalar = new GraphQLScalarType<string, string>({
  name: 'BigInt',
  description: 'A whole number of any size, always answered as a string.',
  serialize: toBigInt,
  parseValue: toBigInt,
  parseLiteral: (node) => toBigInt(node.kind === Kind.STRING || node.kind === Kind.INT ? node.value : literal(node)),
});
