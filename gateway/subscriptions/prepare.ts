/** From what a client sends over a long-lived connection to an operation that can run. */
import { type DocumentNode, GraphQLError, type GraphQLFormattedError, getOperationAST } from 'graphql';
import type { OperationLimits } from '../../platform/config.js';
import { fail } from '../../platform/errors.js';
import type { Identity } from '../../platform/identity.js';
import { isJsonObject } from '../../platform/json.js';
import type { RequestContext } from '../context.js';
import type { FederatedGateway } from '../federated-gateway.js';
import { type PersistedOperations, resolvePersisted } from '../http/persisted-operations.js';
import { type Charge, unitsOf } from '../limits/charge.js';
import { parseOperation, validateOperation } from '../limits/operation-limits.js';
import type { Variables } from '../sources/source.js';
import type { Subscribed } from './execution.js';

/** An operation as GraphQL over HTTP and over WebSocket spell it, its fields checked. */
export interface OperationRequest {
  query: string | undefined;
  operationName: string | undefined;
  variables: Variables | undefined;
  extensions: Record<string, unknown> | undefined;
}

/** A subscription that can be opened. */
export interface SubscriptionPlan extends Subscribed {
  kind: 'subscription';
  query: string;
  operationName: string | undefined;
  /** As the client sent them. */
  given: Variables | undefined;
}

export type Prepared =
  | SubscriptionPlan
  /** A query or mutation, or `unknown` where only the extensions name it. */
  | { kind: 'query' | 'mutation' | 'unknown' }
  /** `early` where the document is at fault, and not what was sent with it. */
  | { kind: 'refused'; errors: readonly GraphQLFormattedError[]; early: boolean };

/** Who asks; `identity` may answer differently for each. */
export type Caller = Pick<RequestContext, 'identity' | 'remoteIp' | 'forwardedHeaders' | 'charge'>;

const refuse = (errors: readonly GraphQLFormattedError[], early = true): Prepared => ({
  kind: 'refused',
  errors,
  early,
});

/**
 * Reads the fields of an operation, with the text of a persisted one in its place.
 * @throws BAD_USER_INPUT that names the wrong one, or as `resolvePersisted`
 */
export function readOperation(payload: unknown, persisted: PersistedOperations): OperationRequest {
  const wrong = (argument: string, what: string): never =>
    fail('BAD_USER_INPUT', `\`${argument}\` ${what}.`, { argument });
  if (!isJsonObject(payload)) return wrong('payload', 'has to be an object with a `query`');
  const { query, operationName, variables, extensions } = resolvePersisted(persisted, payload);
  if (query != null && typeof query !== 'string') return wrong('query', 'has to be a string');
  if (query == null && extensions == null) return wrong('query', 'is missing: send the operation’s text');
  if (operationName != null && typeof operationName !== 'string') return wrong('operationName', 'has to be a string');
  if (variables != null && !isJsonObject(variables)) return wrong('variables', 'has to be an object');
  if (extensions != null && !isJsonObject(extensions)) return wrong('extensions', 'has to be an object');
  return {
    query: query ?? undefined,
    operationName: operationName ?? undefined,
    variables: variables ?? undefined,
    extensions: extensions ?? undefined,
  };
}

/** Parses and validates within the limits. @returns the document with the operation in it, or the errors */
export function checkDocument(
  gateway: Pick<FederatedGateway, 'apiSchema'>,
  query: string,
  operationName: string | undefined,
  limits: OperationLimits,
): DocumentNode | readonly GraphQLError[] {
  try {
    const document = parseOperation(query, limits);
    const errors = validateOperation(gateway.apiSchema, document, limits);
    if (errors.length > 0) return errors;
    if (getOperationAST(document, operationName)) return document;
    const message = 'The operation to run is not named, or not in the document.';
    return [new GraphQLError(message, { extensions: { code: 'OPERATION_RESOLUTION_FAILURE' } })];
  } catch (error) {
    if (error instanceof GraphQLError) return [error];
    throw error;
  }
}

/**
 * Compiles a subscription and checks what was sent with it; other operations are only told apart.
 * @param identity who asks: what the caller may not ask for is refused
 * @param charge what opening it is charged to
 * @throws RATE_LIMITED
 */
export async function prepare(
  gateway: FederatedGateway,
  { query: text, operationName, variables, extensions }: OperationRequest,
  limits: OperationLimits,
  identity: Identity | undefined,
  charge?: Charge,
): Promise<Prepared> {
  await charge?.take(1);
  const query = text ?? gateway.textOf(hashIn(extensions));
  if (query === undefined) return { kind: 'unknown' };
  let compiled = gateway.compiled(query, operationName);
  if (!compiled) {
    const checked = checkDocument(gateway, query, operationName, limits);
    if (!('kind' in checked)) return refuse(checked.map((error) => error.toJSON()));
    const { operation } = getOperationAST(checked, operationName)!;
    if (operation !== 'subscription') return { kind: operation };
    try {
      compiled = await gateway.compile(checked, query, operationName, identity);
    } catch (error) {
      return refuse([toPlanError(error)]);
    }
  }
  const { kind } = compiled;
  if (kind !== 'subscription') return { kind };
  const coerced = compiled.coerce(variables);
  if ('errors' in coerced) return refuse(coerced.errors, false);
  const cost = compiled.cost(coerced.raw);
  const tooCostly = gateway.costError(cost);
  if (tooCostly) return refuse([tooCostly], false);
  await charge?.take(unitsOf(cost));
  try {
    const subscription = await compiled.planSubscription(coerced, identity);
    if ('errors' in subscription) return refuse(subscription.errors, false);
    return { kind, compiled, subscription, variables: coerced, query, operationName, given: variables };
  } catch (error) {
    return refuse([toPlanError(error)]);
  }
}

/** The hash of an automatic persisted query. */
function hashIn(extensions: OperationRequest['extensions']): string | undefined {
  const { sha256Hash } = (extensions?.persistedQuery ?? {}) as { sha256Hash?: unknown };
  return typeof sha256Hash === 'string' ? sha256Hash : undefined;
}

/** A document that is valid and yet cannot be planned; anything else is a fault of ours, and told without its text. */
const toPlanError = (error: unknown): GraphQLFormattedError => {
  if (error instanceof GraphQLError) return error.toJSON();
  return { message: 'This subscription cannot be planned.', extensions: { code: 'OPERATION_NOT_PLANNABLE' } };
};
