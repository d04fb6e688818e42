/** Runs the fetches of a plan: compiled once per operation, they write what subgraphs answer into one growing tree. */
import type { GraphQLFormattedError } from 'graphql';
import type { RequestContext } from '../context.js';
import { combineCacheControl } from '../http/caching.js';
import {
  type EntityBatch,
  type EntityFetch,
  type FetchNode,
  fetchesOf,
  type PlanNode,
  type RootFetch,
} from '../planning/plan.js';
import { rootKeys } from '../planning/root-fields.js';
import type { FetchOperation, Source, SubgraphAnswer, SubgraphError, Variables } from '../sources/source.js';
import type { CoercedVariables } from './compiled-operation.js';
import { toClientError } from './errors.js';
import { cloneJson, mergeInto } from './merge.js';
import { type CompiledPath, compilePath, type JsonObject, type ResponsePath } from './paths.js';
import { compileRepresentation, type MakeRepresentation } from './representations.js';
import { compilePathRenames, compileRewrites } from './rewrites.js';
import type { TypeMatcher } from './type-matcher.js';

/** One run of an operation. */
export interface Execution {
  data: JsonObject;
  errors: GraphQLFormattedError[];
  variables: CoercedVariables;
  context: RequestContext;
  /** What may be cached of the answers so far; null where nothing may, undefined before the first. */
  cacheControl: string | null | undefined;
  /** Where a subgraph answered null for what its errors made so. */
  nulled: ResponsePath[];
  /** Answers to texts that the plan sends more than once. */
  repeated: Map<string, SubgraphAnswer | Promise<SubgraphAnswer>> | undefined;
}

/** Does its part; answers a promise only where something has to be waited for. */
export type Step = (execution: Execution) => void | Promise<void>;

const nothing: Step = () => undefined;

export interface PlanCompiler {
  source(subgraph: string): Source;
  matcher: TypeMatcher;
  /** The client's path for one of the data, as far as the client selects it. */
  responsePathOf(path: ResponsePath): ResponsePath;
  /** Whether it is the name of an interface. */
  isInterface(typeName: unknown): boolean;
}

export function compilePlan(node: PlanNode | undefined, compiler: PlanCompiler): Step {
  if (!node) return nothing;
  const fetches = fetchesOf(node);
  const compile = (child: PlanNode): Step => {
    switch (child.kind) {
      case 'Sequence':
        return inSequence(child.nodes.map(compile));
      case 'Parallel':
        return inParallel(child.nodes.map(compile));
      case 'RootFetch':
        return compileRootFetch(child, compiler, callOf(child, compiler, fetches));
      case 'EntityFetch':
        return compileEntityFetch(child, compiler, callOf(child, compiler, fetches), fetches);
    }
  };
  return compile(node);
}

function inSequence(steps: Step[]): Step {
  const runFrom = (execution: Execution, first: number): void | Promise<void> => {
    for (let index = first; index < steps.length; index += 1) {
      const pending = steps[index]!(execution);
      if (pending) return pending.then(() => runFrom(execution, index + 1));
    }
  };
  return (execution) => runFrom(execution, 0);
}

function inParallel(steps: Step[]): Step {
  return (execution) => {
    let pending: Promise<void>[] | undefined;
    for (const step of steps) {
      const promise = step(execution);
      if (promise) {
        pending ??= [];
        pending.push(promise);
      }
    }
    return pending && (pending.length === 1 ? pending[0] : (Promise.all(pending) as unknown as Promise<void>));
  };
}

/** The variables that a fetch uses, as the client wrote them. */
export function pickVariables(usages: readonly string[]): (variables: CoercedVariables) => Variables | undefined {
  if (usages.length === 0) return () => undefined;
  return ({ raw }) => {
    const picked: Variables = {};
    for (const name of usages) if (raw[name] !== undefined) picked[name] = raw[name];
    return picked;
  };
}

type Call = (execution: Execution, variables: Variables | undefined) => SubgraphAnswer | Promise<SubgraphAnswer>;

/**
 * Calls the subgraph; a query that stands in the plan more than once is sent once for equal variables, and again after
 * every mutation.
 */
function callOf(node: FetchNode, { source }: PlanCompiler, all: FetchNode[]): Call {
  const { subgraph, operation: text, operationKind } = node;
  const operation: FetchOperation = { text, kind: operationKind };
  const target = source(subgraph);
  const send: Call = ({ context }, variables) => target.execute(operation, variables, context);
  if (operationKind === 'mutation') {
    return (execution, variables) => {
      execution.repeated = undefined;
      return send(execution, variables);
    };
  }
  const equal = all.filter((other) => other.subgraph === subgraph && other.operation === text);
  if (equal.length < 2) return send;
  return (execution, variables) => {
    const key = `${subgraph}\n${text}\n${JSON.stringify(variables)}`;
    execution.repeated ??= new Map();
    const known = execution.repeated.get(key);
    // Each position writes into what it gets, so each gets its own.
    if (known) return known instanceof Promise ? known.then(cloneJson) : cloneJson(known);
    const sent = send(execution, variables);
    // The first one's answer is copied before anybody writes into it.
    const original = sent instanceof Promise ? sent.then(cloneJson) : cloneJson(sent);
    execution.repeated.set(key, original);
    return sent;
  };
}

function settle(
  answer: SubgraphAnswer | Promise<SubgraphAnswer>,
  execution: Execution,
  write: (answer: SubgraphAnswer) => void,
) {
  const take = (settled: SubgraphAnswer) => {
    noteCacheControl(execution, settled.cacheControl);
    write(settled);
  };
  return answer instanceof Promise ? answer.then(take) : take(answer);
}

function noteCacheControl(execution: Execution, given: string | undefined): void {
  const { cacheControl } = execution;
  if (given === undefined || cacheControl === null) execution.cacheControl = null;
  else execution.cacheControl = cacheControl === undefined ? given : (combineCacheControl(cacheControl, given) ?? null);
}

function compileRootFetch(node: RootFetch, compiler: PlanCompiler, call: Call): Step {
  const { matcher } = compiler;
  const variablesOf = pickVariables(node.variableUsages);
  const receive = compileRootAnswer(node, compiler);
  const path = node.path.length > 0 ? compilePath(node.path, matcher) : undefined;
  return (execution) => {
    const targets: JsonObject[] = [];
    if (path) {
      path.collect(execution.data, (target) => targets.push(target));
      if (targets.length === 0) return;
    } else targets.push(execution.data);
    return settle(call(execution, variablesOf(execution.variables)), execution, (answer) => {
      receive(answer, targets, execution, path?.prefix ?? []);
    });
  };
}

/** Writes the answer to a fetch of root fields into its targets. */
export function compileRootAnswer(
  node: RootFetch,
  { matcher, responsePathOf }: PlanCompiler,
): (answer: SubgraphAnswer, targets: JsonObject[], execution: Execution, prefix: ResponsePath) => void {
  const rewrite = compileRewrites(node.outputRewrites, matcher);
  const rename = compilePathRenames(node.outputRewrites);
  const keys = rootKeys(node.operation);
  return ({ data, errors }, targets, execution, prefix) => {
    for (const error of errors ?? []) {
      // An error of the whole fetch is one of every field that it left without an answer.
      const unanswered = () => keys.filter((key) => data?.[key] === undefined).map((key) => rename([key]));
      const paths = error.path?.length ? [rename([...error.path])] : unanswered();
      for (const path of paths.length > 0 ? paths : [[]]) {
        execution.errors.push(toClientError(error, responsePathOf([...prefix, ...path])));
      }
    }
    if (!data) {
      for (const key of keys) execution.nulled.push(responsePathOf([...prefix, ...rename([key])]));
      return;
    }
    rewrite?.(data);
    for (const [index, target] of targets.entries()) mergeInto(target, index === 0 ? data : cloneJson(data));
  };
}

interface CompiledBatch {
  alias: string;
  variable: string;
  paths: CompiledPath[];
  represent: MakeRepresentation;
  rewriteInput: ((value: unknown) => void) | undefined;
  rewriteOutput: ((value: unknown) => void) | undefined;
  rename: (path: ResponsePath) => ResponsePath;
  /** Whether equal entities at several places may hold the same objects: nothing is written below them later. */
  sharesObjects: boolean;
}

/** The objects that each representation stands for, in the order of the representations. */
type Targets = JsonObject[][];

function compileEntityFetch(node: EntityFetch, compiler: PlanCompiler, call: Call, all: FetchNode[]): Step {
  const { matcher } = compiler;
  const batches = node.batches.map((batch) => compileBatch(batch, matcher, all));
  const variablesOf = pickVariables(node.variableUsages);
  return (execution) => {
    const variables: Variables = variablesOf(execution.variables) ?? {};
    let count = 0;
    const targets = batches.map((batch) => {
      const { representations, targetsOf } = representationsOf(batch, execution);
      variables[batch.variable] = representations;
      count += representations.length;
      return targetsOf;
    });
    if (count === 0) return;
    return settle(call(execution, variables), execution, (answer) => {
      writeEntities(batches, targets, answer, execution, compiler);
    });
  };
}

function compileBatch(batch: EntityBatch, matcher: TypeMatcher, all: FetchNode[]): CompiledBatch {
  const others = all.flatMap((node) =>
    node.kind === 'RootFetch' ? [node.path] : node.batches.flatMap(({ paths }) => paths),
  );
  const keysOf = (path: (typeof others)[number]) =>
    path.filter((segment) => typeof segment === 'string' && segment !== '@').join('/');
  const own = batch.paths.map(keysOf);
  const reachInto = others.map(keysOf).filter((path) => own.some((mine) => `${path}/`.startsWith(`${mine}/`)));
  return {
    alias: batch.alias,
    variable: batch.variable,
    paths: batch.paths.map((path) => compilePath(path, matcher)),
    represent: compileRepresentation(batch.requires, matcher),
    rewriteInput: compileRewrites(batch.inputRewrites, matcher),
    rewriteOutput: compileRewrites(batch.outputRewrites, matcher),
    rename: compilePathRenames(batch.outputRewrites),
    sharesObjects: reachInto.length <= own.length,
  };
}

function representationsOf({ paths, represent, rewriteInput }: CompiledBatch, execution: Execution) {
  const representations: JsonObject[] = [];
  const targetsOf: Targets = [];
  const positions = new Map<string, number>();
  const take = (target: JsonObject) => {
    const representation = represent(target);
    if (!representation) return;
    rewriteInput?.(representation);
    const key = keyOf(representation);
    const position = positions.get(key);
    if (position !== undefined) {
      targetsOf[position]!.push(target);
      return;
    }
    positions.set(key, representations.length);
    representations.push(representation);
    targetsOf.push([target]);
  };
  for (const path of paths) path.collect(execution.data, take);
  return { representations, targetsOf };
}

/** Equal for equal representations of one batch alone: their values in order, each told apart from its neighbours. */
function keyOf(representation: JsonObject): string {
  let key = '';
  for (const name in representation) {
    const value = representation[name];
    key += typeof value === 'string' ? `${value.length}:${value}` : `${JSON.stringify(value)};`;
  }
  return key;
}

function writeEntities(
  batches: CompiledBatch[],
  targets: Targets[],
  { data, errors }: SubgraphAnswer,
  execution: Execution,
  compiler: PlanCompiler,
): void {
  if (errors?.length) reportErrors(batches, targets, errors, execution, compiler);
  for (const [index, batch] of batches.entries()) {
    const targetsOf = targets[index]!;
    const entities = data?.[batch.alias];
    if (targetsOf.length === 0 || (errors?.length && (entities === null || entities === undefined))) continue;
    if (!Array.isArray(entities) || entities.length !== targetsOf.length) {
      const message = 'A part of the graph answered another number of entities than it was asked for.';
      const error = { message, extensions: { code: 'SUBGRAPH_INVALID_ANSWER' } };
      reportErrors([batch], [targetsOf], [error], execution, compiler);
      continue;
    }
    for (const [position, entity] of entities.entries()) {
      if (entity === null || typeof entity !== 'object') continue;
      batch.rewriteOutput?.(entity);
      // A subgraph with an interface object calls it by the interface; what the entity is stands in the data already.
      if (compiler.isInterface((entity as JsonObject).__typename)) delete (entity as JsonObject).__typename;
      const [first, ...more] = targetsOf[position]!;
      for (const target of more) mergeInto(target, batch.sharesObjects ? entity : cloneJson(entity));
      mergeInto(first!, entity);
    }
  }
}

/** Gives each error the path of every position that its entity stands at; one without a position that of the whole batch. */
function reportErrors(
  batches: CompiledBatch[],
  targets: Targets[],
  errors: readonly SubgraphError[],
  execution: Execution,
  { responsePathOf }: PlanCompiler,
): void {
  const report = (error: SubgraphError, path: ResponsePath) =>
    execution.errors.push(toClientError(error, responsePathOf(path)));
  const located = new Map<CompiledBatch, Map<JsonObject, ResponsePath[]>>();
  for (const error of errors) {
    const [alias, position, ...rest] = error.path ?? [];
    const index = batches.findIndex((batch) => batch.alias === alias);
    const batch = batches[index];
    const entityTargets = batch && typeof position === 'number' ? targets[index]?.[position] : undefined;
    if (!batch || !entityTargets) {
      const paths = (batch ? [batch] : batches).flatMap((each) => each.paths.map(({ prefix }) => prefix));
      const distinct = new Map(paths.map((path) => [path.join('\n'), path]));
      for (const path of distinct.values()) report(error, path);
      continue;
    }
    let places = located.get(batch);
    if (!places) {
      places = new Map();
      for (const { target, path } of batch.paths.flatMap((each) => each.locate(execution.data))) {
        places.set(target, [...(places.get(target) ?? []), path]);
      }
      located.set(batch, places);
    }
    const relative = batch.rename(rest);
    for (const target of new Set(entityTargets)) {
      for (const path of places.get(target) ?? []) report(error, [...path, ...relative]);
    }
  }
}
