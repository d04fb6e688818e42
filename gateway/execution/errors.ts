/** Errors of an execution: those of subgraphs, with the paths that the client knows, and the nulls they do not explain. */
import type { GraphQLFormattedError } from 'graphql';
import { toErrorPayload } from '../../platform/errors.js';
import { type AccessRule, denialOf } from '../../platform/graphql/access-rules.js';
import type { Identity } from '../../platform/identity.js';
import type { SubgraphError } from '../sources/source.js';
import type { ResponsePath } from './paths.js';
import type { Denial, Fault } from './shape.js';

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

/** What the caller is told of fields that it may not ask for. */
export function deniedErrors(denials: readonly Denial[], identity: Identity | undefined): GraphQLFormattedError[] {
  const payloads = new Map<AccessRule, ReturnType<typeof toErrorPayload>>();
  return denials.slice(0, maxErrors).map(({ rule, path }) => {
    const { message, extensions } = payloads.get(rule) ?? toErrorPayload(denialOf(rule, identity));
    payloads.set(rule, { message, extensions });
    return { message, path, extensions };
  });
}

/** What was told of an answer on its way: by subgraphs, and by the shape that it was brought into. */
interface Told {
  errors: readonly GraphQLFormattedError[];
  faults: readonly Fault[] | undefined;
  denials: readonly Denial[] | undefined;
  /** Where a subgraph answered null because of one of the errors. */
  nulled: readonly ResponsePath[];
  /** The caller, who is denied something. */
  identity: Identity | undefined;
}

/**
 * What an answer tells: what is denied, then each error once, since a plan may fetch a field both for the client and for what requires it, and
 * the faults that none of them explains. Errors of fields that the client does not select of the type at hand are left
 * out: a plan may fetch a field of all types behind an interface that the client selects of one.
 * @param data the answer's
 */
export function answeredErrors(
  { errors, faults = [], denials = [], nulled, identity }: Told,
  data: unknown,
): GraphQLFormattedError[] {
  const denied = new Set(denials.map(({ path }) => JSON.stringify(path)));
  const isDenied = (path: readonly (string | number)[]) =>
    denied.size > 0 && path.some((_key, index) => denied.has(JSON.stringify(path.slice(0, index + 1))));
  // A plan may fetch a denied field for itself, as a key: what became of it is not told.
  const selected = errors.filter(({ path }) => path === undefined || (isSelected(path, data) && !isDenied(path)));
  const told = [...new Map(selected.map((error) => [JSON.stringify(error), error])).values()];
  const failed = faults.length > 0 ? [...told, ...unexplained(faults, told, nulled)] : told;
  const all = denials.length > 0 ? [...deniedErrors(denials, identity), ...failed] : failed;
  const leftOut = denials.length + failed.length - maxErrors;
  if (leftOut <= 0) return all;
  const message = `${leftOut} more errors are left out.`;
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
