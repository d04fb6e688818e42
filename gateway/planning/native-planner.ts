/** Hive Router's query planner (Rust, MIT), as a Planner. */
import type {
  EntityBatchAlias,
  FetchNode as HiveFetch,
  PlanNode as HiveNode,
  FetchRewrite as HiveRewrite,
  FlattenNodePathSegment as HiveSegment,
  RequiresSelection as HiveSelection,
} from '@graphql-hive/router-query-planner';
import {
  type EntityBatch,
  type FetchNode,
  fetchesOf,
  type Path,
  type PlanNode,
  type Planner,
  type QueryPlan,
  type RequiredSelection,
  type Rewrite,
} from './plan.js';
import type { PlanningProcess } from './planning-process.js';
import { onlyRootFields, rootKeys } from './root-fields.js';

/** Asks the native planner of a planning process. */
export function createNativePlanner(planning: PlanningProcess): Planner {
  const plan: Planner['plan'] = async (source, operationName, override) =>
    toPlan(await planning.plan('native', source, operationName, override));
  return {
    name: 'native',
    plan: async (source, operationName, override) => {
      const whole = await plan(source, operationName, override);
      const mutations = fetchesOf(whole.node).filter(({ operationKind }) => operationKind === 'mutation');
      if (mutations.length < 2) return whole;
      // Hive reads what a mutation's fields bring beside the next subgraph's mutation, or behind it: each is planned alone.
      const parts = await Promise.all(
        mutations.map(({ operation }) => plan(onlyRootFields(source, rootKeys(operation)), operationName, override)),
      );
      return { node: { kind: 'Sequence', nodes: parts.flatMap(({ node }) => node ?? []) } };
    },
  };
}

/** Hive plans a subscription as its opening fetch, followed by what completes the event. */
function toPlan(node: HiveNode | undefined): QueryPlan {
  const [first, ...rest] = node?.kind === 'Sequence' ? node.nodes : [node];
  if (first?.kind !== 'Subscription') return { node: node && toNode(node, []) };
  const subscription = toFetch(first.primary, []);
  if (subscription.kind !== 'RootFetch') throw new Error('A subscription opens with a field of the root.');
  return {
    subscription,
    node: rest.length > 0 ? toNode({ kind: 'Sequence', nodes: rest as HiveNode[] }, []) : undefined,
  };
}

function toNode(node: HiveNode, path: Path): PlanNode {
  switch (node.kind) {
    case 'Sequence':
    case 'Parallel':
      return { kind: node.kind, nodes: node.nodes.map((child) => toNode(child, path)) };
    case 'Flatten':
      return toNode(node.node, [...path, ...toPath(node.path)]);
    case 'Fetch':
      return toFetch(node, path);
    case 'BatchFetch':
      return {
        kind: 'EntityFetch',
        ...common(node),
        batches: node.entityBatch.aliases.map((batch) => toBatch(batch, path)),
      };
    default:
      throw new Error(`The plan has a node of the kind ${node.kind}, which is not executed here.`);
  }
}

const common = ({ serviceName, operation, operationKind, variableUsages }: Omit<HiveFetch, 'kind'>) => ({
  subgraph: serviceName,
  operation,
  operationKind: operationKind ?? 'query',
  variableUsages: variableUsages ?? [],
});

function toFetch(node: HiveFetch, path: Path): FetchNode {
  const outputRewrites = toRewrites(node.outputRewrites);
  if (!node.requires) return { kind: 'RootFetch', ...common(node), path, outputRewrites };
  const { selections, renames } = toRequired(node.requires);
  const batch: EntityBatch = {
    alias: '_entities',
    variable: 'representations',
    paths: [path],
    requires: selections,
    inputRewrites: [...renames, ...toRewrites(node.inputRewrites)],
    outputRewrites,
  };
  return { kind: 'EntityFetch', ...common(node), batches: [batch] };
}

function toBatch(batch: EntityBatchAlias, path: Path): EntityBatch {
  const { selections, renames } = toRequired(batch.requires);
  return {
    alias: batch.alias,
    variable: batch.representationsVariableName,
    paths: batch.paths.map((segments) => [...path, ...toPath(segments)]),
    requires: selections,
    inputRewrites: [...renames, ...toRewrites(batch.inputRewrites)],
    outputRewrites: toRewrites(batch.outputRewrites),
  };
}

const toPath = (segments: HiveSegment[]): Path =>
  segments.map((segment) =>
    segment === '@' ? '@' : 'Field' in segment ? segment.Field : { onTypes: segment.TypeCondition },
  );

/**
 * What a representation is made of. Where an alias is given, the data has the value under `name` and the subgraph wants
 * it under the alias: that becomes a rename of the representation's key, done before a rewrite changes its `__typename`.
 */
function toRequired(hive: HiveSelection[]): { selections: RequiredSelection[]; renames: Rewrite[] } {
  const renames: Rewrite[] = [];
  const convert = (list: HiveSelection[], path: Rewrite['path']): RequiredSelection[] =>
    list.map((selection) => {
      switch (selection.kind) {
        case 'InlineFragment': {
          const { typeCondition } = selection;
          return {
            kind: 'InlineFragment',
            onType: typeCondition,
            selections: convert(selection.selections, [...path, { onTypes: [typeCondition] }]),
          };
        }
        case 'Field': {
          const { name, alias, selections } = selection;
          const below = selections?.length ? convert(selections, [...path, name]) : undefined;
          if (alias && alias !== name) renames.push({ kind: 'RenameKey', path: [...path, name], to: alias });
          return { kind: 'Field', name, ...(below ? { selections: below } : {}) };
        }
        default:
          throw new Error(`The plan requires a ${selection.kind}, which is not executed here.`);
      }
    });
  return { selections: convert(hive, []), renames };
}

const toRewrites = (rewrites: HiveRewrite[] | undefined): Rewrite[] => rewrites?.map(toRewrite) ?? [];

function toRewrite(rewrite: HiveRewrite): Rewrite {
  const path = (segments: ({ Key: string } | { TypenameEquals: string[] })[]) =>
    segments.map((segment) => ('Key' in segment ? segment.Key : { onTypes: segment.TypenameEquals }));
  if ('KeyRenamer' in rewrite) {
    return { kind: 'RenameKey', path: path(rewrite.KeyRenamer.path), to: rewrite.KeyRenamer.renameKeyTo };
  }
  const setter = 'ValueSetter' in rewrite ? rewrite.ValueSetter : rewrite;
  return { kind: 'SetValue', path: path(setter.path), value: setter.setValueTo };
}
