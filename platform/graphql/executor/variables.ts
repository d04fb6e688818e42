/** The variables of an operation, coerced by functions made for their types. */
import {
  type GraphQLError,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLLeafType,
  type GraphQLSchema,
  getNullableType,
  getVariableValues,
  isInputObjectType,
  isInputType,
  isListType,
  isNonNullType,
  type NamedTypeNode,
  typeFromAST,
  type VariableDefinitionNode,
  valueFromAST,
} from 'graphql';

type Values = Record<string, unknown>;
/** Answers the coerced value, or `unforeseen`. */
type Coerce = (value: unknown) => unknown;

/** Where anything is not as the straight path has it: graphql-js then decides, and words the errors. */
const unforeseen = Symbol('unforeseen');
/** As many errors as graphql-js tells at once. */
const maxErrors = 50;

export type VariableReader = (given: Values) => { coerced: Values } | { errors: readonly GraphQLError[] };

export function compileVariables(
  schema: GraphQLSchema,
  definitions: readonly VariableDefinitionNode[],
): VariableReader {
  const known = new Map<GraphQLInputObjectType, Coerce>();
  const variables = definitions.map(({ variable, type: typeNode, defaultValue }) => {
    const name = variable.name.value;
    const type: unknown = typeFromAST(schema, typeNode as NamedTypeNode);
    const hasFallback = defaultValue !== undefined;
    // Assigning __proto__ would make no property.
    if (!isInputType(type) || name === '__proto__') {
      return { name, hasFallback, coerce: () => unforeseen, fallback: () => unforeseen };
    }
    const fallback = (): unknown =>
      defaultValue ? valueFromAST(defaultValue, type) : isNonNullType(type) ? unforeseen : undefined;
    return { name, hasFallback, coerce: coercer(type, known), fallback };
  });
  return (given) => {
    const coerced: Values = {};
    for (const { name, coerce, fallback, hasFallback } of variables) {
      const isGiven = Object.hasOwn(given, name);
      const value = isGiven ? coerce(given[name]) : fallback();
      if (value === unforeseen) {
        return getVariableValues(schema, definitions, given, { maxErrors }) as ReturnType<VariableReader>;
      }
      if (isGiven || hasFallback) coerced[name] = value;
    }
    return { coerced };
  };
}

function coercer(type: GraphQLInputType, known: Map<GraphQLInputObjectType, Coerce>): Coerce {
  const isNonNull = isNonNullType(type);
  const coerce = nullableCoercer(getNullableType(type) as GraphQLInputType, known);
  return (value) => (value == null ? (isNonNull ? unforeseen : null) : coerce(value));
}

function nullableCoercer(type: GraphQLInputType, known: Map<GraphQLInputObjectType, Coerce>): Coerce {
  if (isListType(type)) return listCoercer(coercer(type.ofType, known));
  if (isInputObjectType(type)) {
    // An input type may contain itself.
    let coerce = known.get(type);
    if (!coerce) {
      known.set(type, (value) => coerce!(value));
      coerce = objectCoercer(type, known);
      known.set(type, coerce);
    }
    return coerce;
  }
  const leaf = type as GraphQLLeafType;
  return (value) => {
    try {
      const parsed: unknown = leaf.parseValue(value);
      return parsed === undefined ? unforeseen : parsed;
    } catch {
      return unforeseen;
    }
  };
}

const listCoercer =
  (coerceItem: Coerce): Coerce =>
  (value) => {
    if (!Array.isArray(value)) {
      if (typeof value === 'object' && Symbol.iterator in value!) return unforeseen;
      const item = coerceItem(value);
      return item === unforeseen ? unforeseen : [item];
    }
    const items: unknown[] = [];
    for (let index = 0; index < value.length; index++) {
      const item = coerceItem(value[index]);
      if (item === unforeseen) return unforeseen;
      items.push(item);
    }
    return items;
  };

function objectCoercer(type: GraphQLInputObjectType, known: Map<GraphQLInputObjectType, Coerce>): Coerce {
  const definitions = type.getFields();
  const fields = Object.values(definitions).map(({ name, type, defaultValue }) => ({
    name,
    defaultValue,
    isRequired: isNonNullType(type),
    coerce: coercer(type, known),
  }));
  return (given) => {
    if (typeof given !== 'object' || Array.isArray(given) || type.isOneOf) return unforeseen;
    const values: Values = {};
    for (const { name, defaultValue, isRequired, coerce } of fields) {
      const value = (given as Values)[name];
      if (value !== undefined) {
        const coerced = coerce(value);
        if (coerced === unforeseen) return unforeseen;
        values[name] = coerced;
      } else if (defaultValue !== undefined) {
        values[name] = defaultValue;
      } else if (isRequired) {
        return unforeseen;
      }
    }
    for (const name of Object.keys(given!)) if (!definitions[name]) return unforeseen;
    return values;
  };
}
