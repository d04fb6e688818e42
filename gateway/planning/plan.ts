/** A query plan as our executor reads it: the common shape of every planner's answer, with paths already absolute. */

export interface QueryPlan {
  /** Undefined where nothing has to be fetched: introspection and `__typename` alone. */
  node: PlanNode | undefined;
  /** For subscriptions: the fetch that opens the stream. `node` is what completes each event. */
  subscription?: RootFetch;
}

export type PlanNode = SequenceNode | ParallelNode | FetchNode;

export interface SequenceNode {
  kind: 'Sequence';
  nodes: PlanNode[];
}

export interface ParallelNode {
  kind: 'Parallel';
  nodes: PlanNode[];
}

export type FetchNode = RootFetch | EntityFetch;

/** All fetches below a node, in the order of the plan. */
export function fetchesOf(node: PlanNode | undefined): FetchNode[] {
  if (!node) return [];
  return 'nodes' in node ? node.nodes.flatMap(fetchesOf) : [node];
}

interface Fetch {
  subgraph: string;
  /** The text that the subgraph gets, without an operation name: equal selections are equal texts. */
  operation: string;
  operationKind: 'query' | 'mutation' | 'subscription';
  /** The operation's variables that the text uses. */
  variableUsages: string[];
}

/** Fetches fields of a root type. */
export interface RootFetch extends Fetch {
  kind: 'RootFetch';
  /** Where the answer goes: empty for the operation's root, else objects under it that carry a root type. */
  path: Path;
  outputRewrites: Rewrite[];
}

/** Fetches fields of entities: one call with one batch of representations per alias. */
export interface EntityFetch extends Fetch {
  kind: 'EntityFetch';
  batches: EntityBatch[];
}

export interface EntityBatch {
  /** The response key of its `_entities` field. */
  alias: string;
  /** The variable of its representations. */
  variable: string;
  /** Where the entities are. */
  paths: Path[];
  /** What of an entity makes its representation. */
  requires: RequiredSelection[];
  inputRewrites: Rewrite[];
  outputRewrites: Rewrite[];
}

/** From the operation's root: response keys, every item of a list, or only objects of some types. */
export type Path = PathSegment[];
export type PathSegment = string | EachItem | OnTypes;
/** Steps into every item of a list. */
export type EachItem = '@';
export interface OnTypes {
  onTypes: string[];
}

export type RequiredSelection =
  | { kind: 'Field'; name: string; selections?: RequiredSelection[] }
  | { kind: 'InlineFragment'; onType: string | undefined; selections: RequiredSelection[] };

/** A change of fetched data or of a representation: `path` ends with the key that is set or renamed. */
export type Rewrite =
  | { kind: 'SetValue'; path: RewritePath; value: unknown }
  | { kind: 'RenameKey'; path: RewritePath; to: string };
/** Keys, and type conditions on the object at hand; lists are stepped into. */
export type RewritePath = (string | OnTypes)[];

/** Plans operations against one supergraph. */
export interface Planner {
  readonly name: 'native' | 'apollo';
  /**
   * Never blocks the event loop.
   * @param source one valid operation document without introspection fields
   * @param override progressive overrides, `@override(label: "percent(N)")`, are in force where N is greater
   * @param needsTypes whether selections hang on what an interface object really is
   * @throws where the planner cannot plan it
   */
  plan(source: string, operationName: string | undefined, override: number, needsTypes?: boolean): Promise<QueryPlan>;
}
