/** A field as one selection asks for it: what its resolver gets, and the selections of what it answers. */
import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isListType,
  isNonNullType,
  isObjectType,
  type OperationDefinitionNode,
  type ResponsePath,
} from 'graphql';
import { compileArguments, type FieldArguments } from './arguments.js';
import type { Execution } from './execution.js';

/** An operation whose conditions are decided. */
export interface Operation {
  schema: GraphQLSchema;
  definition: OperationDefinitionNode;
  fragments: Record<string, FragmentDefinitionNode>;
  /** The values of the variables that conditions read. */
  conditions: Record<string, unknown>;
}

export class Field {
  readonly arguments: FieldArguments;
  readonly isNonNull: boolean;
  /** Whether resolving the type of what it answers takes the field's info. */
  readonly needsInfo: boolean;
  /** The typename in the path of the objects that it answers: items of lists have none. */
  readonly pathTypename: string | undefined;

  constructor(
    readonly operation: Operation,
    readonly parentType: GraphQLObjectType,
    readonly responseName: string,
    readonly definition: GraphQLField<unknown, unknown>,
    readonly nodes: readonly FieldNode[],
  ) {
    const { type } = definition;
    const named = getNamedType(type);
    this.arguments = compileArguments(definition, nodes[0]!);
    this.isNonNull = isNonNullType(type);
    this.needsInfo = isAbstractType(named) || (isObjectType(named) && named.isTypeOf != null);
    this.pathTypename = isListType(getNullableType(type)) ? undefined : parentType.name;
  }

  info(execution: Execution, path: ResponsePath): GraphQLResolveInfo {
    const { operation, definition, parentType, nodes } = this;
    return {
      fieldName: definition.name,
      fieldNodes: nodes as FieldNode[],
      returnType: definition.type,
      parentType,
      path,
      schema: operation.schema,
      fragments: operation.fragments,
      rootValue: execution.rootValue,
      operation: operation.definition,
      variableValues: execution.variableValues as GraphQLResolveInfo['variableValues'],
    };
  }

  /** As errors name it. */
  toString(): string {
    return `${this.parentType.name}.${this.definition.name}`;
  }
}
