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

/**
 * Errors for the faults that no error at hand explains: none above, at or below them.
 * @param nulled where a subgraph answered null because of one of the errors
 */
export function unexplained(
  faults: readonly Fault[],
  errors: readonly GraphQLFormattedError[],
  nulled: readonly ResponsePath[],
): GraphQLFormattedError[] {
  const explains = (path: readonly (string | number)[] | undefined, faultPath: ResponsePath) => {
    if (path === undefined) return true;
    const length = Math.min(path.length, faultPath.length);
    for (let index = 0; index < length; index += 1) if (path[index] !== faultPath[index]) return false;
    return true;
  };
  const paths = [...errors.map(({ path }) => path), ...(errors.length > 0 ? nulled : [])];
  return faults
    .filter((fault) => !paths.some((path) => explains(path, fault.path)))
    .map(({ message, path }) => ({ message, path, extensions: { code: 'SUBGRAPH_INVALID_ANSWER' } }));
}
