import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSchema } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig, operationLimitsOf } from '../../platform/config.js';
import {
  findBroken,
  loadPersistedOperations,
  type OperationRequest,
  resolvePersisted,
  resolvePersistedAddress,
} from './persisted-operations.js';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const text = 'query Viewer { viewer }';
const other = '{ other }';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'persisted-'));
});
afterAll(() => rm(directory, { recursive: true }));

const load = async (manifest: unknown, only = false) => {
  const file = join(directory, `${crypto.randomUUID()}.json`);
  await writeFile(file, typeof manifest === 'string' ? manifest : JSON.stringify(manifest));
  return loadPersistedOperations(file, only);
};
const apollo = (...operations: object[]) => ({ format: 'apollo-persisted-query-manifest', version: 1, operations });

describe('a manifest', () => {
  it('is Apollo’s, or an object of texts by id', async () => {
    const operation = { id: sha256(text), name: 'Viewer', type: 'query', body: text };
    expect([...(await load(apollo(operation))).byId]).toEqual([[sha256(text), text]]);
    expect([...(await load({ viewer: text, operations: other })).byId]).toEqual([
      ['viewer', text],
      ['operations', other],
    ]);
  });

  it.each([
    ['no JSON', '{', 'JSON'],
    ['a list', [], 'it is not a JSON object'],
    ['another format', { ...apollo(), format: 'x' }, 'its format "x", version 1, is not known'],
    ['another version', { ...apollo(), version: 2 }, 'version 2, is not known'],
    ['operations that are no list', { ...apollo(), operations: {} }, 'its "operations" are no list'],
    ['an operation without an id', apollo({ body: text }), 'the operation at 0 has no id'],
    ['an operation that is none', apollo({ id: 'a', body: text }, 7 as never), 'the operation at 1 has no id'],
    ['an operation without a text', { a: ' ' }, 'the operation "a" has no text'],
    ['a text that is none', { a: 7 }, 'the operation "a" has no text'],
    ['an empty id', { '': text }, 'is not 1 to 256 characters'],
    ['an id twice', apollo({ id: 'a', body: text }, { id: 'a', body: other }), 'the id "a" is there twice'],
    ['a hash of another text', { [sha256(other)]: text }, 'is not the SHA-256 of its text'],
  ])('with %s is refused by the name of its file', async (_name, manifest, message) => {
    await expect(load(manifest)).rejects.toThrow(message);
    await expect(load(manifest)).rejects.toThrow(/PERSISTED_OPERATIONS=.*json/);
  });

  it('that is not there is refused, and none where only persisted operations run', async () => {
    await expect(loadPersistedOperations('/nowhere/manifest.json', false)).rejects.toThrow('/nowhere/manifest.json');
    await expect(loadPersistedOperations(undefined, true)).rejects.toThrow('PERSISTED_ONLY is on');
    expect(resolvePersisted(await loadPersistedOperations(undefined, false), { query: text })).toEqual({ query: text });
  });

  it('names its operations that do not fit the schema or the limits', async () => {
    const schema = buildSchema('type Query { viewer: Int me: Query }');
    const deep = `${'{ me '.repeat(11)} { viewer } ${'}'.repeat(11)}`;
    const manifest = await load({ good: text, gone: other, broken: '{', deep });
    expect(await findBroken(manifest, schema, operationLimitsOf(loadConfig({})))).toEqual([
      { id: 'gone', message: 'Cannot query field "other" on type "Query".' },
      { id: 'broken', message: 'Syntax Error: Expected Name, found <EOF>.' },
      { id: 'deep', message: 'The operation nests selections 12 deep; the limit is 10.' },
    ]);
  });
});

describe('a request', () => {
  const persistedQuery = (sha256Hash: unknown, version: unknown = 1) => ({ persistedQuery: { version, sha256Hash } });
  const manifest = { [sha256(text)]: text, viewer: text };
  const resolve = async (request: OperationRequest & Record<string, unknown>, only = false) => {
    const persisted = await load(manifest, only);
    try {
      return resolvePersisted(persisted, request);
    } catch (error) {
      return (error as { code: string }).code;
    }
  };

  it.each([false, true])('gets the text of its id, whichever way it is sent (only persisted: %s)', async (only) => {
    const rest = { variables: { a: 1 }, operationName: 'Viewer' };
    expect(await resolve({ documentId: 'viewer', ...rest }, only)).toEqual({ query: text, ...rest });
    expect(await resolve({ documentId: sha256(text), query: text }, only)).toEqual({ query: text });
    const extensions = { ...persistedQuery(sha256(text)), trace: true };
    expect(await resolve({ extensions, ...rest }, only)).toEqual({ query: text, extensions: { trace: true }, ...rest });
    expect(await resolve({ extensions: persistedQuery(sha256(text)), query: '' }, only)).toEqual({ query: text });
    expect(await resolve({ query: text }, only)).toEqual({ query: text });
  });

  it('gets it over GET, too, and keeps its other parameters', async () => {
    const persisted = await load(manifest);
    const search = (parameters: Record<string, string>) => {
      const url = new URL(`http://gateway/graphql?${new URLSearchParams(parameters)}`);
      return Object.fromEntries(new URLSearchParams(resolvePersistedAddress(persisted, url)));
    };
    const rest = { variables: '{"a":1}', operationName: 'Viewer' };
    expect(search({ documentId: 'viewer', ...rest })).toEqual({ query: text, ...rest });
    const extensions = { ...persistedQuery(sha256(text)), trace: true };
    expect(search({ extensions: JSON.stringify(extensions), ...rest })).toEqual({
      query: text,
      extensions: '{"trace":true}',
      ...rest,
    });
    expect(search({ query: other, extensions: '{' })).toEqual({ query: other, extensions: '{' });
    expect(() => search({ documentId: 'nope' })).toThrow('No persisted operation has the id "nope".');
  });

  it('runs any text unless only persisted operations run', async () => {
    expect(await resolve({ query: other })).toEqual({ query: other });
    expect(await resolve({ query: other }, true)).toBe('PERSISTED_OPERATION_REQUIRED');
    expect(await resolve({ query: `${text} ` }, true)).toBe('PERSISTED_OPERATION_REQUIRED');
    expect(await resolve({}, true)).toBe('PERSISTED_OPERATION_REQUIRED');
    expect(await resolve({ query: other, extensions: persistedQuery(sha256(other)) }, true)).toBe(
      'PERSISTED_OPERATION_UNKNOWN',
    );
  });

  it('leaves hashes that the manifest does not know to the automatic persisted queries', async () => {
    const known = { extensions: persistedQuery(sha256(other)) };
    expect(await resolve(known)).toEqual(known);
    expect(await resolve({ ...known, query: '' })).toEqual(known);
    expect(await resolve({ ...known, query: other })).toEqual({ ...known, query: other });
    expect(await resolve(known, true)).toBe('PERSISTED_OPERATION_UNKNOWN');
  });

  it.each([
    ['an unknown documentId', { documentId: 'nope' }, 'PERSISTED_OPERATION_UNKNOWN'],
    ['an empty documentId', { documentId: '' }, 'BAD_REQUEST'],
    ['a documentId that is no text', { documentId: { a: 1 } }, 'BAD_REQUEST'],
    ['two different ids', { documentId: 'viewer', extensions: persistedQuery(sha256(text)) }, 'BAD_REQUEST'],
    ['an id with another text', { documentId: 'viewer', query: other }, 'BAD_REQUEST'],
    ['a hash of another text', { query: other, extensions: persistedQuery(sha256('{ third }')) }, 'BAD_REQUEST'],
    ['a hash that is none', { extensions: persistedQuery('abc') }, 'BAD_REQUEST'],
    ['a hash that is no text', { extensions: persistedQuery(['a']) }, 'BAD_REQUEST'],
    ['another version', { extensions: persistedQuery(sha256(text), 2) }, 'BAD_REQUEST'],
    ['a persistedQuery that is no object', { extensions: { persistedQuery: 'x' } }, 'BAD_REQUEST'],
    ['a text that is none', { query: 7, extensions: persistedQuery(sha256('7')), documentId: 7 }, 'BAD_REQUEST'],
    ['a name of every object', { documentId: '__proto__' }, 'PERSISTED_OPERATION_UNKNOWN'],
  ])('with %s is refused by a code', async (_name, request, code) => {
    expect(await resolve(request)).toBe(code);
  });
});
