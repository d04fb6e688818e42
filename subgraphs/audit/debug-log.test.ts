/** Debug logs: what is asked, who sees what. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasCapability } from '../../platform/capabilities.js';
import type { Action, Capability, Identity } from '../../platform/identity.js';
import { at, TestAudit } from './testing.js';

let audit: TestAudit;

beforeAll(async () => {
  audit = await TestAudit.start();
});
afterAll(() => audit.close());

const debug = (id: string, secondsAgo: number, more: object = {}) => ({
  id,
  type: 'D',
  module: 'web',
  when: at(secondsAgo),
  ...more,
});

describe('what is asked', () => {
  const day = 86_400;
  beforeAll(async () => {
    await audit.write(audit.admin, {
      app: 'shop',
      entries: [
        ...['Debug2', 'Debug1', 'Debug0', 'Info', 'Warn', 'Err', 'Crit', 'Sec'].map((pri, place) =>
          debug(pri, 100 - place, { pri }),
        ),
        debug('old', 40 * day, { pri: 'Sec', who: 'eve', trace_id: 't1' }),
        debug('traced', 200, {
          who: 'eve',
          trace_id: 't1',
          data: { debug_data: { pid: 7, func: 'f', stackTrace: 's' } },
        }),
        debug('elsewhere', 50, { module: 'db' }),
        debug('nowhere', 50, { module: undefined }),
        { ...debug('activity', 50), type: 'A' },
      ],
    });
  });

  it.each<[string, object, string[]]>([
    [
      'everything of a module',
      {},
      ['Sec', 'Crit', 'Err', 'Warn', 'Info', 'Debug0', 'Debug1', 'Debug2', 'traced', 'old'],
    ],
    ['a priority and those above', { priority: 'ERR' }, ['Sec', 'Crit', 'Err', 'old']],
    ['the highest priority', { priority: 'SEC', days: 1 }, ['Sec']],
    ['a window of days', { priority: 'CRIT', days: 39 }, ['Sec', 'Crit']],
    ['a trace', { traceId: 't1' }, ['traced', 'old']],
    ['an actor', { who: 'eve', days: 1 }, ['traced']],
    ['a trace that there is not', { traceId: 't2' }, []],
    ['another module', { module: 'db' }, ['elsewhere']],
    ['a module that there is not', { module: 'none' }, []],
    ['the first page', { first: 2 }, ['Sec', 'Crit']],
    ['the last page', { last: 2 }, ['traced', 'old']],
  ])('%s', async (_, variables, expected) => {
    expect(await audit.debugIds(audit.admin, { app: 'shop', ...variables })).toEqual(expected);
  });

  it('entries answer what developers sent, as objects of their type', async () => {
    const fields = `totalCount { value relation } nodes {
      __typename type who traceId ... on DebugLogEntry { pid runtime function stackTrace } }`;
    const { data } = await audit.debugLog(audit.admin, { app: 'shop', traceId: 't1', days: 1 }, fields);
    expect(data.debugLog).toEqual({
      totalCount: { value: 1, relation: 'EXACT' },
      nodes: [
        {
          __typename: 'DebugLogEntry',
          type: 'DEBUG',
          who: 'eve',
          traceId: 't1',
          pid: 7,
          runtime: null,
          function: 'f',
          stackTrace: 's',
        },
      ],
    });
  });

  it.each<[string, object, string, string]>([
    ['no day', { days: 0 }, 'BAD_USER_INPUT', 'days'],
    ['too many days', { days: 3_651 }, 'BAD_USER_INPUT', 'days'],
    ['an empty app', { app: '' }, 'BAD_USER_INPUT', 'app'],
    ['an empty module', { module: '' }, 'BAD_USER_INPUT', 'module'],
    ['a NUL in the trace', { traceId: '\u0000' }, 'BAD_USER_INPUT', 'traceId'],
    ['a name without end', { who: 'x'.repeat(2_000) }, 'BAD_USER_INPUT', 'who'],
    ['a negative page', { first: -1 }, 'INVALID_PAGE_SIZE', 'first'],
    ['a page too large', { last: 201 }, 'INVALID_PAGE_SIZE', 'last'],
    ['a cursor of nothing', { after: 'x' }, 'INVALID_CURSOR', 'after'],
    ['an app that there is not', { app: 'none' }, 'NOT_FOUND', 'app'],
  ])('%s is refused by name', async (_, variables, code, argument) => {
    const { errors } = await audit.debugLog(audit.admin, { app: 'shop', ...variables });
    expect(errors).toMatchObject([{ code, argument }]);
  });

  it('a cursor goes on in its own list alone: not with other filters, nor in the activity log', async () => {
    const fields = 'pageInfo { endCursor }';
    const { data } = await audit.debugLog(audit.admin, { app: 'shop', first: 1 }, fields);
    const after = data.debugLog.pageInfo.endCursor;
    expect((await audit.debugIds(audit.admin, { app: 'shop', first: 1, after })).length).toBe(1);
    for (const other of [{ priority: 'WARN' }, { traceId: 't1' }, { days: 5 }, { module: 'db' }, { who: 'eve' }]) {
      const { errors } = await audit.debugLog(audit.admin, { app: 'shop', first: 1, after, ...other });
      expect(errors).toMatchObject([{ code: 'INVALID_CURSOR' }]);
    }
    expect((await audit.log(audit.admin, { app: 'shop', after })).errors).toMatchObject([{ code: 'INVALID_CURSOR' }]);
  });
});

describe('who sees what', () => {
  beforeAll(async () => {
    const entries = (app: string) => [
      debug('plain', 30, { app }),
      debug('order', 20, { app, class: 'order' }),
      debug('user', 10, { app, class: 'user' }),
      { ...debug('hidden', 5, { app }), type: 'A' },
      { ...debug('hidden-user', 5, { app, class: 'user' }), type: 'C', data: { entity: 'e', changes: [] } },
    ];
    await audit.write(audit.admin, {
      entries: [...entries('store'), ...entries('bank'), { ...debug('only', 5, { app: 'quiet' }), type: 'A' }],
    });
    await audit.write(audit.stranger, { entries: [...entries('store'), debug('foreign', 5, { app: 'foreign-app' })] });
  });

  const reader = (...scopes: Omit<Capability, 'action'>[]) =>
    audit.as(...scopes.map((scope) => ({ action: 'debug:read' as const, ...scope })));
  const all = ['user', 'order', 'plain'];

  it.each<[string, Omit<Capability, 'action'>[], Record<string, string[] | string>]>([
    ['everything', [{}], { store: all, bank: all }],
    ['one app', [{ app: 'store' }], { store: all, bank: 'FORBIDDEN' }],
    [
      'one class of an app: not the entries without a class',
      [{ app: 'store', class: 'user' }],
      { store: ['user'], bank: 'FORBIDDEN' },
    ],
    ['one class of every app', [{ class: 'order' }], { store: ['order'], bank: ['order'] }],
    ['several scopes', [{ app: 'store', class: 'order' }, { app: 'bank' }], { store: ['order'], bank: all }],
    ['a class that an app has not', [{ app: 'bank', class: 'none' }], { store: 'FORBIDDEN', bank: 'NOT_FOUND' }],
  ])('%s, by a capability for debug entries and by one for all', async (_, scopes, expected) => {
    const audited = audit.as(...scopes.map((scope) => ({ action: 'audit:read' as const, ...scope })));
    for (const identity of [reader(...scopes), audited]) {
      for (const [app, ids] of Object.entries(expected)) {
        const { data, errors } = await audit.debugLog(identity, { app }, 'totalCount { value } nodes { id }');
        expect(errors[0]?.code ?? data.debugLog.nodes.map(({ id }: { id: string }) => id)).toEqual(ids);
        if (errors.length === 0) expect(data.debugLog.totalCount.value).toBe(ids.length);
      }
    }
  });

  it('who may read debug entries alone sees nothing else, whatever way is tried', async () => {
    const identity = reader({});
    const { postgres } = audit.test.platform;
    for (const [query, code] of [
      ['{ activityLog(app: "store", days: 5) { nodes { id } } }', 'FORBIDDEN'],
      ['{ apps { name } }', 'FORBIDDEN'],
      ['{ _entities(representations: [{ __typename: "App", name: "store" }]) { ... on App { name } } }', 'FORBIDDEN'],
      [
        '{ _entities(representations: [{ __typename: "Actor", app: "store", who: "x" }]) { ... on Actor { who } } }',
        'FORBIDDEN',
      ],
      ['{ debugLog(app: "quiet", module: "web", priority: DEBUG2) { nodes { id } } }', 'NOT_FOUND'],
    ]) {
      expect((await audit.ask(identity, query!)).errors, query).toMatchObject([{ code }]);
    }
    const types = await postgres.withOrg(identity, (tx) => tx.query('SELECT DISTINCT type FROM audit_log'));
    expect(types).toEqual([{ type: 'D' }]);
    expect(await postgres.withOrg(identity, (tx) => tx.query('SELECT * FROM audit_names'))).toEqual([]);
  });

  it('a capability for all entries of one app and for the debug entries of another gives exactly both', async () => {
    const identity = audit.as(
      { action: 'audit:read', app: 'store', class: 'user' },
      { action: 'debug:read', app: 'bank' },
    );
    const rows = await audit.test.platform.postgres.withOrg(identity, (tx) =>
      tx.query<{ seen: string }>(`SELECT app || ' ' || id AS seen FROM audit_log ORDER BY 1`),
    );
    expect(rows.map(({ seen }) => seen)).toEqual([
      'bank order',
      'bank plain',
      'bank user',
      'store hidden-user',
      'store user',
    ]);
    expect(await audit.ids(identity, { app: 'store' })).toEqual(['hidden-user']);
    expect((await audit.log(identity, { app: 'bank' })).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
  });

  it('whatever the capabilities, exactly the entries that they name are rows', async () => {
    const { postgres } = audit.test.platform;
    const rowsOf = (identity: Identity) =>
      postgres.withOrg(identity, (tx) =>
        tx.query<{ app: string; class: string | null; type: string; id: string }>(
          `SELECT app, class, type, id FROM audit_log WHERE app IN ('store', 'bank') ORDER BY app, id`,
        ),
      );
    const all = await rowsOf(audit.admin);
    const capability = fc.record(
      {
        action: fc.constantFrom<Action>('audit:read', 'debug:read', 'audit:write'),
        app: fc.constantFrom('store', 'bank', 'none'),
        class: fc.constantFrom('order', 'user', 'none'),
      },
      { requiredKeys: ['action'] },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(capability, { maxLength: 4 }), async (capabilities) => {
        const identity = audit.as(...capabilities);
        const mayRead = (row: (typeof all)[number]) => {
          const scope = { app: row.app, ...(row.class === null ? {} : { class: row.class }) };
          const maySeeDebug = row.type === 'D' && hasCapability(identity, 'debug:read', scope);
          return maySeeDebug || hasCapability(identity, 'audit:read', scope);
        };
        expect(await rowsOf(identity)).toEqual(all.filter(mayRead));
      }),
      { numRuns: process.env.HARBORWATCH_DEEP ? 2_000 : 100 },
    );
  });

  it('another organisation’s app answers exactly as one that does not exist', async () => {
    const [foreign, missing] = await Promise.all([
      audit.debugLog(reader({}), { app: 'foreign-app' }),
      audit.debugLog(reader({}), { app: 'missing-app' }),
    ]);
    expect(foreign.errors).toMatchObject([{ code: 'NOT_FOUND', argument: 'app' }]);
    expect(foreign.errors[0]!.message.replace('foreign-app', 'missing-app')).toBe(missing.errors[0]!.message);
    expect(await audit.debugIds(audit.stranger, { app: 'foreign-app' })).toEqual(['foreign']);
  });

  it('a cursor is good only for who sees the same entries', async () => {
    const { data } = await audit.debugLog(reader({}), { app: 'store', first: 1 }, 'pageInfo { endCursor }');
    const after = data.debugLog.pageInfo.endCursor;
    expect(await audit.debugIds(reader({}), { app: 'store', after })).toEqual(['order', 'plain']);
    for (const other of [reader({ app: 'store' }), audit.admin, audit.stranger]) {
      expect((await audit.debugLog(other, { app: 'store', after })).errors).toMatchObject([{ code: 'INVALID_CURSOR' }]);
    }
  });

  it('nobody without a capability for the app', async () => {
    for (const identity of [audit.as(), audit.as({ action: 'events:read' }), reader({ app: 'bank' })]) {
      expect((await audit.debugLog(identity, { app: 'store' })).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
    }
  });
});
