/**
 * Persisted operations: a manifest of the texts that clients send by their id alone, and where PERSISTED_ONLY is on, the
 * only ones that run. Automatic persisted queries, which clients register themselves, are Apollo Server's.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import type { GraphQLSchema } from 'graphql';
import { ConfigError, type OperationLimits } from '../../platform/config.js';
import { fail } from '../../platform/errors.js';
import { isJsonObject } from '../../platform/json.js';
import { parseOperation, validateOperation } from '../limits/operation-limits.js';

/** What a request says of the operation to run, over whatever it came; unchecked. */
export interface OperationRequest {
  query?: unknown;
  /** The id as GraphQL over HTTP names it. */
  documentId?: unknown;
  /** Holds `persistedQuery` where the client names the operation as Apollo's clients do. */
  extensions?: unknown;
}

export interface PersistedOperations {
  /** Texts by id. */
  byId: ReadonlyMap<string, string>;
  texts: ReadonlySet<string>;
  /** Whether nothing else runs. */
  only: boolean;
}

/** An operation of the manifest that cannot run. */
interface BrokenOperation {
  id: string;
  message: string;
}

const sha256Pattern = /^[0-9a-f]{64}$/;
const maxIdLength = 256;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/**
 * Reads a manifest.
 * @param file undefined for none
 * @throws ConfigError that names the file and what is wrong with it
 */
export async function loadPersistedOperations(file: string | undefined, only: boolean): Promise<PersistedOperations> {
  if (file === undefined) {
    if (only) throw new ConfigError('PERSISTED_ONLY is on, and PERSISTED_OPERATIONS names no manifest.');
    return { byId: new Map(), texts: new Set(), only };
  }
  const text = await readFile(file, 'utf8').catch((error: Error) => wrong(file, error.message));
  const byId = new Map<string, string>();
  for (const [id, body] of entriesOf(parseManifest(text, file), file)) {
    if (id === '' || id.length > maxIdLength)
      wrong(file, `the id "${id.slice(0, 40)}" is not 1 to ${maxIdLength} characters`);
    if (byId.has(id)) wrong(file, `the id "${id}" is there twice`);
    if (typeof body !== 'string' || body.trim() === '') wrong(file, `the operation "${id}" has no text`);
    if (sha256Pattern.test(id) && sha256(body) !== id) wrong(file, `the id "${id}" is not the SHA-256 of its text`);
    byId.set(id, body);
  }
  return { byId, texts: new Set(byId.values()), only };
}

function parseManifest(text: string, file: string): Record<string, unknown> {
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch (error) {
    wrong(file, (error as Error).message);
  }
  return isJsonObject(manifest) ? manifest : wrong(file, 'it is not a JSON object');
}

/** The ids with their texts: in Apollo's format, or the object itself. */
function entriesOf(manifest: Record<string, unknown>, file: string): [string, unknown][] {
  if (manifest.format === undefined || typeof manifest.operations !== 'object') return Object.entries(manifest);
  const { format, version, operations } = manifest;
  if (format !== 'apollo-persisted-query-manifest' || version !== 1) {
    wrong(file, `its format "${String(format)}", version ${String(version)}, is not known`);
  }
  if (!Array.isArray(operations)) wrong(file, 'its "operations" are no list');
  return (operations as unknown[]).map((operation, index) => {
    const { id, body } = isJsonObject(operation) ? operation : {};
    return [typeof id === 'string' ? id : wrong(file, `the operation at ${index} has no id`), body];
  });
}

function wrong(file: string, what: string): never {
  throw new ConfigError(
    `The manifest of persisted operations (PERSISTED_OPERATIONS=${file}) is not acceptable: ${what}.`,
  );
}

/** The operations that do not fit the schema or the limits: they stay known, and are refused when they are sent. */
export async function findBroken(
  { byId }: PersistedOperations,
  schema: GraphQLSchema,
  limits: OperationLimits,
): Promise<BrokenOperation[]> {
  const broken: BrokenOperation[] = [];
  for (const [id, text] of byId) {
    const message = faultOf(text, schema, limits);
    if (message !== undefined) broken.push({ id, message });
    // A long manifest must not keep requests waiting.
    await setImmediate();
  }
  return broken;
}

function faultOf(text: string, schema: GraphQLSchema, limits: OperationLimits): string | undefined {
  try {
    return validateOperation(schema, parseOperation(text, limits), limits)[0]?.message;
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * Puts the text in the place of its id, and checks that the request may run. What names the operation is taken off, but
 * for a hash that the manifest does not know, which is left to the automatic persisted queries.
 * @throws BAD_REQUEST, PERSISTED_OPERATION_UNKNOWN, PERSISTED_OPERATION_REQUIRED
 */
export function resolvePersisted<Request extends OperationRequest>(
  { byId, texts, only }: PersistedOperations,
  request: Request,
): Request {
  const { query, documentId, extensions } = request;
  if (documentId == null && extensions == null && !only) return request;
  const { persistedQuery } = isJsonObject(extensions) ? extensions : {};
  const hash = persistedQuery == null ? undefined : hashOf(persistedQuery);
  if (documentId != null && (typeof documentId !== 'string' || documentId === '')) {
    fail('BAD_REQUEST', '`documentId` has to be a string that is not empty.', { argument: 'documentId' });
  }
  if (documentId != null && hash !== undefined && documentId !== hash) {
    fail('BAD_REQUEST', '`documentId` and `extensions.persistedQuery` name different operations.', {
      argument: 'documentId',
    });
  }
  const id = (documentId as string | null | undefined) ?? hash;
  if (id !== undefined) {
    const text = byId.get(id);
    if (text !== undefined) return resolved(request, id, text);
    if (only || documentId != null) {
      fail('PERSISTED_OPERATION_UNKNOWN', `No persisted operation has the id "${id.slice(0, maxIdLength)}".`);
    }
    checkHash(id, query);
    if (isAbsent(query)) return without(request, 'query');
  } else if (only && !texts.has(query as string)) {
    fail('PERSISTED_OPERATION_REQUIRED', 'This gateway runs persisted operations only; send the id of one.');
  }
  return request;
}

function without<Request extends OperationRequest>({ ...request }: Request, key: keyof OperationRequest): Request {
  delete request[key];
  return request;
}

function resolved<Request extends OperationRequest>(request: Request, id: string, text: string): Request {
  const { documentId, extensions, query, ...rest } = request;
  if (!isAbsent(query) && query !== text) {
    fail('BAD_REQUEST', `The text is not the one of the persisted operation "${id}"; send the id alone.`, {
      argument: 'query',
    });
  }
  const { persistedQuery, ...others } = isJsonObject(extensions) ? extensions : {};
  return { ...rest, query: text, ...(Object.keys(others).length > 0 ? { extensions: others } : {}) } as Request;
}

/**
 * The same for a GET.
 * @returns the query of its address with the text in it
 * @throws as `resolvePersisted`
 */
export function resolvePersistedAddress(persisted: PersistedOperations, { search, searchParams }: URL): string {
  const read = (name: string) => searchParams.get(name) ?? undefined;
  const request = { query: read('query'), documentId: read('documentId'), extensions: parsed(read('extensions')) };
  const { query, extensions } = resolvePersisted(persisted, request);
  if (query === request.query) return search;
  const resolved = new URLSearchParams(searchParams);
  resolved.set('query', query!);
  resolved.delete('documentId');
  if (extensions === undefined) resolved.delete('extensions');
  else resolved.set('extensions', JSON.stringify(extensions));
  return `?${resolved}`;
}

/** What is no JSON is refused where it is read. */
function parsed(json: string | undefined): unknown {
  try {
    return json === undefined ? undefined : JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** The hash by which Apollo's clients name an operation. */
function hashOf(persistedQuery: unknown): string {
  const { version, sha256Hash } = isJsonObject(persistedQuery) ? persistedQuery : {};
  if (version !== 1) {
    fail('BAD_REQUEST', 'Only version 1 of `extensions.persistedQuery` is known.', {
      argument: 'extensions.persistedQuery.version',
    });
  }
  if (typeof sha256Hash !== 'string' || sha256Hash === '') wrongHash('has to be a string that is not empty');
  return sha256Hash as string;
}

/** Clients whose protocol asks for a text send an empty one with the id. */
const isAbsent = (query: unknown): boolean => query == null || query === '';

/** Checks what a client registers, or asks for, among the automatic persisted queries. */
function checkHash(hash: string, query: unknown): void {
  if (!sha256Pattern.test(hash)) wrongHash('has to be 64 hexadecimal digits in lower case');
  if (typeof query === 'string' && query !== '' && sha256(query) !== hash) wrongHash('is not the SHA-256 of `query`');
}

function wrongHash(what: string): never {
  const argument = 'extensions.persistedQuery.sha256Hash';
  return fail('BAD_REQUEST', `\`${argument}\` ${what}.`, { argument });
}
