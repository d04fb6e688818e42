/** A subgraph that answers from data, and one server with the whole graph to compare with. */
import { buildSubgraphSchema } from '@apollo/subgraph';
import {
  type DocumentNode,
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isListType,
  isNonNullType,
  isObjectType,
  parse,
  responsePathAsArray,
  validate,
  visit,
} from 'graphql';
import { Garbage, type GraphData, GraphView, type Json, type Node, type Row } from './data.js';
import { type Implementations, Knowledge } from './knowledge.js';

/**
 * How a subgraph fails. `unreachable`: nobody answers. `crashed`: an answer that is not GraphQL. `refusing`: an error for
 * the whole request and no data. `empty`: an object with nothing in it. `noEntities`: null for lists of entities.
 * `shortEntities`: a list that ends before its last entity.
 */
export type Fault = 'unreachable' | 'crashed' | 'refusing' | 'empty' | 'noEntities' | 'shortEntities';

export interface Operation {
  query: string;
  variables?: Record<string, unknown> | undefined;
}

/** Executes an operation of a schema. */
export type Execute = (
  schema: GraphQLSchema,
  document: DocumentNode,
  variables: Record<string, unknown> | undefined,
  context: unknown,
) => Promise<ExecutionResult>;

/** graphql-js, which is the measure of all. */
export const interpret: Execute = async (schema, document, variableValues, contextValue) =>
  execute({ schema, document, variableValues, contextValue });

/** What resolvers leave for the finished answer: values that the schema would not let through. */
interface Leftovers {
  garbage: { path: (string | number)[]; value: Json }[];
}

export class DataSubgraph {
  readonly schema: GraphQLSchema;
  /** Set by the case that runs. */
  fault: Fault | undefined;
  readonly #documents = new Map<string, DocumentNode>();

  constructor(
    readonly name: string,
    sdl: DocumentNode,
    data: GraphData,
    implementations: Implementations,
    steps: string[],
  ) {
    const knowledge = new Knowledge(name, sdl, implementations);
    const references = Object.fromEntries(
      knowledge.entityTypes.map((type) => [
        type,
        { __resolveReference: (representation: Row) => view.entity(representation) },
      ]),
    );
    this.schema = buildSubgraphSchema([{ typeDefs: sdl, resolvers: references as never }]);
    const view = new GraphView(data, this.schema, knowledge, steps);
    resolveFrom(this.schema, view);
  }

  /** Answers one request. @throws where the planner wrote an operation that does not fit the schema */
  async answer({ query, variables }: Operation, run: Execute): Promise<ExecutionResult> {
    if (this.fault === 'empty') return {};
    if (this.fault === 'refusing') {
      return { data: null, errors: [new GraphQLError('Out of order.', { extensions: { code: 'OUT_OF_ORDER' } })] };
    }
    const document = this.#document(query);
    const result = await answerFrom(run, this.schema, document, variables);
    if (this.fault === 'noEntities') changeEntities(document, result, () => null);
    if (this.fault === 'shortEntities') changeEntities(document, result, (entities) => entities.slice(0, -1));
    return result;
  }

  #document(query: string): DocumentNode {
    let document = this.#documents.get(query);
    if (!document) {
      document = parse(query);
      const faults = validate(this.schema, document);
      if (faults.length > 0)
        throw new GraphQLError(`${this.name} cannot take ${query}: ${faults.map(String).join('\n')}`);
      this.#documents.set(query, document);
    }
    return document;
  }
}

/** Answers the API from one server that knows the whole graph. */
export function oneServer(
  apiSchema: GraphQLSchema,
  data: GraphData,
  implementations: Implementations,
  steps: string[],
): (document: DocumentNode, variables: Record<string, unknown>, operationName?: string) => Promise<ExecutionResult> {
  resolveFrom(apiSchema, new GraphView(data, apiSchema, new Knowledge(undefined, undefined, implementations), steps));
  return (document, variables, operationName) => {
    const run: Execute = async (schema, _document, variableValues, contextValue) =>
      execute({ schema, document, variableValues, contextValue, operationName });
    return answerFrom(run, apiSchema, document, variables);
  };
}

function resolveFrom(schema: GraphQLSchema, view: GraphView): void {
  const roots = [schema.getQueryType(), schema.getMutationType()];
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue;
    const isRoot = roots.includes(type);
    for (const field of Object.values(type.getFields())) {
      if (field.name === '_entities' || field.name === '_service') continue;
      field.resolve = (source: Node | undefined, args, leftovers: Leftovers, info) => {
        const node = isRoot || !source ? view.root(type.name) : source;
        const value = view.read(node, field.name, args, field.type);
        if (!(value instanceof Garbage)) return value;
        leftovers.garbage.push({ path: responsePathAsArray(info.path), value: value.value });
        return placeholder(field.type);
      };
    }
  }
}

async function answerFrom(
  run: Execute,
  schema: GraphQLSchema,
  document: DocumentNode,
  variables: Record<string, unknown> | undefined,
): Promise<ExecutionResult> {
  const leftovers: Leftovers = { garbage: [] };
  const result = await run(schema, document, variables, leftovers);
  for (const { path, value } of leftovers.garbage) {
    const holder = path.slice(0, -1).reduce<any>((current, key) => current?.[key], result.data);
    if (holder) holder[path.at(-1)!] = value;
  }
  return result;
}

/** Something that the type lets through. */
function placeholder(type: GraphQLOutputType): unknown {
  if (!isNonNullType(type)) return null;
  if (isListType(type.ofType)) return [];
  const named = getNamedType(type);
  if (isEnumType(named)) return named.getValues()[0]!.value;
  if (isObjectType(named)) return { __typename: named.name, row: {} };
  return named.name === 'Boolean' ? false : 0;
}

function changeEntities(
  document: DocumentNode,
  result: ExecutionResult,
  change: (entities: unknown[]) => unknown[] | null,
): void {
  visit(document, {
    Field(field) {
      const key = field.alias?.value ?? field.name.value;
      if (field.name.value === '_entities' && result.data) result.data[key] = change(result.data[key] as unknown[]);
    },
  });
}
