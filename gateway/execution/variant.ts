/** An operation with its conditions and its caller's rights decided: its plan, its fetches and the shape of its answer. */
import {
  type DocumentNode,
  GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
  getNamedType,
  isInterfaceType,
  Kind,
  type OperationDefinitionNode,
} from 'graphql';
import type { AccessRule, AccessRules } from '../../platform/graphql/access-rules.js';
import type { Identity } from '../../platform/identity.js';
import { orLate } from '../../platform/within.js';
import type { RequestContext } from '../context.js';
import { combineCacheControl } from '../http/caching.js';
import type { Planner, QueryPlan } from '../planning/plan.js';
import type { Source } from '../sources/source.js';
import type { CoercedVariables, OperationResult, PlannedSubscription } from './compiled-operation.js';
import { answeredErrors, deniedErrors } from './errors.js';
import { compilePlan, compileRootAnswer, type Execution, pickVariables } from './fetches.js';
import { compileIntrospection } from './introspection.js';
import { hangsOnTypes, narrowOperation } from './narrow.js';
import { normalizeOperation } from './normalize.js';
import { compileShape, type DeniedBy } from './shape.js';
import type { TypeMatcher } from './type-matcher.js';

export interface VariantTarget {
  apiSchema: GraphQLSchema;
  /** Who may ask for what. */
  rules: AccessRules;
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
  /** Undefined for other operations, and for a subscription that is denied. */
  subscription: PlannedSubscription | undefined;
  /** Why an operation of which everything is denied is refused. */
  refusal(identity: Identity | undefined): GraphQLFormattedError[];
}

interface VariantOptions {
  document: DocumentNode;
  operation: OperationDefinitionNode;
  text: string;
  override: number;
  /** The variables of conditions that are true. */
  met: ReadonlySet<string>;
  /** Whether anything in the operation has a rule of access. */
  ruled: boolean;
  /** The rules that the caller does not meet. */
  denied: ReadonlySet<AccessRule>;
}

/** A limit that only keeps answers to their caller. */
const callersOwn = `max-age=${2 ** 31 - 1}, private`;

/** @throws a GraphQLError that tells why it cannot be planned */
export async function compileVariant(target: VariantTarget, options: VariantOptions): Promise<Variant> {
  const { apiSchema } = target;
  const { document, text, override, met, ruled, denied } = options;
  const deniedBy: DeniedBy = (type, fieldName) => {
    const field = denied.size > 0 && type.getFields()[fieldName];
    const rule = field ? target.rules.ruleOf(type.name, fieldName, getNamedType(field.type).name) : undefined;
    return rule && denied.has(rule) ? rule : undefined;
  };
  // What is denied has its place in the answer, and none in the plan.
  const operation = narrowOperation(apiSchema, document, options.operation, met);
  const isDenied = (...field: Parameters<DeniedBy>) => deniedBy(...field) !== undefined;
  const allowed = denied.size > 0 ? narrowOperation(apiSchema, document, options.operation, met, isDenied) : operation;
  const normalized = normalizeOperation(allowed, text, target.fieldsWithArguments);
  const plan =
    isEmpty(allowed) && !isEmpty(operation)
      ? { node: undefined }
      : await planOperation(target, normalized.text, allowed, override);
  const compiler = {
    ...target,
    responsePathOf: normalized.responsePathOf,
    isInterface: (name: unknown) => isInterfaceType(apiSchema.getType(String(name))),
  };
  const fetchAll = compilePlan(plan.node, compiler);
  const shape = compileShape(apiSchema, operation, normalized.dataKeyOf, deniedBy);
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
  const finish = ({ data: fetched, errors, cacheControl, nulled, context }: Execution): OperationResult => {
    const { data, faults, denials } = shape(fetched);
    if (errors.length > 0 || faults || denials) {
      const told = answeredErrors({ errors, faults, denials, nulled, identity: context.identity }, data);
      return told.length > 0 ? { errors: told, data } : { data };
    }
    if (!cacheControl || operation.operation !== 'query' || denied.size > 0) return { data };
    const kept = ruled ? combineCacheControl(cacheControl, callersOwn) : cacheControl;
    return kept === undefined ? { data } : { data, cacheControl: kept };
  };
  const run = async (execution: Execution): Promise<OperationResult> => {
    const pending = fetchAll(execution);
    if (pending) await pending;
    return finish(execution);
  };
  return {
    execute: (variables, context) => run(newExecution(variables, context)),
    subscription: planned(),
    refusal: (identity) => deniedErrors(shape({}).denials ?? [], identity),
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

/** Whether nothing of it has to be fetched: introspection and `__typename` alone. */
const isEmpty = ({ selectionSet }: OperationDefinitionNode): boolean =>
  selectionSet.selections.every((node) => node.kind === Kind.FIELD && node.name.value.startsWith('__'));

async function planOperation(
  { planner, apiSchema, interfaceObjects }: VariantTarget,
  text: string,
  operation: OperationDefinitionNode,
  override: number,
): Promise<QueryPlan> {
  const kind = operation.operation;
  if (isEmpty(operation) && kind !== 'subscription') return { node: undefined };
  const refuse = (why: string, originalError?: unknown): never => {
    throw new GraphQLError(why, {
      originalError: originalError as Error,
      extensions: { code: 'OPERATION_NOT_PLANNABLE' },
    });
  };
  if (isEmpty(operation)) refuse('This subscription has no root field left: its conditions leave it out.');
  try {
    const needsTypes = hangsOnTypes(apiSchema, operation, interfaceObjects);
    const planned: Promise<QueryPlan | undefined> = planner.plan(text, operation.name?.value, override, needsTypes);
    const plan = await orLate(planTimeoutMs, planned, () => undefined);
    if (!plan) return refuse(`This ${kind} was not planned within ${planTimeoutMs / 1000} s. Ask for less at once.`);
    if ((kind === 'subscription') === (plan.subscription !== undefined)) return plan;
  } catch (error) {
    return refuse(`This ${kind} cannot be planned over the subgraphs.`, error);
  }
  return refuse(`This ${kind} cannot be planned over the subgraphs.`);
}
