/** Which concrete types a type condition takes. */
import { type GraphQLSchema, isAbstractType } from 'graphql';

/** Answers the names that satisfy a condition on a type: itself, and its possible types where it is abstract. */
export type TypeMatcher = (typeName: string) => ReadonlySet<string>;

/** @param schema the supergraph's, which knows inaccessible types too */
export function createTypeMatcher(schema: GraphQLSchema): TypeMatcher {
  const known = new Map<string, ReadonlySet<string>>();
  return (typeName) => {
    let names = known.get(typeName);
    if (!names) {
      const type = schema.getType(typeName);
      // The name of an interface itself stands in data where the type is an interface object.
      names = new Set([
        typeName,
        ...(isAbstractType(type) ? schema.getPossibleTypes(type).map(({ name }) => name) : []),
      ]);
      known.set(typeName, names);
    }
    return names;
  };
}

/** The names that satisfy any of several conditions. */
export function matchesAny(matcher: TypeMatcher, typeNames: readonly string[]): ReadonlySet<string> {
  return new Set(typeNames.flatMap((name) => [...matcher(name)]));
}
