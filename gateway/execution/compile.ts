/** Compiles a valid operation: its plan, its fetches and the shape of its answer. */
import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  valueFromASTUntyped,
  visit,
} from 'graphql';
import type { Planner } from '../planning/plan.js';
import type { Source, Variables } from '../sources/source.js';
import type { CoercedVariables, CompiledOperation, OperationResult } from './compiled-operation.js';
import { unexplained } from './errors.js';
import { compilePlan, compileRootAnswer, type Execution, pickVariables } from './fetches.js';
import { compileIntrospection, mentionsIntrospection } from './introspection.js';
import { normalizeOperation } from './normalize.js';
import { compileShape } from './shape.js';
import type { TypeMatcher } from './type-matcher.js';

/** What of a supergraph operations are compiled against. */
export interface CompilationTarget {
  apiSchema: GraphQLSchema;
  planner: Planner;
  matcher: TypeMatcher;
  /** @throws where the supergraph names no such subgraph */
  source(subgraph: string): Source;
  /** The cost by @cost and @listSize as a function of the variables. */
  compileCost(document: DocumentNode, operation: OperationDefinitionNode): (variables: Variables) => number;
}

/**
 * @param document passes the validation of the API schema
 * @param text its text, as the client wrote it
 * @param override see `Planner.plan`
 * @throws a GraphQLError that tells why it cannot be planned
 */
export async function compileOperation(
  target: CompilationTarget,
  document: DocumentNode,
  text: string,
  operationName: string | undefined,
  override: number,
): Promise<CompiledOperation> {
  const { apiSchema } = target;
  const operation = getOperationAST(document, operationName);
  if (!operation) throw new GraphQLError('The operation to run is not named, or not in the document.');
  refuseReservedAlias(document);
  const normalized = normalizeOperation(document, text);
  const plan = await planOperation(target, normalized.text, operation, override);
  const compiler = { ...target, responseKeyOf: normalized.responseKeyOf };
  const execute = compilePlan(plan.node, compiler);
  const shape = compileShape(apiSchema, document, operation, normalized.dataKeyOf);
  const introspect = mentionsIntrospection(text) ? compileIntrospection(apiSchema, document, operation) : undefined;

  const newExecution = (variables: CoercedVariables, context: Execution['context']): Execution => ({
    data: introspect ? { ...introspect(variables.coerced) } : {},
    errors: [],
    variables,
    context,
    cacheControl: undefined,
    nulled: [],
    repeated: undefined,
  });
  const finish = ({ data, errors, variables, cacheControl, nulled }: Execution): OperationResult => {
    const shaped = shape(data, variables.coerced);
    const all = shaped.faults ? [...errors, ...unexplained(shaped.faults, errors, nulled)] : errors;
    return {
      ...(all.length > 0 ? { errors: all } : {}),
      data: shaped.data,
      ...(cacheControl && all.length === 0 ? { cacheControl } : {}),
    };
  };
  const run = async (execution: Execution): Promise<OperationResult> => {
    await execute(execution);
    return finish(execution);
  };

  const compiled: CompiledOperation = {
    kind: operation.operation,
    name: operation.name?.value,
    introspects: introspect !== undefined,
    coerce: compileCoercion(apiSchema, operation),
    cost: target.compileCost(document, operation),
    execute: (variables, context) => run(newExecution(variables, context)),
  };
  const { subscription } = plan;
  if (!subscription) return compiled;
  const receive = compileRootAnswer(subscription, compiler);
  return {
    ...compiled,
    subscription: {
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
    },
  };
}

/** In JavaScript an answer cannot carry this key without changing what the answer is. */
function refuseReservedAlias(document: DocumentNode): void {
  visit(document, {
    Field(node) {
      if (node.alias?.value !== '__proto__') return;
      throw new GraphQLError('The alias "__proto__" is reserved; choose another one.', {
        nodes: node,
        extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
      });
    },
  });
}

async function planOperation(
  { planner, apiSchema }: CompilationTarget,
  text: string,
  operation: OperationDefinitionNode,
  override: number,
) {
  const isMeta = (node: SelectionNode) => node.kind === Kind.FIELD && node.name.value.startsWith('__');
  if (operation.selectionSet.selections.every(isMeta)) return { node: undefined };
  try {
    const plan = await planner.plan(text, operation.name?.value, override);
    if ((operation.operation === 'subscription') === (plan.subscription !== undefined)) return plan;
  } catch (error) {
    if (operation.operation !== 'subscription') {
      const root = apiSchema.getRootType(operation.operation)?.name;
      throw new GraphQLError(`The ${operation.operation} on ${root} cannot be planned over the subgraphs.`, {
        originalError: error as Error,
        extensions: { code: 'OPERATION_NOT_PLANNABLE' },
      });
    }
  }
  throw new GraphQLError('This subscription cannot be planned: its root field must not be under a condition.', {
    extensions: { code: 'OPERATION_NOT_PLANNABLE' },
  });
}

function compileCoercion(schema: GraphQLSchema, operation: OperationDefinitionNode): CompiledOperation['coerce'] {
  const definitions = operation.variableDefinitions ?? [];
  if (definitions.length === 0) {
    const none: CoercedVariables = { raw: {}, coerced: {} };
    return () => none;
  }
  const defaults = definitions.flatMap(({ variable, defaultValue }) =>
    defaultValue ? [[variable.name.value, valueFromASTUntyped(defaultValue)] as const] : [],
  );
  return (given = {}) => {
    const { errors, coerced } = getVariableValues(schema, definitions, given);
    if (errors) {
      return {
        errors: errors.map((error) => ({
          ...error.toJSON(),
          extensions: { ...error.extensions, code: 'BAD_USER_INPUT' },
        })),
      };
    }
    const raw = { ...given };
    for (const [name, value] of defaults) if (raw[name] === undefined) raw[name] = value;
    return { raw, coerced: coerced as Variables };
  };
}
