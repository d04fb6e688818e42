/** The root fields of an operation's text. */
import { Kind, type OperationDefinitionNode, parse, print, type SelectionNode } from 'graphql';

/** Their response keys, but for `__typename`. */
export function rootKeys(text: string): string[] {
  const [operation] = parse(text, { noLocation: true }).definitions;
  if (operation?.kind !== Kind.OPERATION_DEFINITION) return [];
  const keysOf = (selections: readonly SelectionNode[]): string[] =>
    selections.flatMap((selection) => {
      if (selection.kind === Kind.FIELD) return [selection.alias?.value ?? selection.name.value];
      return selection.kind === Kind.INLINE_FRAGMENT ? keysOf(selection.selectionSet.selections) : [];
    });
  return [...new Set(keysOf(operation.selectionSet.selections))].filter((key) => key !== '__typename');
}

/** The same operation with the root fields of these response keys alone. @param text one operation without fragments */
export function onlyRootFields(text: string, keys: readonly string[]): string {
  const operation = parse(text, { noLocation: true }).definitions[0] as OperationDefinitionNode;
  const selections = operation.selectionSet.selections.filter(
    (node) => node.kind === Kind.FIELD && keys.includes(node.alias?.value ?? node.name.value),
  );
  return print({ ...operation, selectionSet: { ...operation.selectionSet, selections } });
}
