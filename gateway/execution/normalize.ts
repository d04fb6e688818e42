/**
 * The operation as planners get it. Planners add fields of their own, such as keys and what @requires names, next to the
 * client's; a client's alias or arguments must never be taken for them. So every field with an alias or arguments is
 * planned under an alias of ours, and the answer's shape gives it its own name again.
 */
import {
  type FieldNode,
  type GraphQLSchema,
  isInterfaceType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  print,
  type SelectionSetNode,
  visit,
} from 'graphql';
import { isIntrospection } from './introspection.js';
import { placeholder } from './narrow.js';
import type { ResponsePath } from './paths.js';

export interface NormalizedOperation {
  /** The operation for the planner. */
  text: string;
  /** The key that the field's value has in what subgraphs answer. */
  dataKeyOf(field: FieldNode): string;
  /** The client's path for one of the data, as far as the client selects it: planners fetch more than that. */
  responsePathOf(path: ResponsePath): ResponsePath;
}

/** Selected fields by the key of their data; fields of different types under one key are told apart by the data alone. */
type SelectedKeys = Map<string, SelectedField>;
interface SelectedField {
  responseKey: string;
  below: SelectedKeys;
}

/**
 * @param operation without fragments, see narrow.ts
 * @param text the document as the client wrote it
 * @param withArguments the names of fields that take arguments
 */
export function normalizeOperation(
  operation: OperationDefinitionNode,
  text: string,
  withArguments: ReadonlySet<string>,
): NormalizedOperation {
  const prefix = freePrefix(text);
  const dataKeys = new Map<string, string>();
  const dataKeyOf = (field: FieldNode): string => {
    const name = field.name.value;
    const responseKey = field.alias?.value ?? name;
    // Where the type is known, it is written by its name; what introspection answers never comes from subgraphs.
    if (name === '__typename') return name;
    // What objects inherit would be taken for the value of a field called `constructor`.
    const isPlain = responseKey === name && !withArguments.has(name) && !(name in Object.prototype);
    if (isIntrospection(field) || isPlain) return responseKey;
    // Fields that may be merged have the same name, arguments and key: they get the same alias.
    const identity = `${responseKey}:${name}(${(field.arguments ?? []).map(print).join()})`;
    let key = dataKeys.get(identity);
    if (key === undefined) {
      key = `${prefix}${dataKeys.size}`;
      dataKeys.set(identity, key);
    }
    return key;
  };
  const planned = visit(operation, {
    Field: {
      // From the root on, so that a root field has the same alias whatever is selected below it.
      enter(field): FieldNode | undefined {
        // Planners do not know introspection, and take no empty selections either.
        if (isIntrospection(field)) return placeholder;
        const key = dataKeyOf(field);
        const { alias, ...rest } = field;
        if (alias === undefined && key === field.name.value) return undefined;
        // An alias that is the field's own name confuses planners.
        return key === field.name.value ? rest : { ...rest, alias: { kind: Kind.NAME, value: key } };
      },
    },
  });
  let selected: SelectedKeys | undefined;
  return {
    text: print(planned),
    dataKeyOf,
    responsePathOf: (path) => {
      selected ??= selectedKeys(operation.selectionSet, dataKeyOf);
      return toResponsePath(path, selected);
    },
  };
}

function selectedKeys(
  { selections }: SelectionSetNode,
  dataKeyOf: (field: FieldNode) => string,
  keys: SelectedKeys = new Map(),
): SelectedKeys {
  for (const node of selections) {
    if (node.kind === Kind.INLINE_FRAGMENT) selectedKeys(node.selectionSet, dataKeyOf, keys);
    if (node.kind !== Kind.FIELD) continue;
    const dataKey = dataKeyOf(node);
    const known = keys.get(dataKey) ?? { responseKey: node.alias?.value ?? node.name.value, below: new Map() };
    keys.set(dataKey, known);
    if (node.selectionSet) selectedKeys(node.selectionSet, dataKeyOf, known.below);
  }
  return keys;
}

function toResponsePath(path: ResponsePath, selected: SelectedKeys): ResponsePath {
  const response: ResponsePath = [];
  let keys: SelectedKeys | undefined = selected;
  for (const key of path) {
    if (typeof key === 'number') {
      response.push(key);
      continue;
    }
    const field: SelectedField | undefined = keys?.get(key);
    if (!field) break;
    response.push(field.responseKey);
    keys = field.below;
  }
  return response;
}

/** The names of fields that take arguments: those without any have defaults, and a @requires may give others. */
export const fieldsWithArguments = (schema: GraphQLSchema): ReadonlySet<string> =>
  new Set(
    Object.values(schema.getTypeMap()).flatMap((type) =>
      isObjectType(type) || isInterfaceType(type)
        ? Object.values(type.getFields()).flatMap(({ name, args }) => (args.length > 0 ? [name] : []))
        : [],
    ),
  );

/** A beginning of names that the document does not have. */
function freePrefix(text: string): string {
  let prefix = '_f';
  while (text.includes(prefix)) prefix += '_f';
  return prefix;
}
