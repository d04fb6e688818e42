/** Which variables decide by `@skip` and `@include` what an operation selects. */
import {
  type FragmentDefinitionNode,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
} from 'graphql';

const conditions = [GraphQLSkipDirective.name, GraphQLIncludeDirective.name];

/** @returns undefined where a condition is neither a variable nor a literal Boolean: the document is not valid */
export function conditionVariables(
  operation: OperationDefinitionNode,
  fragments: Record<string, FragmentDefinitionNode>,
): string[] | undefined {
  const variables = new Set<string>();
  const spread = new Set<string>();
  let isValid = true;
  const readConditions = (selection: SelectionNode): void => {
    for (const directive of selection.directives ?? []) {
      if (!conditions.includes(directive.name.value)) continue;
      const condition = directive.arguments?.findLast((argument) => argument.name.value === 'if')?.value;
      if (condition?.kind === Kind.VARIABLE) variables.add(condition.name.value);
      else if (condition?.kind !== Kind.BOOLEAN) isValid = false;
    }
  };
  const visit = (selections: readonly SelectionNode[]): void => {
    for (const selection of selections) {
      readConditions(selection);
      if (selection.kind !== Kind.FRAGMENT_SPREAD) {
        visit(selection.selectionSet?.selections ?? []);
      } else if (!spread.has(selection.name.value)) {
        spread.add(selection.name.value);
        visit(fragments[selection.name.value]?.selectionSet.selections ?? []);
      }
    }
  };
  visit(operation.selectionSet.selections);
  return isValid ? [...variables] : undefined;
}
