/** Walks the composed schema, and the subgraphs' own ones, for what their access rules say. New fields need no change here. */
import { readFileSync } from 'node:fs';
import {
  type ConstDirectiveNode,
  type DocumentNode,
  Kind,
  type ObjectTypeDefinitionNode,
  type ObjectTypeExtensionNode,
  parse,
  print,
  valueFromASTUntyped,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { actions } from '../platform/identity.js';
import { printSubgraph } from '../platform/subgraph.js';
import { subgraphs } from '../subgraphs/index.js';

/** What one needs before one has a token, and nothing else. */
const publicRootFields = ['Mutation.refreshSession', 'Mutation.signIn'];
/** Beside the session, what lists tell of themselves: nobody reaches a list without its rule. */
const publicTypes = ['PageInfo', 'Session', 'TotalCount'];

interface Field {
  /** `Type.field`. */
  coordinate: string;
  isRoot: boolean;
  own: ConstDirectiveNode[];
  ofType: ConstDirectiveNode[];
  /** The name of the type that it answers. */
  answers: string;
}

const rootTypes = ['Query', 'Mutation', 'Subscription'];
const ruleNames = ['authenticated', 'requiresScopes', 'policy'];
const rulesAmong = (directives: readonly ConstDirectiveNode[] = []) =>
  directives.filter(({ name }) => ruleNames.includes(name.value));

const objectsOf = ({ definitions }: DocumentNode): (ObjectTypeDefinitionNode | ObjectTypeExtensionNode)[] =>
  definitions.filter((node) => node.kind === Kind.OBJECT_TYPE_DEFINITION || node.kind === Kind.OBJECT_TYPE_EXTENSION);

const fieldsOf = (document: DocumentNode): Field[] =>
  objectsOf(document).flatMap(({ name, directives, fields = [] }) =>
    fields.map((field) => ({
      coordinate: `${name.value}.${field.name.value}`,
      isRoot: rootTypes.includes(name.value),
      own: rulesAmong(field.directives),
      ofType: rulesAmong(directives),
      answers: print(field.type).replace(/[[\]!]/g, ''),
    })),
  );

/** The argument of a rule: sets of scopes, or of policies. */
const setsOf = ({ arguments: given = [] }: ConstDirectiveNode): string[][] =>
  given[0] ? (valueFromASTUntyped(given[0].value) as string[][]) : [];

const supergraph = parse(readFileSync('schema/supergraph.graphql', 'utf8'));
const schemas: [string, DocumentNode][] = [
  ['supergraph', supergraph],
  ...subgraphs.map((subgraph): [string, DocumentNode] => [subgraph.name, parse(printSubgraph(subgraph))]),
];

describe.each(schemas)('the schema of %s', (_, document) => {
  const fields = fieldsOf(document);

  it('declares a rule for every field of an object, on the field or on its type', () => {
    const without = fields.filter(({ own, ofType }) => own.length + ofType.length === 0);
    expect(without.map(({ coordinate }) => coordinate)).toEqual([]);
  });

  it('declares a rule of its own for every field of Query, Mutation and Subscription', () => {
    const without = fields.filter(({ isRoot, own }) => isRoot && own.length === 0);
    expect(without.map(({ coordinate }) => coordinate)).toEqual([]);
  });

  it('declares a rule for every entity, since entities are asked for by their keys alone', () => {
    const without = objectsOf(document).filter(({ directives = [] }) => {
      const isEntity = directives.some(
        ({ name, arguments: given = [] }) =>
          name.value === 'key' ||
          (name.value === 'join__type' && given.some((argument) => argument.name.value === 'key')),
      );
      return isEntity && rulesAmong(directives).length === 0;
    });
    expect(without.map(({ name }) => name.value)).toEqual([]);
  });

  it('asks for actions that there are', () => {
    const unknown = fields.flatMap(({ coordinate, own, ofType }) =>
      [...own, ...ofType]
        .filter(({ name }) => name.value === 'requiresScopes')
        .flatMap((rule) => setsOf(rule).flat())
        .filter((scope) => !(actions as readonly string[]).includes(scope))
        .map((scope) => `${coordinate}: ${scope}`),
    );
    expect(unknown).toEqual([]);
  });

  it('stands on no interface: a field of one is judged by the object that answers it', () => {
    // Composition writes them onto the interfaces of the supergraph itself.
    if (document === supergraph) return;
    const ruled = document.definitions.filter(
      (node) =>
        (node.kind === Kind.INTERFACE_TYPE_DEFINITION || node.kind === Kind.INTERFACE_TYPE_EXTENSION) &&
        [node, ...(node.fields ?? [])].some(({ directives }) => rulesAmong(directives).length > 0),
    );
    expect(ruled).toEqual([]);
  });
});

describe('without a token', () => {
  const isOpen = ({ own, ofType }: Field) => [...own, ...ofType].every(({ name }) => name.value === 'policy');
  const open = fieldsOf(supergraph).filter(isOpen);

  it('one can sign in and go on with a session, and reach nothing else', () => {
    const reached = new Set(open.filter(({ isRoot }) => isRoot));
    // What is added on the way is visited too.
    for (const { answers } of reached) {
      for (const field of open) if (field.coordinate.startsWith(`${answers}.`)) reached.add(field);
    }
    const fields = [...reached].map(({ coordinate }) => coordinate);
    expect(fields.filter((coordinate) => coordinate.startsWith('Mutation.')).sort()).toEqual(publicRootFields);
    const others = fields.filter((coordinate) => !publicRootFields.includes(coordinate));
    expect([...new Set(others.map((coordinate) => coordinate.split('.')[0]))]).toEqual(['Session']);
  });

  it('no other type may be asked for, and "public" is the only policy', () => {
    const types = open.filter(({ isRoot }) => !isRoot).map(({ coordinate }) => coordinate.split('.')[0]);
    expect([...new Set(types)].sort()).toEqual(publicTypes);
    const policies = open.flatMap(({ own, ofType }) => [...own, ...ofType].flatMap((rule) => setsOf(rule).flat()));
    expect([...new Set(policies)]).toEqual(['public']);
  });
});
