/** Introspection beside data: the gateway answers it from the API schema, and planners never see it. */
import {
  type DocumentNode,
  executeSync,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import type { JsonObject } from './paths.js';

/** Whether it asks for the schema. */
export const isIntrospection = (node: FieldNode): boolean =>
  node.name.value === '__schema' || node.name.value === '__type';

/** Whether a document may ask for the schema: true also for a text that only mentions it. */
export const mentionsIntrospection = (source: string): boolean => /__(schema|type)\b/.test(source);

/** Answers the operation's introspection fields under their response keys; undefined where it has none. */
export function compileIntrospection(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): ((variables: JsonObject) => JsonObject) | undefined {
  const fragments = document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
  const selectionSet = introspectionOf(operation.selectionSet, fragments);
  if (selectionSet.selections.length === 0) return undefined;
  const introspection: DocumentNode = {
    kind: Kind.DOCUMENT,
    definitions: [{ ...operation, selectionSet }, ...fragments],
  };
  // The schema does not change, so equal variables have equal answers; tools ask the same again and again.
  let last: { key: string; answer: JsonObject } | undefined;
  return (variables) => {
    const key = JSON.stringify(variables);
    if (last?.key !== key) {
      const { data } = executeSync({ schema, document: introspection, variableValues: variables });
      last = { key, answer: { ...data } };
    }
    return last.answer;
  };
}

/** The introspection fields of a root selection, with the conditions around them. */
function introspectionOf(root: SelectionSetNode, fragments: FragmentDefinitionNode[]): SelectionSetNode {
  const selections = root.selections.flatMap((node): SelectionNode[] => {
    if (node.kind === Kind.FIELD) return isIntrospection(node) ? [node] : [];
    const fragment =
      node.kind === Kind.INLINE_FRAGMENT ? node : fragments.find(({ name }) => name.value === node.name.value)!;
    const selectionSet = introspectionOf(fragment.selectionSet, fragments);
    if (selectionSet.selections.length === 0) return [];
    return [{ kind: Kind.INLINE_FRAGMENT, directives: node.directives ?? [], selectionSet }];
  });
  return { kind: Kind.SELECTION_SET, selections };
}
