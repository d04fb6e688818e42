/**
 * GraphQL over HTTP. An operation that is compiled already runs at once; everything else, from the first run of an
 * operation to GET, persisted queries and bad input, goes through Apollo Server, whose answers look the same.
 */
import { isUtf8 } from 'node:buffer';
import { HeaderMap } from '@apollo/server';
import type { Config, OperationLimits } from '../../platform/config.js';
import { fail } from '../../platform/errors.js';
import { isJsonObject } from '../../platform/json.js';
import type { Logger } from '../../platform/logging.js';
import { formatError } from '../apollo.js';
import { callerKey, type RequestContext } from '../context.js';
import type { CompiledOperation } from '../execution/compiled-operation.js';
import type { FederatedGateway } from '../federated-gateway.js';
import { compiledFor, type Graph } from '../graph.js';
import { checkNesting } from '../limits/json-depth.js';
import { checkText } from '../limits/operation-limits.js';
import type { Variables } from '../sources/source.js';
import { readBody } from './body.js';
import { type Answer, sendAnswer } from './caching.js';
import { forwardedFrom } from './forwarded-headers.js';
import type { Exchange, Route } from './listener.js';
import { resolvePersisted, resolvePersistedAddress } from './persisted-operations.js';
import { appendVary } from './vary.js';

/** What the activity recorder wants to know of an answered request. */
export type OnAnswered = (
  exchange: Exchange,
  what: { action: string; operation: string | null; responseMs: number },
) => void;

export interface GraphQLRouteOptions {
  graph: Graph;
  config: Pick<Config, 'graphqlBodyBytes' | 'shareInFlight' | 'forwardHeaders'>;
  logger: Logger;
  /** Answers requests for an event stream. */
  streamEvents(exchange: Exchange, body: unknown): Promise<void>;
  /** Is told of every request after its answer. */
  onAnswered?: OnAnswered | undefined;
}

/** The parameters of the specification of GraphQL over HTTP. */
interface GraphQLRequest {
  query?: unknown;
  operationName?: unknown;
  variables?: unknown;
  extensions?: unknown;
}

/** The route `/graphql`. */
export function graphqlRoute(options: GraphQLRouteOptions): Route {
  const { graph, config, onAnswered } = options;
  const warmPath = createWarmPath(options);
  return {
    path: '/graphql',
    methods: ['GET', 'POST'],
    authenticated: true,
    bodyLimitBytes: config.graphqlBodyBytes,
    chargesByCost: true,
    async handle(exchange) {
      const started = performance.now();
      const { request, charge } = exchange;
      const sent = request.method === 'POST' ? await readJson(exchange, config.graphqlBodyBytes) : undefined;
      if (request.headers.accept?.includes('text/event-stream')) {
        return options.streamEvents(exchange, sent && readRequest(sent, graph));
      }
      const context = contextOf(exchange, config.forwardHeaders);
      // They are part of who the caller is, so a cache must not give one what it kept for another.
      if (config.forwardHeaders.length > 0) appendVary(exchange.response, ...config.forwardHeaders);
      const { warm, body } = sent ? warmPath.find(exchange, context, sent) : {};
      if (!warm) await charge?.take(1);
      else if (charge?.isLimited) await charge.take(graph.gateway.unitsOf(warm.compiled, warm.variables));
      const answered = warm && (await warmPath.run(warm, context));
      await sendAnswer(exchange, answered ?? (await askApollo(graph, exchange, context, body)));
      if (!onAnswered || !exchange.identity) return;
      const { kind, name } = warm?.compiled ?? {};
      const named = answered ? { action: kind!, operation: name ?? null } : describe(body);
      onAnswered(exchange, { ...named, responseMs: performance.now() - started });
    },
  };
}

/** A request whose operation is compiled. */
interface WarmRequest {
  compiled: CompiledOperation;
  variables: Variables | undefined;
  contentType: string;
  /** The request's JSON, with the text of a persisted operation in it. */
  body: unknown;
  /** Equal for requests that may be answered by one execution; undefined where none is shared. */
  key: string | undefined;
}

interface InFlight {
  request: WarmRequest;
  /** Undefined where the request itself is at fault, which Apollo Server tells. */
  answer: Promise<Answer | undefined>;
}

/**
 * Runs operations that are compiled. Equal queries of one caller that run at the same time share one execution and one
 * body, unless a mutation ended between them; mutations never do.
 */
function createWarmPath({ graph, config, logger }: GraphQLRouteOptions) {
  const { gateway, metrics } = graph;
  const inFlight = new Map<string, InFlight>();
  const share = config.shareInFlight === 'on';

  const execute = async ({ compiled, variables, contentType }: WarmRequest, context: RequestContext) => {
    const result = await gateway.run(compiled, variables, context);
    if (result.data === undefined) return undefined;
    const errors = result.errors?.map((error) => formatError(error, logger));
    const body = Buffer.from(`${JSON.stringify(errors ? { errors, data: result.data } : { data: result.data })}\n`);
    return { status: 200, contentType, body, cacheControl: result.cacheControl } satisfies Answer;
  };

  return {
    /** The request as it can run at once; without `warm` Apollo Server has to look at it. */
    find({ request }: Exchange, context: RequestContext, sent: SentJson): { warm?: WarmRequest; body: unknown } {
      const contentType = contentTypeFor(request.headers.accept);
      const key = share ? `${contentType}\n${gateway.mutations}\n${callerKey(context)}\n${sent.text}` : undefined;
      const known = key === undefined ? undefined : inFlight.get(key)?.request;
      if (known) return { warm: known, body: known.body };
      const body = readRequest(sent, graph);
      const plain = plainRequest(body, gateway);
      if (contentType === undefined || !plain) return { body };
      const compiled = compiledFor(graph, context, plain.query, plain.operationName);
      return compiled ? { warm: { compiled, variables: plain.variables, contentType, body, key }, body } : { body };
    },

    /** Executes it, or joins an equal one that is being executed. */
    run(request: WarmRequest, context: RequestContext): Promise<Answer | undefined> {
      const { key, compiled } = request;
      const shared = key === undefined ? undefined : inFlight.get(key);
      if (shared) {
        metrics.count('sharedExecutions');
        return shared.answer;
      }
      const answer = execute(request, context);
      if (key !== undefined && compiled.kind === 'query') {
        inFlight.set(key, { request, answer });
        const ended = () => inFlight.delete(key);
        answer.then(ended, ended);
      }
      return answer;
    },
  };
}

/** The JSON of a request, with the text of a persisted operation in it. @throws BAD_USER_INPUT, as `resolvePersisted` */
function readRequest(sent: SentJson, { limits, persisted }: Graph): unknown {
  const body = parseBody(sent, limits);
  return isJsonObject(body) ? resolvePersisted(persisted, body) : body;
}

interface PlainRequest {
  query: string;
  operationName: string | undefined;
  variables: Variables | undefined;
}

const namePattern = /^\w+$/;

/** A request with nothing unusual: a text or the hash of one that was compiled, variables and a name in their places. */
function plainRequest(body: unknown, gateway: FederatedGateway): PlainRequest | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const { query, operationName, variables, extensions } = body as GraphQLRequest;
  if (operationName != null && !(typeof operationName === 'string' && namePattern.test(operationName)))
    return undefined;
  if (variables != null && (typeof variables !== 'object' || Array.isArray(variables))) return undefined;
  const text = extensions == null ? query : gateway.textOf(automaticHash(extensions));
  if (typeof text !== 'string' || (query != null && query !== text)) return undefined;
  return {
    query: text,
    operationName: operationName ?? undefined,
    variables: (variables ?? undefined) as Variables | undefined,
  };
}

/** The hash of an automatic persisted query; undefined for extensions that say anything else. */
function automaticHash(extensions: unknown): string | undefined {
  const { persistedQuery, ...others } = extensions as { persistedQuery?: { version?: unknown; sha256Hash?: unknown } };
  if (Object.keys(others).length > 0 || persistedQuery?.version !== 1) return undefined;
  return typeof persistedQuery.sha256Hash === 'string' ? persistedQuery.sha256Hash : undefined;
}

/** The media type of the answer; undefined where the client wants something that has to be negotiated. */
function contentTypeFor(accept: string | undefined): string | undefined {
  if (accept === undefined || accept === '*/*') return 'application/json; charset=utf-8';
  const type = ownTypeFirst.exec(accept)?.[1];
  return type === undefined ? undefined : `${type}; charset=utf-8`;
}

/** What clients send: one of our types, and then perhaps what else they take; nothing goes before the first of `q=1`. */
const ownTypeFirst = /^(application\/(?:graphql-response\+)?json)(?:,[^,;]*(?:;q=[\d.]+)?)*$/;

const contextOf = (exchange: Exchange, forwardHeaders: readonly string[]): RequestContext => ({
  identity: exchange.identity,
  remoteIp: exchange.remoteIp,
  requestId: exchange.requestId,
  deadline: exchange.deadline,
  span: exchange.span,
  traceHeaders: exchange.traceHeaders,
  charge: exchange.charge,
  ...(forwardHeaders.length > 0 ? { forwardedHeaders: forwardedFrom(exchange.request, forwardHeaders) } : {}),
});

async function askApollo(
  { apollo, limits, persisted }: Graph,
  { request, response, url }: Exchange,
  context: RequestContext,
  body: unknown,
): Promise<Answer> {
  const headers = new HeaderMap();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  const { query } = (body ?? {}) as GraphQLRequest;
  if (typeof query === 'string') checkText(query, limits);
  const search = request.method === 'GET' ? resolvePersistedAddress(persisted, url) : url.search;
  const outcome: NonNullable<RequestContext['outcome']> = {};
  const answer = await apollo.executeHTTPGraphQLRequest({
    httpGraphQLRequest: { method: request.method ?? 'GET', headers, search, body },
    context: async () => ({ ...context, outcome }),
  });
  // What the operation costs was known only when it was parsed.
  if (context.charge?.refusal) throw context.charge.refusal;
  if (answer.body.kind !== 'complete') throw new Error('Apollo Server answered in parts, which nothing here asks for.');
  for (const [name, value] of answer.headers) response.setHeader(name, value);
  const contentType = answer.headers.get('content-type') ?? 'application/json; charset=utf-8';
  // GraphQL over HTTP, 6.4.1: for application/json a well-formed request has 200, also where its operation is at fault.
  const isWellFormed = outcome.operationIsAtFault === true && contentType.startsWith('application/json');
  const status = answer.status ?? 200;
  return {
    status: isWellFormed && status === 400 ? 200 : status,
    contentType,
    body: Buffer.from(answer.body.string),
    cacheControl: outcome.cacheControl,
  };
}

/** The operation of a request, for the records, as far as its text tells. */
function describe(request: unknown): { action: string; operation: string | null } {
  const { query, operationName } = (request ?? {}) as GraphQLRequest;
  const kind = typeof query === 'string' ? /^[\s,]*(query|mutation|subscription)\b(?:\s+(\w+))?/.exec(query) : null;
  const operation = typeof operationName === 'string' ? operationName : (kind?.[2] ?? null);
  return { action: kind?.[1] ?? 'query', operation };
}

/** JSON over a network is UTF-8 (RFC 8259); another character set would be read as something else. */
const jsonType = /^application\/json\s*(;\s*(charset\s*=\s*"?utf-?8"?\s*)?)?$/i;

/** JSON as it was sent, not parsed yet. */
interface SentJson {
  bytes: Buffer;
  text: string;
}

async function readJson({ request }: Exchange, limitBytes: number): Promise<SentJson> {
  const bytes = await readBody(request, limitBytes);
  if (!jsonType.test(request.headers['content-type'] ?? '')) {
    fail('UNSUPPORTED_MEDIA_TYPE', 'GraphQL over POST takes the content type application/json, in UTF-8.', {
      argument: 'Content-Type',
    });
  }
  if (!isUtf8(bytes)) fail('BAD_USER_INPUT', 'The body is not UTF-8.', { argument: 'body' });
  return { bytes, text: bytes.toString('utf8') };
}

function parseBody({ bytes, text }: SentJson, limits: OperationLimits): unknown {
  checkNesting(bytes, limits);
  try {
    return JSON.parse(text);
  } catch (error) {
    fail('BAD_USER_INPUT', `The body is not JSON: ${(error as Error).message}.`, { argument: 'body' });
  }
}
