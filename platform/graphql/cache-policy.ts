/**
 * How long an answer of a subgraph may be kept, by the `@cacheControl` hints of its schema and Apollo's rules: root fields
 * and fields with fields of their own may not be kept unless they or their type say so, other fields follow their
 * parent, and the strictest hint of an operation decides.
 */
import {
  type ConstDirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isUnionType,
  Kind,
  OperationTypeNode,
  type SelectionSetNode,
} from 'graphql';

/** What a subgraph's schema needs for hints. The enum stays out of the graph that clients see. */
export const cacheControlDefinitions = `directive @cacheControl(maxAge: Int, scope: CacheControlScope, inheritMaxAge: Boolean) on FIELD_DEFINITION | OBJECT | INTERFACE | UNION

enum CacheControlScope @inaccessible {
  PUBLIC
  PRIVATE
}`;

interface Hint {
  maxAge?: number;
  isPrivate?: boolean;
  inheritMaxAge?: boolean;
}

/**
 * Decided by the operation alone, before it runs: where a type is only known then, every type that it may be counts, and
 * so do parts under @skip and @include. The answer so never allows more than one made field by field.
 * @param document a valid document; its first operation counts
 * @returns a `Cache-Control` such as `max-age=60, private`; undefined where nothing may be kept, as of every mutation
 */
export function cachePolicyOf(schema: GraphQLSchema, document: DocumentNode): string | undefined {
  const operation = document.definitions.find((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  const queryType = schema.getQueryType();
  if (operation?.operation !== OperationTypeNode.QUERY || !queryType) return undefined;
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const strictest = { maxAge: Number.POSITIVE_INFINITY, isPrivate: false };
  const restrict = ({ maxAge, isPrivate }: Hint): void => {
    if (maxAge !== undefined) strictest.maxAge = Math.min(strictest.maxAge, maxAge);
    if (isPrivate) strictest.isPrivate = true;
  };
  // A second visit of a fragment could restrict nothing more, and many would take exponential time.
  const visited = new Set<string>();

  /** @param entities whether the parts with a type condition are entities that the gateway asks for by key */
  const visit = ({ selections }: SelectionSetNode, parent: GraphQLCompositeType, entities = false): void => {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) visitField(selection, parent);
      else {
        const part = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value);
        if (selection.kind === Kind.FRAGMENT_SPREAD) {
          const key = `${selection.name.value} ${entities}`;
          if (visited.has(key)) continue;
          visited.add(key);
        }
        const type = part?.typeCondition ? schema.getType(part.typeCondition.name.value) : parent;
        if (!part || !isCompositeType(type)) continue;
        if (entities) restrict({ maxAge: 0, ...hintOfType(type) });
        visit(part.selectionSet, type);
      }
    }
  };

  const visitField = (node: FieldNode, parent: GraphQLCompositeType): void => {
    const name = node.name.value;
    if (name.startsWith('__')) return;
    const isRoot = parent === queryType;
    const entities = isRoot && name === '_entities';
    const owners = isAbstractType(parent) ? [parent, ...schema.getPossibleTypes(parent)] : [parent];
    for (const owner of owners) {
      const field = isUnionType(owner) ? undefined : owner.getFields()[name];
      if (!field) continue;
      if (!entities) restrict(policyOf(field, isRoot));
      const type = getNamedType(field.type);
      // Narrower owners give narrower types, which are among the possible ones of the first.
      if (owner === parent && node.selectionSet && isCompositeType(type)) visit(node.selectionSet, type, entities);
    }
  };

  visit(operation.selectionSet, queryType);
  if (!Number.isFinite(strictest.maxAge) || strictest.maxAge <= 0) return undefined;
  return `max-age=${strictest.maxAge}, ${strictest.isPrivate ? 'private' : 'public'}`;
}

/** The hint that counts for a field: its own before its type's, and none to keep where both are silent. */
function policyOf(field: GraphQLField<unknown, unknown>, isRoot: boolean): Hint {
  const type = getNamedType(field.type);
  const own = hintOf(field.astNode?.directives);
  const ofType = isCompositeType(type) ? hintOfType(type) : {};
  // Asking for the parent's time does not overrule a type that states its own.
  const inherits = own.inheritMaxAge && ofType.maxAge === undefined;
  const isPrivate = own.isPrivate ?? ofType.isPrivate ?? false;
  const maxAge = inherits ? undefined : (own.maxAge ?? ofType.maxAge);
  const mayInherit = !isRoot && (!isCompositeType(type) || inherits || ofType.inheritMaxAge === true);
  return { isPrivate, ...(maxAge !== undefined ? { maxAge } : mayInherit ? {} : { maxAge: 0 }) };
}

const hintOfType = ({ astNode, extensionASTNodes }: GraphQLNamedType): Hint =>
  hintOf([astNode, ...extensionASTNodes].flatMap((node) => node?.directives ?? []));

function hintOf(directives: readonly ConstDirectiveNode[] | undefined): Hint {
  const hint: Hint = {};
  for (const directive of directives ?? []) {
    if (directive.name.value !== 'cacheControl') continue;
    for (const { name, value } of directive.arguments ?? []) {
      if (name.value === 'maxAge' && value.kind === Kind.INT) hint.maxAge = Number(value.value);
      if (name.value === 'scope' && value.kind === Kind.ENUM) hint.isPrivate = value.value === 'PRIVATE';
      if (name.value === 'inheritMaxAge' && value.kind === Kind.BOOLEAN) hint.inheritMaxAge = value.value;
    }
  }
  return hint;
}
