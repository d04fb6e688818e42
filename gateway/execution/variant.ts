/** An operation with its conditions decided: its plan, its fetches and the shape of its answer. */
import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  isInterfaceType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
} from 'graphql';
import type { RequestContext } from '../context.js';
import type { Planner, QueryPlan } from '../planning/plan.js';
import type { Source } from '../sources/source.js';
import type { CoercedVariables, OperationResult, PlannedSubscription } from './compiled-operation.js';
import { answeredErrors } from './errors.js';
import { compilePlan, compileRootAnswer, type Execution, pickVariables } from './fetches.js';
import { compileIntrospection } from './introspection.js';
import { hangsOnTypes, narrowOperation } from './narrow.js';
import { normalizeOperation } from './normalize.js';
import { compileShape } from './shape.js';
import type { TypeMatcher } from './type-matcher.js';

export interface VariantTarget {
  apiSchema: GraphQLSchema;
  planner: Planner;
  matcher: TypeMatcher;
  /** The interfaces that some subgraph has as an object (@interfaceObject). */
  interfaceObjects: ReadonlySet<string>;
  /** The names of fields that take arguments. */
  fieldsWithArguments: ReadonlySet<string>;
  /** @throws where the supergraph names no such subgraph */
  source(subgraph: string): Source;
}

export interface Variant {
  execute(variables: CoercedVariables, context: RequestContext): Promise<OperationResult>;
  subscription: PlannedSubscription | undefined;
}

interface VariantOptions {
  document: DocumentNode;
  operation: OperationDefinitionNode;
  text: string;
  override: number;
  /** The variables of conditions that are true. */
  met: ReadonlySet<string>;
}

/** @throws a GraphQLError that tells why it cannot be planned */
export async function compileVariant(target: VariantTarget, options: VariantOptions): Promise<Variant> {
  const { apiSchema } = target;
  const { document, text, override, met } = options;
  const operation = narrowOperation(apiSchema, document, options.operation, met);
  const normalized = normalizeOperation(operation, text, target.fieldsWithArguments);
  const plan = await planOperation(target, normalized.text, operation, override);
  const compiler = {
    ...target,
    responsePathOf: normalized.responsePathOf,
    isInterface: (name: unknown) => isInterfaceType(apiSchema.getType(String(name))),
  };
  const fetchAll = compilePlan(plan.node, compiler);
  const shape = compileShape(apiSchema, operation, normalized.dataKeyOf);
  const introspect = compileIntrospection(apiSchema, document, operation);

  const newExecution = (variables: CoercedVariables, context: RequestContext): Execution => ({
    data: introspect ? { ...introspect(variables.raw) } : {},
    errors: [],
    variables,
    context,
    cacheControl: undefined,
    nulled: [],
    repeated: undefined,
  });
  const finish = ({ data, errors, cacheControl, nulled }: Execution): OperationResult => {
    const shaped = shape(data);
    if (errors.length > 0 || shaped.faults) {
      const told = answeredErrors(errors, shaped.faults ?? [], nulled, shaped.data);
      return told.length > 0 ? { errors: told, data: shaped.data } : { data: shaped.data };
    }
    return cacheControl && operation.operation === 'query'
      ? { data: shaped.data, cacheControl }
      : { data: shaped.data };
  };
  const run = async (execution: Execution): Promise<OperationResult> => {
    const pending = fetchAll(execution);
    if (pending) await pending;
    return finish(execution);
  };
  return {
    execute: (variables, context) => run(newExecution(variables, context)),
    subscription: planned(),
  };

  function planned(): PlannedSubscription | undefined {
    const { subscription } = plan;
    if (!subscription) return undefined;
    const receive = compileRootAnswer(subscription, compiler);
    return {
      upstream: {
        source: target.source(subscription.subgraph),
        operation: { text: subscription.operation, kind: 'subscription' },
        variables: pickVariables(subscription.variableUsages),
      },
      resolveEvent: (event, variables, context) => {
        const execution = newExecution(variables, context);
        receive(event, [execution.data], execution, []);
        return run(execution);
      },
    };
  }
}

/** How long a request waits for its plan; the planner may go on, for those who ask again. */
const planTimeoutMs = 8_000;

/** Undefined where the time is over. */
async function inTime(plan: Promise<QueryPlan>): Promise<QueryPlan | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, planTimeoutMs, undefined);
  });
  return Promise.race([plan, late]).finally(() => clearTimeout(timer));
}

async function planOperation(
  { planner, apiSchema, interfaceObjects }: VariantTarget,
  text: string,
  operation: OperationDefinitionNode,
  override: number,
): Promise<QueryPlan> {
  const kind = operation.operation;
  const isMeta = (node: SelectionNode) => node.kind === Kind.FIELD && node.name.value.startsWith('__');
  const isEmpty = operation.selectionSet.selections.every(isMeta);
  if (isEmpty && kind !== 'subscription') return { node: undefined };
  const refuse = (why: string, originalError?: unknown): never => {
    throw new GraphQLError(why, {
      originalError: originalError as Error,
      extensions: { code: 'OPERATION_NOT_PLANNABLE' },
    });
  };
  if (isEmpty) refuse('This subscription has no root field left: its conditions leave it out.');
  try {
    const needsTypes = hangsOnTypes(apiSchema, operation, interfaceObjects);
    const plan = await inTime(planner.plan(text, operation.name?.value, override, needsTypes));
    if (!plan) return refuse(`This ${kind} was not planned within ${planTimeoutMs / 1000} s. Ask for less at once.`);
    if ((kind === 'subscription') === (plan.subscription !== undefined)) return plan;
  } catch (error) {
    return refuse(`This ${kind} cannot be planned over the subgraphs.`, error);
  }
  return refuse(`This ${kind} cannot be planned over the subgraphs.`);
}
