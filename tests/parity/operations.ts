/** The operations that have to be answered alike embedded and distributed. */
import { readdirSync, readFileSync } from 'node:fs';
import {
  buildSchema,
  type GraphQLObjectType,
  type GraphQLOutputType,
  getNamedType,
  getOperationAST,
  isInterfaceType,
  isObjectType,
  isRequiredArgument,
  Kind,
  parse,
  print,
  separateOperations,
} from 'graphql';
import { examples } from '../../web/graphiql/examples.js';
import { type RecordedOperation, recordedOperations } from '../setup/recording.js';

export interface Operation extends RecordedOperation {
  name: string;
  kind: 'query' | 'mutation' | 'subscription';
}

const named = (name: string, { query, ...rest }: RecordedOperation): Operation | undefined => {
  try {
    const kind = getOperationAST(parse(query))?.operation ?? 'query';
    return {
      name: `${name}: ${query
        .replace(/#.*\n|\s+/g, ' ')
        .trim()
        .slice(0, 70)}`,
      query,
      kind,
      ...rest,
    };
  } catch {
    return { name: `${name}: ${query.slice(0, 70)}`, query, kind: 'query', ...rest };
  }
};

/** The tabs of GraphiQL, the tour of the README, the operations of the client and those that tests ran. */
export function knownOperations(now: Date, variables: Record<string, unknown>): Operation[] {
  const signedIn = true;
  const ofPage = examples(now).map((example) => named('GraphiQL', { signedIn, ...example }));
  const ofReadme = [...readFileSync('README.md', 'utf8').matchAll(/```graphql\n(.*?)```/gs)].map(([, query]) =>
    named('README', { signedIn, query: query! }),
  );
  const ofClient = readdirSync('client/operations').flatMap((file) => {
    const document = parse(readFileSync(`client/operations/${file}`, 'utf8'));
    return Object.values(separateOperations(document)).map((operation) =>
      named('client', { signedIn, query: print(operation), variables }),
    );
  });
  const ofTests = recordedOperations().map((operation) => named('tests', operation));
  return [...ofPage, ...ofReadme, ...ofClient, ...ofTests].filter((operation) => operation !== undefined);
}

const maxDepth = 5;

/** One query for each field of Query with everything below it, as far as arguments are optional or known by their name. */
export function queriesOfEverything(api: string, values: Record<string, string>): Operation[] {
  const schema = buildSchema(api);
  const selectionOf = (output: GraphQLOutputType, depth: number): string | undefined => {
    const type = getNamedType(output);
    if (!isObjectType(type) && !isInterfaceType(type)) return '';
    if (depth > maxDepth) return undefined;
    const own = fieldsOf(type as GraphQLObjectType, depth);
    const possible = isInterfaceType(type)
      ? schema.getPossibleTypes(type).map((object) => `... on ${object.name} { ${fieldsOf(object, depth).join(' ')} }`)
      : [];
    return `{ ${['__typename', ...own, ...possible].join(' ')} }`;
  };
  const fieldsOf = (type: GraphQLObjectType, depth: number): string[] =>
    Object.values(type.getFields()).flatMap((field) => {
      const given = field.args.filter(({ name }) => name in values && (depth === 0 || isRequired(field, name)));
      if (field.args.some((argument) => isRequiredArgument(argument) && !given.includes(argument))) return [];
      const text = given.map(({ name }) => `${name}: ${values[name]}`).join(', ');
      const selection = selectionOf(field.type, depth + 1);
      return selection === undefined ? [] : [`${field.name}${text === '' ? '' : `(${text})`} ${selection}`];
    });
  const isRequired = (field: { args: readonly { name: string }[] }, name: string) =>
    field.args.some((argument) => argument.name === name && isRequiredArgument(argument as never));
  return fieldsOf(schema.getQueryType()!, 0).map((selection) => {
    const query = print(parse(`{ ${selection} }`));
    const [operation] = parse(query).definitions;
    const field = operation?.kind === Kind.OPERATION_DEFINITION ? operation.selectionSet.selections[0] : undefined;
    const name = field?.kind === Kind.FIELD ? field.name.value : '';
    return { name: `everything below Query.${name}`, signedIn: true, query, kind: 'query' };
  });
}
