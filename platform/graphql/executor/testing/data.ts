/** Random sources for an operation on the schemas of `schemas.ts`. */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  getNullableType,
  isAbstractType,
  isListType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import { type Log, note } from './schemas.js';
import type { Tape } from './tape.js';

/** Makes a value anew each time it is called: executions share nothing. */
type Make = () => unknown;

const after = (ticks: number): Promise<void> => (ticks === 0 ? Promise.resolve() : after(ticks - 1).then(() => {}));
const rejectAfter = (ticks: number, error: unknown): Promise<never> => {
  const promise = after(ticks).then(() => Promise.reject(error));
  promise.catch(() => {}); // The operation may not ask for it.
  return promise;
};
const failure = (tape: Tape): Error => {
  const error = new Error(tape.pick('bad', 'worse', 'worst'));
  return tape.oneIn(3) ? Object.assign(error, { extensions: { code: 'ODD' } }) : error;
};

const leaves: Record<string, readonly unknown[]> = {
  ID: ['a', 'b', 7],
  String: ['s', '', 5, true],
  Int: [1, 0, -0, -5, '7', true],
  Float: [0.5, 2, -0, '1.5', false],
  Boolean: [true, false, 1],
  Color: ['RED', 'BLUE'],
  Odd: [1, 3, 'text', [5], 6],
};
const wrongLeaves: readonly unknown[] = ['wrong', Number.NaN, 2.5, 2 ** 31, {}, [], 2, 4, 8, Symbol('s')];

/** Data for all that a document may ask for. */
export class RandomData {
  private readonly fragments: Record<string, FragmentDefinitionNode> = {};

  constructor(
    private readonly tape: Tape,
    private readonly schema: GraphQLSchema,
    private readonly document: DocumentNode,
  ) {
    for (const node of document.definitions)
      if (node.kind === Kind.FRAGMENT_DEFINITION) this.fragments[node.name.value] = node;
  }

  root(): Make {
    const operation = this.document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)!;
    const type = this.schema.getRootType(operation.operation)!;
    return this.tape.oneIn(30) ? () => undefined : this.object(type, [operation.selectionSet], 4);
  }

  /** An object with the selected properties of a type, and a few ways to be wrong about its type. */
  private object(type: GraphQLObjectType, sets: readonly SelectionSetNode[], depth: number): Make {
    const { tape } = this;
    const properties = new Map<string, Make>();
    for (const [name, nodes] of this.selected(sets)) {
      const field = type.getFields()[name];
      const inner = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
      if (field) properties.set(name, this.resolved(field.type, inner, depth));
    }
    const said = tape.oneIn(30)
      ? tape.pick<unknown>('Nowhere', 'Color', 'Query', 5, undefined, null, 'throw')
      : type.name;
    const throwing = tape.oneIn(30) ? 'name' : undefined;
    return () => {
      const object = Object.fromEntries([...properties].map(([name, make]) => [name, make()]));
      Object.assign(object, { kind: said, __typename: said });
      if (throwing)
        Object.defineProperty(object, throwing, {
          get: () => {
            throw new Error('getter');
          },
        });
      return object;
    };
  }

  private selected(sets: readonly SelectionSetNode[]): Map<string, FieldNode[]> {
    const found = new Map<string, FieldNode[]>();
    const visit = (set: SelectionSetNode): void => {
      for (const node of set.selections) {
        if (node.kind === Kind.FIELD) found.set(node.name.value, [...(found.get(node.name.value) ?? []), node]);
        else if (node.kind === Kind.INLINE_FRAGMENT) visit(node.selectionSet);
        else if (this.fragments[node.name.value]) visit(this.fragments[node.name.value]!.selectionSet);
      }
    };
    for (const set of sets) visit(set);
    return found;
  }

  /** What a field's resolver answers: a value, late or not, or a failure. */
  private resolved(type: GraphQLOutputType, sets: readonly SelectionSetNode[], depth: number): Make {
    const { tape } = this;
    const make = this.value(type, sets, depth);
    const ticks = tape.below(4);
    const error = failure(tape);
    const thrown = tape.oneIn(4) ? 'no error at all' : error;
    switch (tape.below(44)) {
      case 16:
      case 17:
        return () => after(ticks).then(make);
      case 18:
        return () => (args: unknown, context: { log: Log }, info: GraphQLResolveInfo) => {
          note(context, info, JSON.stringify(args));
          return make();
        };
      case 19:
        return () => async () => after(ticks).then(make);
      case 20:
        return () => error;
      case 21:
        return () => after(ticks).then(() => error);
      case 22:
        return () => () => {
          throw thrown;
        };
      case 23:
        return () => () => rejectAfter(ticks, error);
      default:
        return make;
    }
  }

  private value(type: GraphQLOutputType, sets: readonly SelectionSetNode[], depth: number): Make {
    const { tape } = this;
    const nullable = getNullableType(type);
    if (tape.oneIn(16)) return () => null;
    if (tape.oneIn(60)) return () => undefined;
    if (tape.oneIn(60)) return () => 'not what the type is';
    if (isListType(nullable)) {
      const items = Array.from({ length: tape.pick(0, 1, 2, 3, 1, 2) }, () => {
        const make = this.value(nullable.ofType, sets, depth);
        const ticks = tape.below(4);
        const error = failure(tape);
        const how = tape.below(40);
        return how === 39
          ? () => rejectAfter(ticks, error)
          : how === 38
            ? () => error
            : how > 32
              ? () => after(ticks).then(make)
              : make;
      });
      const list = (): unknown[] => items.map((make) => make());
      switch (tape.below(12)) {
        case 9:
          return () => new Set(list());
        case 10:
          return function* () {
            yield* list();
          };
        case 11:
          return function* () {
            yield* list().slice(0, 1);
            throw new Error('the iterator broke');
          };
        default:
          return list;
      }
    }
    if (isObjectType(nullable)) return depth === 0 ? () => ({}) : this.object(nullable, sets, depth - 1);
    if (isAbstractType(nullable)) {
      const possible = this.schema.getPossibleTypes(nullable);
      return depth === 0 ? () => ({}) : this.object(tape.pick(...possible), sets, depth - 1);
    }
    const leaf = tape.oneIn(20) ? tape.pick(...wrongLeaves) : tape.pick(...leaves[`${nullable}`]!);
    return () => leaf;
  }
}
