/** Random rules of access on the fields and types of a supergraph, and random callers. */
import { type ConstDirectiveNode, type DocumentNode, Kind, parse, print, visit } from 'graphql';
import { type Action, actions, type Identity, systemIdentity } from '../../../platform/identity.js';
import { randomNumbers } from './random-operation.js';

const scopes = actions.slice(0, 5);

/** The supergraph's own types, such as `join__Graph`. */
const isInternal = (typeName: string): boolean => typeName.includes('__');

const definitions = `
  extend schema
    @link(url: "https://specs.apollo.dev/authenticated/v0.1", for: SECURITY)
    @link(url: "https://specs.apollo.dev/requiresScopes/v0.1", for: SECURITY)
  directive @authenticated on ENUM | FIELD_DEFINITION | INTERFACE | OBJECT | SCALAR
  directive @requiresScopes(scopes: [[requiresScopes__Scope!]!]!) on ENUM | FIELD_DEFINITION | INTERFACE | OBJECT | SCALAR
  scalar requiresScopes__Scope
`;

/** The supergraph with rules on its objects, enums and fields. Composition would demand more of those that others require. */
export function withRandomRules(supergraphSdl: string, seed: number): string {
  const random = randomNumbers(seed);
  const pick = () => scopes[Math.floor(random() * scopes.length)]!;
  const rule = (probability: number): ConstDirectiveNode[] => {
    if (random() >= probability) return [];
    const sets = [[pick()], ...(random() < 0.3 ? [[pick(), pick()]] : [])];
    const text = random() < 0.3 ? '@authenticated' : `@requiresScopes(scopes: ${JSON.stringify(sets)})`;
    const [type] = parse(`type T ${text}`, { noLocation: true }).definitions;
    return type?.kind === Kind.OBJECT_TYPE_DEFINITION ? [...type.directives!] : [];
  };
  const ruled: DocumentNode = visit(parse(supergraphSdl, { noLocation: true }), {
    InterfaceTypeDefinition: { enter: () => false },
    EnumTypeDefinition: {
      enter: (node) =>
        isInternal(node.name.value) ? false : { ...node, directives: [...node.directives!, ...rule(0.2)] },
    },
    ObjectTypeDefinition: {
      leave: (node) => ({
        ...node,
        directives: [...node.directives!, ...rule(node.name.value === 'Query' ? 0 : 0.15)],
      }),
    },
    FieldDefinition: { enter: (node) => ({ ...node, directives: [...node.directives!, ...rule(0.15)] }) },
  });
  return `${print(ruled)}\n${definitions}`;
}

/** Nobody, or somebody with some of the scopes that the rules name. */
export function randomCaller(seed: number): Identity | undefined {
  const random = randomNumbers(seed);
  if (random() < 0.15) return undefined;
  const held: Action[] = scopes.filter(() => random() < 0.6);
  return { ...systemIdentity('org', 'test'), capabilities: held.map((action) => ({ action })) };
}
