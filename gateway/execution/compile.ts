/**
 * Compiles a valid operation: once, and once more for each outcome of its conditions and each set of rules of access that
 * callers do not meet.
 */
import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  getVariableValues,
  type OperationDefinitionNode,
  valueFromASTUntyped,
  visit,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { type AccessRule, allows } from '../../platform/graphql/access-rules.js';
import type { Identity } from '../../platform/identity.js';
import type { Variables } from '../sources/source.js';
import type { CoercedVariables, CompiledOperation } from './compiled-operation.js';
import { mentionsIntrospection } from './introspection.js';
import { conditionVariables } from './narrow.js';
import { compileVariant, type Variant, type VariantTarget } from './variant.js';

/** What of a supergraph operations are compiled against. */
export interface CompilationTarget extends VariantTarget {
  /** The cost by @cost and @listSize as a function of the variables. */
  compileCost(document: DocumentNode, operation: OperationDefinitionNode): (variables: Variables) => number;
}

/** The most outcomes of one operation's conditions and rules that are kept. */
const maxVariants = 32;

/**
 * @param document passes the validation of the API schema
 * @param text its text, as the client wrote it
 * @param override see `Planner.plan`
 * @param identity who asks first: what that caller may ask for is planned at once
 * @throws a GraphQLError that tells why it cannot be planned
 */
export async function compileOperation(
  target: CompilationTarget,
  document: DocumentNode,
  text: string,
  operationName: string | undefined,
  override: number,
  identity: Identity | undefined,
): Promise<CompiledOperation> {
  const operation = getOperationAST(document, operationName);
  if (!operation) throw new GraphQLError('The operation to run is not named, or not in the document.');
  refuseReservedAlias(document);
  // Conditions are decided before planning: planners lose fields under some of them, and the order of keys depends on them.
  const conditions = conditionVariables(document);
  const rules = target.rules.rulesOf(target.apiSchema, document, operationName);
  const variants = new LRUCache<string, Variant>({ max: maxVariants });
  const compiling = new Map<string, Promise<Variant>>();
  const variantFor = ({ coerced }: CoercedVariables, caller: Identity | undefined): Variant | Promise<Variant> => {
    let key = '';
    for (const name of conditions) key += coerced[name] === true ? '1' : '0';
    for (let index = 0; index < rules.length; index += 1) if (!allows(rules[index]!, caller)) key += ` ${index}`;
    const known = variants.get(key) ?? compiling.get(key);
    if (known) return known;
    const met = new Set(conditions.filter((name) => coerced[name] === true));
    const denied = new Set<AccessRule>(rules.filter((rule) => !allows(rule, caller)));
    const made = compileVariant(target, { document, operation, text, override, met, ruled: rules.length > 0, denied });
    compiling.set(key, made);
    const settled = () => compiling.delete(key);
    made.then((variant) => variants.set(key, variant)).then(settled, settled);
    return made;
  };
  // What cannot be planned is told at once where no condition can change it.
  if (conditions.length === 0) await variantFor({ raw: {}, coerced: {} }, identity);
  return {
    kind: operation.operation,
    name: operation.name?.value,
    document,
    introspects: mentionsIntrospection(text),
    coerce: compileCoercion(target.apiSchema, operation),
    cost: target.compileCost(document, operation),
    execute: (variables, context) => {
      const variant = variantFor(variables, context.identity);
      if (!(variant instanceof Promise)) return variant.execute(variables, context);
      return variant.then(({ execute }) => execute(variables, context));
    },
    planSubscription: async (variables, caller) => {
      if (operation.operation !== 'subscription') throw new GraphQLError('This operation is no subscription.');
      const { subscription, refusal } = await variantFor(variables, caller);
      return subscription ?? { errors: refusal(caller) };
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

const maxMessageLength = 1_000;
const shortened = (message: string): string =>
  message.length > maxMessageLength ? `${message.slice(0, maxMessageLength)}…` : message;

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
      const coded = { code: 'BAD_USER_INPUT' };
      return {
        errors: errors.map((error) => ({
          ...error.toJSON(),
          // It quotes the value, which may be a megabyte.
          message: shortened(error.message),
          extensions: { ...error.extensions, ...coded },
        })),
      };
    }
    // A variable may be called like something that objects inherit, such as `constructor`.
    const raw: Variables = { __proto__: null, ...given };
    for (const [name, value] of defaults) if (raw[name] === undefined) raw[name] = value;
    return { raw, coerced: coerced as Variables };
  };
}
