/** Errors of an execution: those of subgraphs, with the paths that the client knows, and the nulls they do not explain. */
import type { GraphQLFormattedError } from 'graphql';
import type { SubgraphError } from '../sources/source.js';
import type { ResponsePath } from './paths.js';
import type { Fault } from './shape.js';

/** What a subgraph's server may say in `extensions` that is nobody's business outside. */
const internalExtensions = ['serviceName', 'stacktrace', 'exception', 'http'];

/** A subgraph's error as the client gets it. */
export function toClientError(
  { message, extensions }: SubgraphError,
  path: ResponsePath | undefined,
): GraphQLFormattedError {
  const shown: Record<string, unknown> = { code: 'SUBGRAPH_ERROR', ...extensions };
  for (const name of internalExtensions) delete shown[name];
  return { message: String(message), ...(path && path.length > 0 ? { path } : {}), extensions: shown };
}

/** The most errors that one answer tells. */
const maxErrors = 1_000;

/**
 * What an answer tells: each error once, since a plan may fetch a field both for the client and for what requires it, and
 * the faults that none of them explains. Errors of fields that the client does not select of the type at hand are left
 * out: a plan may fetch a field of all types behind an interface that the client selects of one.
 * @param data the answer's
 * @param nulled where a subgraph answered null because of one of the errors
 */
export function answeredErrors(
  errors: readonly GraphQLFormattedError[],
  faults: readonly Fault[],
  nulled: readonly ResponsePath[],
  data: unknown,
): GraphQLFormattedError[] {
  const selected = errors.filter(({ path }) => path === undefined || isSelected(path, data));
  const told = [...new Map(selected.map((error) => [JSON.stringify(error), error])).values()];
  const all = faults.length > 0 ? [...told, ...unexplained(faults, told, nulled)] : told;
  if (all.length <= maxErrors) return all;
  const message = `${all.length - maxErrors} more errors are left out.`;
  return [...all.slice(0, maxErrors), { message, extensions: { code: 'ERRORS_LEFT_OUT' } }];
}

/** Whether the answer has a value or a null at the path, or a null above it. */
function isSelected(path: readonly (string | number)[], data: unknown): boolean {
  let value = data;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return true;
    if (!Object.hasOwn(value, key)) return false;
    value = (value as Record<string | number, unknown>)[key];
  }
  return true;
}

/** Errors for the faults that no error at hand explains: none above, at or below them. */
function unexplained(
  faults: readonly Fault[],
  errors: readonly GraphQLFormattedError[],
  nulled: readonly ResponsePath[],
): GraphQLFormattedError[] {
  const paths = [...errors.map(({ path }) => path ?? []), ...(errors.length > 0 ? nulled : [])];
  const known = new Set<string>();
  const above = new Set<string>();
  for (const path of paths) {
    known.add(JSON.stringify(path));
    for (let length = 0; length < path.length; length += 1) above.add(JSON.stringify(path.slice(0, length)));
  }
  const isExplained = ({ path }: Fault) => {
    if (above.has(JSON.stringify(path))) return true;
    for (let length = 0; length <= path.length; length += 1) {
      if (known.has(JSON.stringify(path.slice(0, length)))) return true;
    }
    return false;
  };
  return faults
    .filter((fault) => !isExplained(fault))
    .map(({ message, path }) => ({ message, path, extensions: { code: 'SUBGRAPH_INVALID_ANSWER' } }));
}
