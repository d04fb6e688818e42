/** What several subgraphs share of GraphQL: the value types of the API, and the maker of connection types. */
import 'reflect-metadata';
import { ArgsType, type ClassType, Directive, Field, Int, ObjectType, registerEnumType } from 'type-graphql';
import type { CappedCount, Page, PageLimits } from '../paging.js';
import { Authenticated, Public } from './access-rules.js';

@Directive('@shareable')
@Public()
@ObjectType('PageInfo', { simpleResolvers: true, description: 'Where a page stands in its list (Relay).' })
export class PageInfo {
  @Field(() => Boolean, { description: 'Whether rows follow this page.' })
  hasNextPage!: boolean;
  @Field(() => Boolean, { description: 'Whether rows come before this page.' })
  hasPreviousPage!: boolean;
  @Field(() => String, { nullable: true, description: 'The first edge’s cursor, for `before`.' })
  startCursor!: string | null;
  @Field(() => String, { nullable: true, description: 'The last edge’s cursor, for `after`.' })
  endCursor!: string | null;
}

export enum CountRelation {
  EXACT = 'EXACT',
  AT_LEAST = 'AT_LEAST',
}
registerEnumType(CountRelation, {
  name: 'CountRelation',
  description: 'Whether a count is exact or stopped at its cap.',
  valuesConfig: {
    EXACT: { description: 'The value is the number of rows.' },
    AT_LEAST: { description: 'Counting stopped at the value: there are more.' },
  },
});

@Directive('@shareable')
@Public()
@ObjectType('TotalCount', { simpleResolvers: true, description: 'How many rows a list has, counted up to 10,000.' })
export class TotalCount implements CappedCount {
  @Field(() => Int, { description: 'The number of rows, or the cap.' })
  value!: number;
  @Field(() => CountRelation, { description: 'Whether the value is exact.' })
  relation!: CappedCount['relation'];
}

/** Relay's arguments for lists that are paged forward only. */
@ArgsType()
export class ForwardPageArgs {
  @Field(() => Int, { nullable: true, description: 'How many rows, from the start or after `after`.' })
  first?: number | null;
  @Field(() => String, { nullable: true, description: 'The cursor to go on after.' })
  after?: string | null;
}

/** Relay's arguments for lists that are paged both ways. */
@ArgsType()
export class PageArgs extends ForwardPageArgs {
  @Field(() => Int, { nullable: true, description: 'How many rows, from the end or before `before`.' })
  last?: number | null;
  @Field(() => String, { nullable: true, description: 'The cursor to go back from.' })
  before?: string | null;
}

/**
 * Marks a field that answers a connection: the gateway reckons the cost of its rows by the page's size.
 * @param slicing the arguments that give it
 */
export const Paged = (limits: PageLimits, ...slicing: ('first' | 'last')[]) =>
  PagedAs(['edges', 'nodes'], limits, slicing);

/** The same for a connection whose rows come in other fields, too. */
export const PagedAs = (sized: readonly string[], { default: assumedSize }: PageLimits, slicing: readonly string[]) =>
  Directive(
    `@listSize(assumedSize: ${assumedSize}, slicingArguments: ${JSON.stringify(slicing)}, sizedFields: ${JSON.stringify(sized)}, requireOneSlicingArgument: false)`,
  );

/** A page with its list's lazy count. */
export interface Connection<Row> extends Page<Row> {
  nodes: Row[];
  /** Computed only when asked for. */
  totalCount: () => Promise<CappedCount>;
}

/** Makes of a page of rows what a connection type answers. */
export function toConnection<Row, Node>(
  page: Page<Row>,
  toNode: (row: Row) => Node,
  totalCount: () => Promise<CappedCount>,
): Connection<Node> {
  const edges = page.edges.map(({ node, cursor }) => ({ node: toNode(node), cursor }));
  return { ...page, edges, nodes: edges.map((edge) => edge.node), totalCount };
}

/**
 * Makes the connection and edge types of a list. `name` is the node type's name: `Job` gives `JobConnection`, `JobEdge`.
 * @param nodeType answers the node's class or scalar
 * @param rule of the connection and its edges. What they hold beside the nodes (PageInfo, TotalCount) has no rule of its own
 */
export function connectionOf(name: string, nodeType: () => unknown, rule = Authenticated()): ClassType<object> {
  @rule
  @ObjectType(`${name}Edge`, { simpleResolvers: true, description: `One row of a ${name}Connection with its cursor.` })
  class Edge {
    @Field(nodeType as () => ClassType, { description: 'The row.' })
    node!: unknown;
    @Field(() => String, { description: 'Signed and opaque; pages go on from it.' })
    cursor!: string;
  }
  @rule
  @ObjectType(`${name}Connection`, { simpleResolvers: true, description: `A page of ${name} rows.` })
  class ConnectionType {
    @Field(() => [Edge], { description: 'The rows with their cursors, in the list’s order.' })
    edges!: Edge[];
    // A row weighs as much as an object, also where it is a scalar.
    @Directive('@cost(weight: 1)')
    @Field(() => [nodeType()] as never, { description: 'The rows alone.' })
    nodes!: unknown[];
    @Field(() => PageInfo, { description: 'Where the page stands.' })
    pageInfo!: PageInfo;
    @Field(() => TotalCount, { description: 'How many rows the whole list has; computed when asked for.' })
    totalCount!: TotalCount;
  }
  return ConnectionType;
}
