/**
 * Shapes fetched data into the answer that the operation asks for: its keys in its order, nulls where the schema's types
 * demand them (GraphQL specification, 6.4.4), values checked. Compiled once per operation into straight-line functions,
 * since constant keys are several times faster to read and write than computed ones.
 */
import {
  type FieldNode,
  type GraphQLEnumType,
  type GraphQLInterfaceType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  type GraphQLUnionType,
  isAbstractType,
  isEnumType,
  isInterfaceType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import type { AccessRule } from '../../platform/graphql/access-rules.js';
import { isIntrospection } from './introspection.js';
import { placeholder } from './narrow.js';
import type { JsonObject, ResponsePath } from './paths.js';

/** Something that the schema does not allow in its place. */
export interface Fault {
  message: string;
  path: ResponsePath;
}

/** A field that the caller may not ask for. */
export interface Denial {
  rule: AccessRule;
  path: ResponsePath;
}

/** The rule that denies a field of an object type to the caller; undefined for a field that is allowed. */
export type DeniedBy = (type: GraphQLObjectType, fieldName: string) => AccessRule | undefined;

/** Shapes the root. @returns null where a null reaches it */
export type Shape = (data: JsonObject) => {
  data: JsonObject | null;
  faults: Fault[] | undefined;
  denials: Denial[] | undefined;
};

/** Stands for a null that its position does not allow, on its way up. */
const invalid = Symbol('invalid');

interface State {
  /** The response path of the value at hand: the first `depth` entries count. */
  path: ResponsePath;
  depth: number;
  faults: Fault[] | undefined;
  denials: Denial[] | undefined;
}

type ShapeValue = (value: unknown, state: State) => unknown;
/** Nodes with the same response key, which are merged. */
type FieldNodes = [FieldNode, ...FieldNode[]];

/**
 * @param operation without fragments and conditions, see narrow.ts
 * @param dataKeyOf the key that a field's value has in the fetched data
 * @param deniedBy denied fields are null, whatever the data has in their place
 */
export function compileShape(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  dataKeyOf: (field: FieldNode) => string,
  deniedBy: DeniedBy,
): Shape {
  const rootType = schema.getRootType(operation.operation)!;
  const shapeRoot = new ShapeCompiler(schema, dataKeyOf, deniedBy).object(rootType, [operation.selectionSet]);
  return (data) => {
    const state: State = { path: [], depth: 0, faults: undefined, denials: undefined };
    const shaped = shapeRoot(data, state);
    const { faults, denials } = state;
    return { data: shaped === invalid ? null : (shaped as JsonObject), faults, denials };
  };
}

function fault(state: State, message: string, key?: string | number): void {
  const path = state.path.slice(0, state.depth);
  if (key !== undefined) path.push(key);
  state.faults ??= [];
  state.faults.push({ message, path });
}

function deny(state: State, rule: AccessRule, key: string): void {
  state.denials ??= [];
  state.denials.push({ rule, path: [...state.path.slice(0, state.depth), key] });
}

class ShapeCompiler {
  constructor(
    private readonly schema: GraphQLSchema,
    private readonly dataKeyOf: (field: FieldNode) => string,
    private readonly deniedBy: DeniedBy,
  ) {}

  /** A function that reads and writes every field by a constant key. */
  object(type: GraphQLObjectType | GraphQLInterfaceType, selected: SelectionSetNode[]): ShapeValue {
    const names: string[] = ['invalid', 'fault', 'deny'];
    const values: unknown[] = [invalid, fault, deny];
    const given = (value: unknown) => {
      names.push(`g${values.length}`);
      values.push(value);
      return names.at(-1)!;
    };
    const fields = this.#collect(type, selected);
    // All of an object's denials are told, also where the first makes the object null.
    const denials = [...fields].map(([key, nodes]) => {
      const rule = this.#denial(type, nodes[0].name.value);
      return rule ? `deny(state,${given(rule)},${JSON.stringify(key)});` : '';
    });
    const lines = [...fields].map(([key, nodes]) => this.#fieldCode(type, JSON.stringify(key), nodes, given));
    const body = `return function(source,state){${denials.join('')}const out={};const depth=state.depth;let value,shaped;${lines.join('\n')}return out;}`;
    // Everything in the text is a JSON string or a name made here.
    return new Function(...names, body)(...values) as ShapeValue;
  }

  /** The rule that denies a field. Where only the interface of an object is known, all objects behind it are denied it. */
  #denial(type: GraphQLObjectType | GraphQLInterfaceType, fieldName: string): AccessRule | undefined {
    const rules = this.#denials(type, fieldName);
    return rules.includes(undefined) ? undefined : rules[0];
  }

  #denials(type: GraphQLObjectType | GraphQLInterfaceType, fieldName: string): (AccessRule | undefined)[] {
    const objects = isObjectType(type) ? [type] : this.schema.getPossibleTypes(type);
    return objects.map((object) => this.deniedBy(object, fieldName));
  }

  #fieldCode(
    type: GraphQLObjectType | GraphQLInterfaceType,
    key: string,
    nodes: FieldNodes,
    given: (value: unknown) => string,
  ): string {
    const name = nodes[0].name.value;
    if (name === '__typename') return `out[${key}]=${JSON.stringify(type.name)};`;
    // What introspection answers is complete as it is.
    if (isIntrospection(nodes[0])) return `out[${key}]=source[${key}]??null;`;
    const fieldType = type.getFields()[name]!.type;
    const required = isNonNullType(fieldType);
    const inner = required ? fieldType.ofType : fieldType;
    if (this.#denial(type, name)) return required ? 'return invalid;' : `out[${key}]=null;`;
    const onNull = required
      ? `fault(state,${JSON.stringify(`Cannot return null for non-nullable field ${type.name}.${name}.`)},${key});return invalid;`
      : `out[${key}]=null;`;
    const read = `value=source[${JSON.stringify(this.dataKeyOf(nodes[0]))}];if(value===null||value===undefined){${onNull}}else`;
    const leafTest = isLeafType(inner) ? leafTests.get(inner.name) : undefined;
    if (leafTest) {
      const wrong = `fault(state,${JSON.stringify(`${type.name}.${name} is not a valid ${inner}.`)},${key});${required ? 'return invalid;' : `out[${key}]=null;`}`;
      return `${read}{if(${leafTest})out[${key}]=value;else{${wrong}}}`;
    }
    if (isLeafType(inner) && !isEnumType(inner) && inner.name !== 'ID') return `${read}{out[${key}]=value;}`;
    const below = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
    const shape = given(this.#value(inner, below, `${type.name}.${name}`));
    const store = required
      ? `if(shaped===null||shaped===invalid)return invalid;out[${key}]=shaped;`
      : `out[${key}]=shaped===invalid?null:shaped;`;
    return `${read}{state.path[depth]=${key};state.depth=depth+1;shaped=${shape}(value,state);state.depth=depth;${store}}`;
  }

  /** Shapes a value that is not null. Answers null for one that is not of its type, `invalid` for one that holds a forbidden null. */
  #value(type: GraphQLOutputType, selected: SelectionSetNode[], position: string): ShapeValue {
    if (isListType(type)) return this.#list(type.ofType, selected, position);
    if (isEnumType(type)) return enumShape(type, position);
    if (isLeafType(type)) return leafShape(type.name, position);
    const shape = isObjectType(type)
      ? this.object(type, selected)
      : this.#abstract(type as GraphQLInterfaceType | GraphQLUnionType, selected, position);
    return (value, state) => {
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return shape(value, state);
      fault(state, `${position} is not an object.`);
      return null;
    };
  }

  #abstract(type: GraphQLInterfaceType | GraphQLUnionType, selected: SelectionSetNode[], position: string): ShapeValue {
    const { schema } = this;
    const shapes = new Map<unknown, ShapeValue>();
    return (value, state) => {
      const typeName = (value as JsonObject).__typename;
      let shape = shapes.get(typeName);
      if (!shape) {
        const concrete = schema.getType(String(typeName));
        const known = isObjectType(concrete) && schema.isSubType(type, concrete);
        // An interface object's own type need not be known where nothing that is selected depends on it.
        if (!known && !(isInterfaceType(type) && concreteIsUnknown(typeName, type) && this.#fitsAll(type, selected))) {
          fault(state, `${position} is of a type that is not part of ${type.name}.`);
          return null;
        }
        shape = this.object(known ? concrete : (type as GraphQLInterfaceType), selected);
        shapes.set(typeName, shape);
      }
      return shape(value, state);
    };
  }

  /** Whether the selections are the same for every type behind an interface. */
  #fitsAll(type: GraphQLInterfaceType, selected: SelectionSetNode[]): boolean {
    return selected.every(({ selections }) =>
      selections.every((node) => {
        if (node.kind === Kind.FIELD) {
          if (node.name.value === '__typename') return node === placeholder;
          return new Set(this.#denials(type, node.name.value).map((rule) => rule !== undefined)).size < 2;
        }
        return node.kind === Kind.INLINE_FRAGMENT && this.#applies(node.typeCondition?.name.value, type);
      }),
    );
  }

  #list(itemType: GraphQLOutputType, selected: SelectionSetNode[], position: string): ShapeValue {
    const required = isNonNullType(itemType);
    const shapeItem = this.#value(required ? itemType.ofType : itemType, selected, position);
    return (value, state) => {
      if (!Array.isArray(value)) {
        fault(state, `${position} is not a list.`);
        return null;
      }
      const { depth, path } = state;
      const out = new Array(value.length);
      for (let index = 0; index < value.length; index += 1) {
        const item = value[index];
        if (item === null || item === undefined) {
          if (required) {
            fault(state, `Cannot return null for non-nullable field ${position}.`, index);
            return invalid;
          }
          out[index] = null;
          continue;
        }
        path[depth] = index;
        state.depth = depth + 1;
        const shaped = shapeItem(item, state);
        state.depth = depth;
        if (shaped !== null && shaped !== invalid) out[index] = shaped;
        else if (required) return invalid;
        else out[index] = null;
      }
      return out;
    };
  }

  /** The specification's CollectFields (6.3.2) for one type. */
  #collect(
    type: GraphQLObjectType | GraphQLInterfaceType,
    selected: SelectionSetNode[],
    fields = new Map<string, FieldNodes>(),
  ): Map<string, FieldNodes> {
    for (const node of selected.flatMap(({ selections }) => selections)) {
      if (node.kind === Kind.INLINE_FRAGMENT) {
        if (this.#applies(node.typeCondition?.name.value, type)) this.#collect(type, [node.selectionSet], fields);
      } else if (node.kind === Kind.FIELD && node !== placeholder) {
        const key = node.alias?.value ?? node.name.value;
        const nodes = fields.get(key);
        if (nodes) nodes.push(node);
        else fields.set(key, [node]);
      }
    }
    return fields;
  }

  #applies(typeCondition: string | undefined, type: GraphQLObjectType | GraphQLInterfaceType): boolean {
    if (typeCondition === undefined || typeCondition === type.name) return true;
    const condition = this.schema.getType(typeCondition);
    return isAbstractType(condition) && this.schema.isSubType(condition, type);
  }
}

/** Whether the data tells no concrete type: nothing, or the interface's name as an interface object does. */
const concreteIsUnknown = (typeName: unknown, type: GraphQLInterfaceType): boolean =>
  typeName === undefined || typeName === null || typeName === type.name;

/** Tests of `value` for the built-in scalars that go out as they came. */
const leafTests: ReadonlyMap<string, string> = new Map([
  ['Int', '(value|0)===value'],
  ['Float', 'Number.isFinite(value)'],
  ['String', 'typeof value==="string"'],
  ['Boolean', 'typeof value==="boolean"'],
]);

function leafShape(name: string, position: string): ShapeValue {
  if (name === 'ID') {
    return (value, state) => {
      if (typeof value === 'string') return value;
      if (Number.isInteger(value)) return String(value);
      fault(state, `${position} is not a valid ID.`);
      return null;
    };
  }
  const test = leafTests.get(name);
  if (test === undefined) return (value) => value;
  const isValid = new Function('value', `return ${test}`) as (value: unknown) => boolean;
  return (value, state) => {
    if (isValid(value)) return value;
    fault(state, `${position} is not a valid ${name}.`);
    return null;
  };
}

function enumShape(type: GraphQLEnumType, position: string): ShapeValue {
  const names = new Set<unknown>(type.getValues().map(({ name }) => name));
  return (value, state) => {
    if (names.has(value)) return value;
    fault(state, `${position} is not a valid ${type.name}.`);
    return null;
  };
}
