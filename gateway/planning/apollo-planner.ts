/** Apollo's query planner, as a Planner. */
import type {
  FetchNode as ApolloFetch,
  PlanNode as ApolloNode,
  FetchDataRewrite,
  QueryPlanSelectionNode,
  SubscriptionNode,
} from '@apollo/query-planner';
import type { FetchNode, Path, PlanNode, Planner, QueryPlan, RequiredSelection, Rewrite, RewritePath } from './plan.js';
import type { PlanningProcess } from './planning-process.js';

/** Asks Apollo's planner of a planning process. */
export function createApolloPlanner(planning: PlanningProcess): Planner {
  return {
    name: 'apollo',
    plan: async (source, operationName, override) =>
      toPlan(await planning.plan('apollo', source, operationName, override)),
  };
}

function toPlan(node: ApolloNode | SubscriptionNode | undefined): QueryPlan {
  if (node?.kind !== 'Subscription') return { node: node && toNode(node, []) };
  const subscription = toFetch(node.primary, []);
  if (subscription.kind !== 'RootFetch') throw new Error('A subscription opens with a field of the root.');
  return { subscription, node: node.rest && toNode(node.rest, []) };
}

function toNode(node: ApolloNode, path: Path): PlanNode {
  switch (node.kind) {
    case 'Sequence':
    case 'Parallel':
      return { kind: node.kind, nodes: node.nodes.map((child) => toNode(child, path)) };
    case 'Flatten':
      return toNode(node.node, [...path, ...node.path.map(String)]);
    case 'Fetch':
      return toFetch(node, path);
    default:
      throw new Error(`The plan has a node of the kind ${node.kind}, which is not executed here.`);
  }
}

function toFetch(node: ApolloFetch, path: Path): FetchNode {
  if (node.contextRewrites?.length) throw new Error('@fromContext is not executed here.');
  const common = {
    subgraph: node.serviceName,
    // Apollo names each fetch after its place in the plan; without the name equal selections are equal texts.
    operation: node.operation.replace(/^(query|mutation|subscription)\s+\w+/, '$1'),
    operationKind: node.operationKind,
    variableUsages: node.variableUsages ?? [],
  };
  const outputRewrites = node.outputRewrites?.map(toRewrite) ?? [];
  if (!node.requires) return { kind: 'RootFetch', ...common, path, outputRewrites };
  return {
    kind: 'EntityFetch',
    ...common,
    batches: [
      {
        alias: '_entities',
        variable: 'representations',
        paths: [path],
        requires: node.requires.map(toRequired),
        inputRewrites: node.inputRewrites?.map(toRewrite) ?? [],
        outputRewrites,
      },
    ],
  };
}

/** The data has a required field under its response name, and the subgraph gets it under the same. */
function toRequired(selection: QueryPlanSelectionNode): RequiredSelection {
  const selections = selection.selections?.map(toRequired);
  return selection.kind === 'Field'
    ? { kind: 'Field', name: selection.alias ?? selection.name, ...(selections ? { selections } : {}) }
    : { kind: 'InlineFragment', onType: selection.typeCondition, selections: selections ?? [] };
}

const toRewrite = (rewrite: FetchDataRewrite): Rewrite =>
  rewrite.kind === 'ValueSetter'
    ? { kind: 'SetValue', path: toRewritePath(rewrite.path), value: rewrite.setValueTo }
    : { kind: 'RenameKey', path: toRewritePath(rewrite.path), to: rewrite.renameKeyTo };

const toRewritePath = (path: string[]): RewritePath =>
  path.map((segment) => (segment.startsWith('... on ') ? { onTypes: [segment.slice('... on '.length)] } : segment));
