/**
 * The part of a document that one request runs: conditions decided, every fragment written out where it is used, on
 * types that the place can have, without what the caller is denied. Planners lose fields under conditions that overlap, and where a fragment is on a union
 * or an interface that only overlaps with its place.
 */
import {
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  isUnionType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  visit,
} from 'graphql';

/** Stands in a selection of which conditions leave nothing, since planners take no empty ones. Not part of the answer. */
export const placeholder: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } };

/** The variables of @skip and @include. */
export function conditionVariables(document: DocumentNode): string[] {
  const names = new Set<string>();
  visit(document, {
    Directive({ name, arguments: given }) {
      const value = given?.[0]?.value;
      if (isCondition(name.value) && value?.kind === Kind.VARIABLE) names.add(value.name.value);
    },
  });
  return [...names];
}

const isCondition = (directive: string): boolean => directive === 'skip' || directive === 'include';

/**
 * @param document passes the validation of the schema
 * @param met the variables of conditions that are true
 * @param isDenied whether a field of an object type is left out; one that is denied of some types behind an interface is
 * written out for the others
 */
export function narrowOperation(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  met: ReadonlySet<string>,
  isDenied?: (type: GraphQLObjectType, fieldName: string) => boolean,
): OperationDefinitionNode {
  const fragments = new Map(
    document.definitions.flatMap((definition): [string, FragmentDefinitionNode][] =>
      definition.kind === Kind.FRAGMENT_DEFINITION ? [[definition.name.value, definition]] : [],
    ),
  );
  const possibleTypes = (type: GraphQLCompositeType) => (isObjectType(type) ? [type] : schema.getPossibleTypes(type));

  const selectionSet = ({ selections }: SelectionSetNode, parent: GraphQLCompositeType): SelectionSetNode => {
    const narrowed = selections.flatMap((node) => selection(node, parent));
    return { kind: Kind.SELECTION_SET, selections: narrowed.length > 0 ? narrowed : [placeholder] };
  };
  const selection = (node: SelectionNode, parent: GraphQLCompositeType): SelectionNode[] => {
    if (!isIncluded(node.directives, met)) return [];
    if (node.kind === Kind.FIELD) return fields(node, parent);
    const fragment = node.kind === Kind.FRAGMENT_SPREAD ? fragments.get(node.name.value)! : node;
    const condition = fragment.typeCondition ? schema.getType(fragment.typeCondition.name.value) : parent;
    return isCompositeType(condition) ? applied(fragment.selectionSet, condition, parent) : [];
  };
  const fields = (node: FieldNode, parent: GraphQLCompositeType): SelectionNode[] => {
    const types = isDenied ? possibleTypes(parent) : [];
    const allowed = types.filter((type) => !isDenied?.(type, node.name.value));
    if (allowed.length === types.length) return [field(node, parent)];
    return allowed.map((type) => onType(type, [field(node, type)]));
  };
  const field = (node: FieldNode, parent: GraphQLCompositeType): FieldNode => {
    const directives = node.directives?.filter(({ name }) => !isCondition(name.value)) ?? [];
    const plain = { ...node, directives };
    if (!node.selectionSet || isUnionType(parent)) return plain;
    // Introspection is no field of the type: it stays as it is.
    const type = parent.getFields()[node.name.value]?.type;
    const named = type && getNamedType(type);
    return isCompositeType(named) ? { ...plain, selectionSet: selectionSet(node.selectionSet, named) } : plain;
  };
  /** The selections of a fragment on `condition`, for objects of `parent`. */
  const applied = (
    selected: SelectionSetNode,
    condition: GraphQLCompositeType,
    parent: GraphQLCompositeType,
  ): SelectionNode[] => {
    const isWider =
      condition === parent ||
      (isAbstractType(condition) && !isUnionType(parent) && schema.isSubType(condition, parent));
    const own = new Set(possibleTypes(parent));
    const isNarrower = !isUnionType(condition) && possibleTypes(condition).every((type) => own.has(type));
    const targets = isWider
      ? [parent]
      : isNarrower
        ? [condition]
        : possibleTypes(condition).filter((type) => own.has(type));
    return targets.flatMap((target): SelectionNode[] => {
      const selections = selected.selections.flatMap((node) => selection(node, target));
      if (target === parent) return selections;
      if (selections.length > 0) return [onType(target, selections)];
      // What is denied is denied of this type: the answer depends on what the object really is.
      return isDenied ? [onType(target, [placeholder])] : [];
    });
  };
  return { ...operation, selectionSet: selectionSet(operation.selectionSet, schema.getRootType(operation.operation)!) };
}

const onType = ({ name }: GraphQLCompositeType, selections: SelectionNode[]): SelectionNode => ({
  kind: Kind.INLINE_FRAGMENT,
  typeCondition: { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: name } },
  selectionSet: { kind: Kind.SELECTION_SET, selections },
});

/**
 * Whether the selections of a narrowed operation hang on the concrete types behind interface objects.
 * @param interfaceObjects the interfaces that some subgraph has as an object
 */
export function hangsOnTypes(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  interfaceObjects: ReadonlySet<string>,
): boolean {
  if (interfaceObjects.size === 0) return false;
  let hangs = false;
  visit(operation, {
    InlineFragment({ typeCondition }) {
      const type = typeCondition && schema.getType(typeCondition.name.value);
      if (!isObjectType(type) && !isInterfaceType(type)) return;
      if (interfaceObjects.has(type.name) || type.getInterfaces().some(({ name }) => interfaceObjects.has(name))) {
        hangs = true;
      }
    },
  });
  return hangs;
}

/** GraphQL specification, 3.13.1 and 3.13.2. */
function isIncluded(directives: readonly DirectiveNode[] | undefined, met: ReadonlySet<string>): boolean {
  for (const { name, arguments: given } of directives ?? []) {
    if (!isCondition(name.value)) continue;
    const value = given?.[0]?.value;
    const is = value?.kind === Kind.VARIABLE ? met.has(value.name.value) : value?.kind === Kind.BOOLEAN && value.value;
    if (is !== (name.value === 'include')) return false;
  }
  return true;
}
