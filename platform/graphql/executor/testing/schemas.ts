/** Schemas with everything that fields and types can do, whose resolvers write down how they are called. */
import {
  buildSchema,
  GraphQLObjectType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  isAbstractType,
  isObjectType,
  responsePathAsArray,
} from 'graphql';

const fields = `id: ID! name: String peer: Node int: Int intNN: Int! float: Float bool: Boolean color: Color odd: Odd oddNN: Odd!
  tags: [String!] tagsNN: [String]! matrix: [[Int!]]! odds: [Odd!] item: Item itemNN: Item! items: [Item] itemsNN: [Item!]! grid: [[Item!]!]
  any: Any anys: [Any!] nodes: [Node] echo(id: ID, n: Int! = 3, c: Color = RED, in: In, l: [Int!], odd: Odd, all: [In]): String
  picky(req: Int!, in: In! = { x: 1 }): [Item]`;
const sdl = `
  scalar Odd
  enum Color { RED GREEN BLUE }
  input In { x: Int! y: [String!] = ["y"] in: In odd: Odd }
  interface Node { ${fields} }
  type Item implements Node { ${fields} }
  type Other implements Node { ${fields} }
  type Third { third: String item: Item }
  union Any = Item | Other | Third
  type Query { ${fields} }
  type Mutation { ${fields} }
  type Subscription { ${fields} }`;

/** What resolvers were called with, in order. */
export type Log = string[];

const typings = ['property', 'resolveType', 'asyncResolveType', 'isTypeOf', 'asyncIsTypeOf'] as const;

function makeSchema(typing: (typeof typings)[number], customResolvers: boolean): GraphQLSchema {
  const schema = buildSchema(sdl);
  const isAsync = typing.startsWith('async');
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__')) continue;
    if (isAbstractType(type) && typing.endsWith('esolveType')) {
      type.resolveType = (value, context, info) => {
        note(context, info, `type of ${type.name}`);
        return isAsync ? Promise.resolve().then(() => kindOf(value)) : kindOf(value);
      };
    }
    if (isObjectType(type) && typing.endsWith('sTypeOf')) {
      type.isTypeOf = (value, context, info) => {
        note(context, info, `is ${type.name}`);
        const isIt = (): boolean => kindOf(value) === type.name;
        return isAsync && type.name !== 'Other' ? Promise.resolve().then(isIt) : isIt();
      };
    }
    if (customResolvers && type instanceof GraphQLObjectType) {
      for (const field of Object.values(type.getFields())) {
        field.resolve = (source, args, context, info) => {
          note(context, info, JSON.stringify(args));
          const value = (source as Record<string, unknown> | undefined)?.[info.fieldName];
          return typeof value === 'function' ? value.call(source, args, context, info) : value;
        };
      }
    }
  }
  makeOdd(schema.getType('Odd') as never);
  return schema;
}

/** The schemas differ in how types are found and in whether fields have resolvers. */
export const schemas: readonly GraphQLSchema[] = typings.flatMap((typing) => [
  makeSchema(typing, false),
  makeSchema(typing, true),
]);

function kindOf(value: unknown): string {
  const { kind } = value as { kind?: string };
  if (kind === 'throw') throw new Error('cannot tell the type');
  return kind as string;
}

export function note(context: unknown, info: GraphQLResolveInfo, what: string): void {
  const { fieldName, parentType, returnType, fieldNodes, path, variableValues, rootValue, operation, fragments } = info;
  const position = `${responsePathAsArray(path).join('.')} ${path.typename} ${path.prev?.typename}`;
  const rest = [
    fieldNodes.length,
    Object.keys(info),
    variableValues,
    typeof rootValue,
    operation.kind,
    Object.keys(fragments),
  ];
  (context as { log: Log }).log.push(
    `${parentType}.${fieldName}: ${returnType} ${position} ${what} ${JSON.stringify(rest)}`,
  );
}

/** A scalar that refuses, forgets or promises what it serializes. */
function makeOdd(scalar: { serialize: unknown; parseValue: unknown; parseLiteral: unknown }): void {
  const parse = (value: unknown) => {
    if (value === 2) throw new Error('even');
    return value === 4 ? undefined : { parsed: value };
  };
  scalar.serialize = (value: unknown) => {
    if (value === 2) throw new Error('even');
    if (value === 4) return undefined;
    return value === 6 ? Promise.resolve('six') : value === 8 ? Promise.reject(new Error('eight')) : { odd: value };
  };
  scalar.parseValue = parse;
  scalar.parseLiteral = (node: { value?: unknown }) => parse(Number(node.value));
}
