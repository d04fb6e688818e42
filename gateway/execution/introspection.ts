/** Introspection beside data: the gateway answers it from the API schema, and planners never see it. */
import {
  type DocumentNode,
  executeSync,
  type FieldNode,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
} from 'graphql';
import type { JsonObject } from './paths.js';

/** Whether it asks for the schema. */
export const isIntrospection = (node: FieldNode): boolean =>
  node.name.value === '__schema' || node.name.value === '__type';

/** Whether a document may ask for the schema: true also for a text that only mentions it. */
export const mentionsIntrospection = (source: string): boolean => /__(schema|type)\b/.test(source);

/**
 * Answers the operation's introspection fields under their response keys, for variables as the client sent them;
 * undefined where it has none.
 * @param operation without fragments and conditions around its root fields, see narrow.ts
 */
export function compileIntrospection(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): ((variables: JsonObject) => JsonObject) | undefined {
  const fragments = document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
  const selections = operation.selectionSet.selections.filter(
    (node) => node.kind === Kind.FIELD && isIntrospection(node),
  );
  if (selections.length === 0) return undefined;
  const selectionSet = { ...operation.selectionSet, selections };
  const introspection: DocumentNode = {
    kind: Kind.DOCUMENT,
    definitions: [{ ...operation, selectionSet }, ...fragments],
  };
  return (variables) => {
    const key = JSON.stringify(variables);
    let last = lastAnswers.get(schema);
    if (last?.introspection !== introspection || last.key !== key) {
      const { data } = executeSync({ schema, document: introspection, variableValues: variables });
      last = { introspection, key, answer: { ...data } };
      lastAnswers.set(schema, last);
    }
    return last.answer;
  };
}

/**
 * A schema does not change, so equal questions have equal answers, and tools ask the same again and again. One is kept,
 * and not one for each operation: it may be as large as the schema.
 */
const lastAnswers = new WeakMap<GraphQLSchema, { introspection: DocumentNode; key: string; answer: JsonObject }>();
