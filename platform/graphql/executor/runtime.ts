/** What generated code calls away from its straight path: promises, errors, unusual lists. */
import { GraphQLError, type GraphQLLeafType, type ResponsePath } from 'graphql';
import { inspect } from 'graphql/jsutils/inspect.js';
import { type Execution, failAt, isPromise, type Key } from './execution.js';
import type { Field } from './field.js';

/** Turns a resolved value into its part of the answer, or a promise of it. @throws what makes the position null */
type Completer = (execution: Execution, value: unknown, prev: unknown, key: Key, info: unknown) => unknown;

/** Completes a promised value. */
const later = (
  promise: PromiseLike<unknown>,
  complete: Completer,
  execution: Execution,
  prev: unknown,
  key: Key,
  info: unknown,
): unknown => promise.then((value) => complete(execution, value, prev, key, info));

/** A promised part of the answer that may fail. */
const rescue = (
  promise: PromiseLike<unknown>,
  execution: Execution,
  field: Field,
  isNonNull: boolean,
  path: ResponsePath,
): unknown => promise.then(undefined, (error) => failAt(execution, error, field.nodes, isNonNull, path));

/** Marks promises as handled that nobody waits for any more. */
function silence(parts: readonly unknown[]): void {
  for (const part of parts) if (isPromise(part)) part.then(undefined, () => {});
}

/** An object's failure, once its other fields are settled. */
const abandon = (parts: readonly unknown[], error: unknown): Promise<never> =>
  Promise.all(parts)
    .then(() => {})
    .finally(() => {
      throw error;
    }) as Promise<never>;

/** Completes the items of what is no plain array. */
function iterate(
  values: Iterable<unknown>,
  completeItem: Completer,
  execution: Execution,
  path: ResponsePath,
  info: unknown,
): unknown {
  const results: unknown[] = [];
  let isPending = false;
  try {
    for (const value of values) {
      const result = completeItem(execution, value, path, results.length, info);
      isPending ||= isPromise(result);
      results.push(result);
    }
  } catch (error) {
    silence(results);
    throw error;
  }
  return isPending ? Promise.all(results) : results;
}

const missing = (field: Field): Error => new Error(`Cannot return null for non-nullable field ${field}.`);

const notIterable = (field: Field): GraphQLError =>
  new GraphQLError(`Expected Iterable, but did not find one for field "${field}".`);

const unserializable = (type: GraphQLLeafType, value: unknown, result: unknown): Error =>
  new Error(
    `Expected \`${inspect(type)}.serialize(${inspect(value)})\` to return non-nullable value, returned: ${inspect(result)}`,
  );

/** By the names that generated code uses. */
export const runtime = {
  /** What default resolvers read of a source that is no object. */
  nothing: Object.freeze(Object.create(null)),
  arrayIterator: Array.prototype[Symbol.iterator],
  failAt,
  later,
  rescue,
  silence,
  abandon,
  iterate,
  missing,
  notIterable,
  unserializable,
};
