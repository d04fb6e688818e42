/** One request being executed, and what happens to the errors of its fields. */
import { type FieldNode, type GraphQLError, locatedError, type ResponsePath, responsePathAsArray } from 'graphql';

export type Path = ResponsePath | undefined;
export type Key = string | number;

export class Execution {
  readonly errors: GraphQLError[] = [];
  /** The positions that errors made null, `''` for the whole answer. */
  private nulled: Set<string> | undefined;

  constructor(
    readonly contextValue: unknown,
    readonly variableValues: Record<string, unknown>,
    readonly rootValue: unknown,
  ) {}

  /** Records an error, unless its position or one above it was nulled before: nothing of the answer shows it then. */
  addError(error: GraphQLError, path: readonly Key[]): void {
    this.nulled ??= new Set();
    let position = '';
    if (this.nulled.has(position)) return;
    for (const key of path) {
      position += typeof key === 'number' ? `[${key}` : `.${key}`;
      if (this.nulled.has(position)) return;
    }
    this.nulled.add(position);
    this.errors.push(error);
  }
}

/**
 * What a failed field or item answers: null, the error recorded.
 * @throws the located error where the type is non-null: the parent is null then
 */
export function failAt(
  execution: Execution,
  error: unknown,
  nodes: readonly FieldNode[],
  isNonNull: boolean,
  path: ResponsePath,
): null {
  const keys = responsePathAsArray(path);
  const located = locatedError(error, nodes as FieldNode[], keys);
  if (isNonNull) throw located;
  execution.addError(located, keys);
  return null;
}

export const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
