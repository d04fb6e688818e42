/** The fields that an operation selects of one object type, and the function that executes them. */
import {
  defaultTypeResolver,
  type FieldNode,
  type GraphQLAbstractType,
  GraphQLError,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
} from 'graphql';
import { collectFields, collectSubfields } from 'graphql/execution/collectFields.js';
import { getFieldDef } from 'graphql/execution/execute.js';
import { inspect } from 'graphql/jsutils/inspect.js';
import { runtimeTypeOf } from './abstract.js';
import { type Execution, isPromise, type Key, type Path } from './execution.js';
import { Field, type Operation } from './field.js';
import { generateObject, generateSerial, type Selections, type SerialField } from './generate.js';

/** Answers the object, or a promise of it. @throws the error of a non-null field */
type Execute = (execution: Execution, source: unknown, prev: Path, key: Key, info?: GraphQLResolveInfo) => unknown;

/** Of one field's objects of one type. */
class Selection {
  constructor(
    private readonly field: Field,
    private readonly type: GraphQLObjectType,
  ) {}

  /** Compiled when the first object comes: of an abstract type's many types, an operation meets few. */
  execute: Execute = (execution, source, prev, key, info) => {
    this.execute = this.compile();
    return this.execute(execution, source, prev, key, info);
  };

  private compile(): Execute {
    const { field, type } = this;
    const { operation } = field;
    const { schema, fragments, conditions } = operation;
    const nodes = collectSubfields(schema, fragments, conditions, type, field.nodes);
    const execute = generateObject(toFields(operation, type, nodes), type, field.pathTypename, selections) as Execute;
    if (!type.isTypeOf) return execute;
    const refuse = (value: unknown): never => {
      throw new GraphQLError(`Expected value of type "${type.name}" but got: ${inspect(value)}.`, {
        nodes: field.nodes,
      });
    };
    return (execution, source, prev, key, info) => {
      const isOfType = type.isTypeOf!(source, execution.contextValue, info!);
      if (isPromise(isOfType)) {
        return isOfType.then((isIt) => (isIt ? execute(execution, source, prev, key) : refuse(source)));
      }
      return isOfType ? execute(execution, source, prev, key) : refuse(source);
    };
  }
}

/** Of one field's objects of all the types that an interface or union has. */
class AbstractSelection {
  private readonly byName = new Map<unknown, Selection>();

  constructor(
    private readonly field: Field,
    private readonly type: GraphQLAbstractType,
  ) {}

  readonly execute: Execute = (execution, source, prev, key, info) => {
    const resolveType = this.type.resolveType ?? defaultTypeResolver;
    const name: unknown = resolveType(source, execution.contextValue, info!, this.type);
    return isPromise(name)
      ? name.then((resolved) => this.selection(resolved, source).execute(execution, source, prev, key, info))
      : this.selection(name, source).execute(execution, source, prev, key, info);
  };

  private selection(name: unknown, source: unknown): Selection {
    let selection = this.byName.get(name);
    if (!selection) {
      selection = new Selection(this.field, runtimeTypeOf(this.type, name, source, this.field));
      this.byName.set(name, selection);
    }
    return selection;
  }
}

const selections: Selections = {
  ofObject: (field, type) => new Selection(field, type),
  ofAbstract: (field, type) => new AbstractSelection(field, type),
};

function toFields(operation: Operation, type: GraphQLObjectType, nodes: Map<string, readonly FieldNode[]>): Field[] {
  // graphql-js leaves out what the type does not have: validation is where that is refused.
  return [...nodes].flatMap(([responseName, [first, ...others]]) => {
    const definition = getFieldDef(operation.schema, type, first!);
    return definition ? [new Field(operation, type, responseName, definition, [first!, ...others])] : [];
  });
}

/** The fields of an operation itself. */
function rootFields(operation: Operation, type: GraphQLObjectType): Field[] {
  const { schema, fragments, conditions, definition } = operation;
  return toFields(operation, type, collectFields(schema, fragments, conditions, type, definition.selectionSet));
}

/** Executes all fields of an operation at once. */
export function compileRoot(operation: Operation, type: GraphQLObjectType): (execution: Execution) => unknown {
  const execute = generateObject(rootFields(operation, type), type, 'root', selections) as Execute;
  return (execution) => execute(execution, execution.rootValue, undefined, '');
}

/** Executes the fields of an operation one after the other. */
export function compileSerialRoot(operation: Operation, type: GraphQLObjectType): (execution: Execution) => unknown {
  const fields: SerialField[] = generateSerial(rootFields(operation, type), type, selections);
  return (execution) => {
    let results: unknown = {};
    for (const { responseName, execute } of fields) {
      const next = (soFar: object): unknown => {
        const result = execute(execution, execution.rootValue);
        return isPromise(result)
          ? result.then((resolved) => withProperty(soFar, responseName, resolved))
          : withProperty(soFar, responseName, result);
      };
      results = isPromise(results) ? results.then((soFar) => next(soFar as object)) : next(results as object);
    }
    return results;
  };
}

/** Not by assignment: an alias may be `__proto__`. */
const withProperty = (object: object, key: string, value: unknown): object =>
  Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
