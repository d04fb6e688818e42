/** The object type of a value whose field answers an interface or a union. */
import { type GraphQLAbstractType, GraphQLError, type GraphQLObjectType, isObjectType } from 'graphql';
import { inspect } from 'graphql/jsutils/inspect.js';
import type { Field } from './field.js';

/**
 * The object type that the type's resolver named.
 * @throws GraphQLError where it is not one of the abstract type's
 */
export function runtimeTypeOf(
  type: GraphQLAbstractType,
  name: unknown,
  value: unknown,
  field: Field,
): GraphQLObjectType {
  const { schema } = field.operation;
  const refuse = (message: string, nodes?: typeof field.nodes): never => {
    throw new GraphQLError(message, { nodes });
  };
  const mustResolve = `Abstract type "${type.name}" must resolve to an Object type at runtime for field "${field}"`;
  if (name == null) {
    return refuse(
      `${mustResolve}. Either the "${type.name}" type should provide a "resolveType" function or each possible type should provide an "isTypeOf" function.`,
      field.nodes,
    );
  }
  if (isObjectType(name)) {
    return refuse(
      'Support for returning GraphQLObjectType from resolveType was removed in graphql-js@16.0.0 please return type name instead.',
    );
  }
  if (typeof name !== 'string') {
    return refuse(`${mustResolve} with value ${inspect(value)}, received "${inspect(name)}".`);
  }
  const resolved = schema.getType(name);
  if (resolved == null) {
    return refuse(
      `Abstract type "${type.name}" was resolved to a type "${name}" that does not exist inside the schema.`,
      field.nodes,
    );
  }
  if (!isObjectType(resolved)) {
    return refuse(`Abstract type "${type.name}" was resolved to a non-object type "${name}".`, field.nodes);
  }
  if (!schema.isSubType(type, resolved)) {
    return refuse(`Runtime Object type "${resolved.name}" is not a possible type for "${type.name}".`, field.nodes);
  }
  return resolved;
}
