import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Identity } from '../../platform/identity.js';
import { ingest } from '../../tests/setup/events.js';
import { eventually } from '../../tests/setup/until.js';
import { type Bench, createCollection, createMutation, hashOf, openBench, redisEntries, statusOf } from './testing.js';

let bench: Bench;
let one: Identity;
let two: Identity;
let worker: { stop(): Promise<void> };

beforeAll(async () => {
  bench = await openBench();
  [one, two] = bench.orgs;
  worker = await bench.startWorker();
});

afterAll(async () => {
  await worker?.stop();
  await bench?.close();
});

const at = (secondsAgo: number): string => new Date(Date.now() - secondsAgo * 1000).toISOString();

const input = (friendlyName: string, changes: Record<string, unknown> = {}) => ({
  friendlyName,
  query: `SELECT timestamp, user_name, bytes_in FROM logs WHERE source_id = '${friendlyName}'`,
  keyFields: ['user_name'],
  valueFields: ['bytes_in'],
  expireInSeconds: '3600',
  mode: 'HASH_AND_CONTENT',
  ...changes,
});

const running = (id: string, identity = one) =>
  eventually(async () => expect(await statusOf(bench, identity, id)).toBe('RUNNING'));

const lookupQuery = `query($id: ID!, $key: JSON!) {
  collection(id: $id) { lookup(key: $key) { key lastEventAt expiresAt content } } }`;

const lookup = async (id: string, key: unknown, identity = one) =>
  (await bench.ask<{ collection: { lookup: unknown } }>(identity, lookupQuery, { id, key })).collection.lookup;

const refusal = async (identity: Identity | undefined, query: string, variables: Record<string, unknown>) => {
  const { errors } = await bench.execute(identity, query, variables);
  return { message: errors?.[0]?.message, ...errors?.[0]?.extensions };
};

describe('a collection', () => {
  test('is filled from history, follows new events, and keeps the last event of each key', async () => {
    await ingest(bench.platform, one, 'logs', [
      { timestamp: at(60), source_id: 'last', user_name: 'ada', bytes_in: 1 },
      { timestamp: at(30), source_id: 'last', user_name: 'ada', bytes_in: 2 },
      { timestamp: at(7200), source_id: 'last', user_name: 'old', bytes_in: 3 },
    ]);
    const { id, redisKeyBase } = await createCollection(bench, one, input('last'));
    await running(id);
    expect(await lookup(id, { user_name: 'ada' })).toMatchObject({ key: '["ada"]', content: { bytes_in: 2 } });
    expect(await lookup(id, { user_name: 'old' })).toBeNull();

    const newest = at(5);
    await ingest(bench.platform, one, 'logs', [
      { timestamp: at(50), source_id: 'last', user_name: 'ada', bytes_in: 8 },
      { timestamp: newest, source_id: 'last', user_name: 'bob', bytes_in: 9 },
    ]);
    await eventually(async () => expect(await lookup(id, ['bob'])).toMatchObject({ content: { bytes_in: 9 } }));
    expect(await lookup(id, { user_name: 'ada' })).toMatchObject({ content: { bytes_in: 2 } });

    const entry = (await redisEntries(bench, redisKeyBase)).get(hashOf(['bob']))!;
    expect(JSON.parse(entry.value)).toEqual({ bytes_in: 9 });
    expect(Math.abs(entry.expiresAtMs - (Date.parse(newest) + 3_600_000))).toBeLessThan(1_000);
  });

  test('of mode HASH keeps the date of the last event with its microseconds', async () => {
    const moment = at(10).replace(/(\.\d{3})Z/, '.123456Z');
    await ingest(bench.platform, one, 'logs', [{ timestamp: moment, source_id: 'dates', user_name: 'ada' }]);
    const { id, redisKeyBase } = await createCollection(bench, one, input('dates', { mode: 'HASH', valueFields: [] }));
    await running(id);
    expect((await redisEntries(bench, redisKeyBase)).get(hashOf(['ada']))!.value).toBe(moment);
    expect(await lookup(id, ['ada'])).toMatchObject({ lastEventAt: moment, content: null });
  });

  test('of two organisations with one name never meet', async () => {
    await ingest(bench.platform, one, 'logs', [
      { timestamp: at(10), source_id: 'shared', user_name: 'ada', bytes_in: 1 },
    ]);
    await ingest(bench.platform, two, 'logs', [
      { timestamp: at(10), source_id: 'shared', user_name: 'ada', bytes_in: 2 },
    ]);
    const first = await createCollection(bench, one, input('shared'));
    const second = await createCollection(bench, two, input('shared'));
    await running(first.id);
    await running(second.id, two);
    expect(first.redisKeyBase).not.toBe(second.redisKeyBase);
    expect(await lookup(first.id, ['ada'])).toMatchObject({ content: { bytes_in: 1 } });
    expect(await lookup(second.id, ['ada'], two)).toMatchObject({ content: { bytes_in: 2 } });
    expect(await statusOf(bench, two, first.id)).toBeUndefined();
    for (const step of ['start', 'stop', 'remove']) {
      const mutation = `mutation($id: ID!) { ${step}Collection(input: { id: $id }) { id } }`;
      const others = await refusal(two, mutation, { id: first.id });
      const missing = await refusal(two, mutation, { id: '01900000-0000-7000-8000-000000000000' });
      expect(others).toEqual(missing);
      expect(others).toMatchObject({ code: 'NOT_FOUND', argument: 'input.id' });
    }
    expect(await statusOf(bench, one, first.id)).toBe('RUNNING');
  });

  test('that is removed leaves Redis, frees its name, and its stream ends', async () => {
    await ingest(bench.platform, one, 'logs', [
      { timestamp: at(10), source_id: 'gone', user_name: 'ada', bytes_in: 1 },
    ]);
    const { id, redisKeyBase } = await createCollection(bench, one, input('gone'));
    await running(id);
    const stream = await bench.subscribe(one, 'subscription($id: ID!) { collectionProgress(id: $id) { status } }', {
      id,
    });
    expect((await stream.next()).value).toEqual({ data: { collectionProgress: { status: 'RUNNING' } } });
    await bench.ask(one, 'mutation($id: ID!) { removeCollection(input: { id: $id }) { status } }', { id });
    expect((await stream.next()).value).toEqual({ data: { collectionProgress: { status: 'REMOVED' } } });
    expect((await stream.next()).done).toBe(true);

    const again = await createCollection(
      bench,
      one,
      input('gone', { query: 'SELECT timestamp, host FROM logs', keyFields: ['host'], valueFields: ['host'] }),
    );
    expect(again.redisKeyBase).toBe(redisKeyBase);
    await running(again.id);
    expect((await redisEntries(bench, redisKeyBase)).has(hashOf(['ada']))).toBe(false);
    expect(await lookup(again.id, [null])).toMatchObject({ content: { host: null } });
    const refused = await refusal(one, 'mutation($id: ID!) { startCollection(input: { id: $id }) { id } }', { id });
    expect(refused).toMatchObject({ code: 'CONFLICT', status: 'REMOVED' });
  });

  test('is paused by an event that its query fails on, says why, and goes on after a start', async () => {
    const query = `SELECT timestamp, user_name, 100 / bytes_in AS share FROM logs WHERE source_id = 'faulty' AND source_port IS NULL`;
    const { id } = await createCollection(bench, one, input('faulty', { query, valueFields: ['share'] }));
    await running(id);
    await ingest(bench.platform, one, 'logs', [
      { timestamp: at(10), source_id: 'faulty', user_name: 'ada', bytes_in: 0 },
    ]);
    await eventually(async () => expect(await statusOf(bench, one, id)).toBe('PAUSED'));
    const { collection } = await bench.ask<{ collection: { errors: string[] } }>(
      one,
      'query($id: ID!) { collection(id: $id) { errors } }',
      { id },
    );
    expect(collection.errors).toEqual([expect.stringMatching(/^20.*Z Division by zero\.$/)]);
    await bench.database.asSuperuser(`DELETE FROM app.logs WHERE source_id = 'faulty'`);
    await bench.ask(one, 'mutation($id: ID!) { startCollection(input: { id: $id }) { status } }', { id });
    await running(id);
  });

  test('lists its keys by expiry, page by page, each once', async () => {
    const names = Array.from({ length: 25 }, (_, index) => `user${String(index).padStart(2, '0')}`);
    const same = at(20);
    const events = names.map((name, index) => ({
      timestamp: index < 12 ? same : at(20 - index / 2),
      source_id: 'pages',
      user_name: name,
      bytes_in: index,
    }));
    await ingest(bench.platform, one, 'logs', events);
    const { id } = await createCollection(bench, one, input('pages'));
    await running(id);
    const page = `query($id: ID!, $after: String) { collection(id: $id) { keyCount
      keys(first: 7, after: $after) { nodes { key content } pageInfo { hasNextPage endCursor } totalCount { value relation } } } }`;
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const { collection }: { collection: Record<string, any> } = await bench.ask(one, page, { id, after });
      expect(collection.keyCount).toBe(25);
      expect(collection.keys.totalCount).toEqual({ value: 25, relation: 'EXACT' });
      seen.push(...collection.keys.nodes.map((node: { key: string }) => JSON.parse(node.key)[0]));
      // The entry that the page ended at moves to the list's end: the next page goes on where it stood.
      if (after === null) {
        await ingest(bench.platform, one, 'logs', [
          { timestamp: at(0), source_id: 'pages', user_name: seen.at(-1), bytes_in: 99 },
        ]);
        await eventually(async () =>
          expect(await lookup(id, [seen.at(-1)])).toMatchObject({ content: { bytes_in: 99 } }),
        );
      }
      after = collection.keys.pageInfo.hasNextPage ? collection.keys.pageInfo.endCursor : null;
    } while (after !== null);
    expect(seen).toEqual([...names, names[6]]);
  });
});

describe('what does not fit is refused by name', () => {
  test.each([
    ['a taken name', { friendlyName: 'taken' }, { code: 'CONFLICT', argument: 'input.friendlyName' }],
    ['a long description', { description: 'x'.repeat(241) }, { code: 'BAD_USER_INPUT', argument: 'input.description' }],
    ['no key field', { keyFields: [] }, { code: 'BAD_USER_INPUT', argument: 'input.keyFields' }],
    ['a key field that is no column', { keyFields: ['host'] }, { code: 'BAD_USER_INPUT', argument: 'input.keyFields' }],
    [
      'a value field twice',
      { valueFields: ['bytes_in', 'bytes_in'] },
      { code: 'BAD_USER_INPUT', argument: 'input.valueFields' },
    ],
    ['content without value fields', { valueFields: [] }, { code: 'BAD_USER_INPUT', argument: 'input.valueFields' }],
    ['value fields without content', { mode: 'HASH' }, { code: 'BAD_USER_INPUT', argument: 'input.valueFields' }],
    ['an expiry of nothing', { expireInSeconds: '0' }, { code: 'BAD_USER_INPUT', argument: 'input.expireInSeconds' }],
    [
      'no event time',
      { query: 'SELECT user_name, bytes_in FROM logs' },
      { code: 'BAD_USER_INPUT', argument: 'input.query' },
    ],
    [
      'an aggregate',
      { query: 'SELECT timestamp, user_name, count(*) AS bytes_in FROM logs GROUP BY 1, 2' },
      { code: 'QUERY_NOT_SUPPORTED', argument: 'input.query', line: 1 },
    ],
    ['two statements', { query: 'SELECT 1; SELECT 2' }, { code: 'QUERY_MULTIPLE_STATEMENTS', argument: 'input.query' }],
    ['half a character', { description: '\ud800' }, { code: 'BAD_USER_INPUT', argument: 'input.description' }],
    ['a limit', { query: 'SELECT timestamp, user_name, bytes_in FROM logs LIMIT 5' }, { code: 'QUERY_NOT_SUPPORTED' }],
    [
      'an unknown column',
      { query: 'SELECT timestamp, user_nam, bytes_in FROM logs' },
      { code: 'QUERY_UNKNOWN_COLUMN', line: 1 },
    ],
    ['another table', { query: 'SELECT timestamp FROM app.users' }, { code: 'QUERY_UNKNOWN_TABLE' }],
    ['a write', { query: 'DELETE FROM logs' }, { code: 'QUERY_NOT_READ_ONLY' }],
  ])('%s', async (what, changes, expected) => {
    if (what === 'a taken name') await createCollection(bench, one, input('taken'));
    const { collections: before } = await bench.ask<{ collections: unknown }>(
      one,
      '{ collections { totalCount { value } } }',
    );
    expect(await refusal(one, createMutation, { input: input('refused', changes) })).toMatchObject(expected);
    const { collections: after } = await bench.ask<{ collections: unknown }>(
      one,
      '{ collections { totalCount { value } } }',
    );
    expect(after).toEqual(before);
  });

  test('a query that ends in a semicolon and a comment works like any other', async () => {
    const query = `SELECT timestamp, user_name, bytes_in FROM logs -- all of it\n;`;
    const { id } = await createCollection(bench, one, input('semicolon', { query }));
    await running(id);
  });

  test('a key that does not fit the key fields names what is wrong with it', async () => {
    const { id } = await createCollection(bench, one, input('keys', { keyFields: ['user_name', 'timestamp'] }));
    await running(id);
    expect(await refusal(one, lookupQuery, { id, key: { user_name: 'x', hots: 1 } })).toMatchObject({
      code: 'BAD_USER_INPUT',
      argument: 'key',
      fields: ['hots'],
    });
    expect(await refusal(one, lookupQuery, { id, key: { user_name: 'x' } })).toMatchObject({ fields: ['timestamp'] });
    expect(await refusal(one, lookupQuery, { id, key: { user_name: 'x', timestamp: 'noon' } })).toMatchObject({
      fields: ['timestamp'],
    });
    expect(await refusal(one, lookupQuery, { id, key: ['x'] })).toMatchObject({
      code: 'BAD_USER_INPUT',
      argument: 'key',
    });
    expect(await lookup(id, ['x', '2026-01-01T00:00:00.000000+01:00'])).toBeNull();
  });

  test('callers without the capability, and without a token', async () => {
    const viewer = { ...one, capabilities: [{ action: 'collections:read' as const }] };
    expect(await refusal(viewer, createMutation, { input: input('viewer') })).toMatchObject({ code: 'FORBIDDEN' });
    const writer = { ...one, capabilities: [{ action: 'collections:write' as const }] };
    expect(await refusal(writer, createMutation, { input: input('writer') })).toMatchObject({
      code: 'FORBIDDEN',
      capability: 'events:read',
    });
    expect(await refusal(writer, '{ collections { nodes { id } } }', {})).toMatchObject({ code: 'FORBIDDEN' });
    expect(await refusal(undefined, '{ collections { nodes { id } } }', {})).toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});
