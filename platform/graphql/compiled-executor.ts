/**
 * Executes GraphQL operations by functions compiled for them, in place of graphql-js' `execute`: the same answers, errors
 * and order of calls, several times faster.
 */
import {
  assertValidSchema,
  type DocumentNode,
  type ExecutionResult,
  execute,
  type FragmentDefinitionNode,
  type GraphQLError,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
} from 'graphql';
import { conditionVariables } from './executor/conditions.js';
import { Execution, isPromise } from './executor/execution.js';
import { compileRoot, compileSerialRoot } from './executor/selection.js';
import { compileVariables } from './executor/variables.js';

export interface ExecutionRequest {
  contextValue?: unknown;
  variableValues?: Record<string, unknown> | null | undefined;
  /** The source of the operation's own fields; of a subscription, the event. */
  rootValue?: unknown;
}

export type CompiledExecution = (request: ExecutionRequest) => ExecutionResult | Promise<ExecutionResult>;

/** How many outcomes of an operation's conditions are compiled; the others are left to graphql-js. */
const maxVariants = 32;

/**
 * Compiles an operation of a valid document; nothing of a document that is not valid answers differently either. Left to
 * graphql-js are requests that fail before the first field, documents with conditions that are no Booleans, and the
 * outcomes of conditions beyond the 32nd.
 * @throws Error where the schema is not valid
 */
export function compileExecution(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName?: string | null,
): CompiledExecution {
  assertValidSchema(schema);
  const interpret: CompiledExecution = (request) =>
    execute({ ...request, schema, document, operationName }) as ExecutionResult | Promise<ExecutionResult>;
  const { definition, fragments } = definitionsOf(document, operationName);
  const type = definition && schema.getRootType(definition.operation);
  const deciding = definition && conditionVariables(definition, fragments);
  if (!type || !deciding) return interpret;

  const readVariables = compileVariables(schema, definition.variableDefinitions ?? []);
  const compile = definition.operation === OperationTypeNode.MUTATION ? compileSerialRoot : compileRoot;
  const variants = new Map<string, (execution: Execution) => unknown>();
  const variantFor = (variables: Record<string, unknown>) => {
    const values = deciding.map((name) => variables[name]);
    if (!values.every((value) => typeof value === 'boolean')) return undefined;
    const outcome = values.join();
    let variant = variants.get(outcome);
    if (!variant && variants.size < maxVariants) {
      const conditions = Object.fromEntries(deciding.map((name, index) => [name, values[index]]));
      variant = compile({ schema, definition, fragments, conditions }, type);
      variants.set(outcome, variant);
    }
    return variant;
  };
  return (request) => {
    const given = request.variableValues ?? {};
    if (typeof given !== 'object') return interpret(request);
    const variables = readVariables(given);
    if ('errors' in variables) return variables;
    const { coerced } = variables;
    const run = variantFor(coerced);
    return run ? answer(run, new Execution(request.contextValue, coerced, request.rootValue)) : interpret(request);
  };
}

function answer(
  run: (execution: Execution) => unknown,
  execution: Execution,
): ExecutionResult | Promise<ExecutionResult> {
  const succeed = (data: unknown): ExecutionResult =>
    execution.errors.length === 0
      ? { data: data as ExecutionResult['data'] }
      : { errors: execution.errors, data: data as ExecutionResult['data'] };
  const fail = (error: unknown): ExecutionResult => {
    execution.addError(error as GraphQLError, []);
    return succeed(null);
  };
  try {
    const data = run(execution);
    return isPromise(data) ? Promise.resolve(data).then(succeed, fail) : succeed(data);
  } catch (error) {
    return fail(error);
  }
}

/** The operation of that name, or the only one, with the document's fragments. */
function definitionsOf(document: DocumentNode, operationName: string | null | undefined) {
  const fragments: Record<string, FragmentDefinitionNode> = Object.create(null);
  const operations: OperationDefinitionNode[] = [];
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments[definition.name.value] = definition;
    if (definition.kind === Kind.OPERATION_DEFINITION) operations.push(definition);
  }
  const definition =
    operationName == null
      ? operations.length === 1
        ? operations[0]
        : undefined
      : operations.findLast((operation) => operation.name?.value === operationName);
  return { definition, fragments };
}
