/** The audit log through its GraphQL schema: what is written, what is asked. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Identity } from '../../platform/identity.js';
import { emit, followOutbox } from '../../platform/outbox.js';
import { printSubgraph } from '../../platform/subgraph.js';
import { eventually } from '../../tests/setup/until.js';
import { audit as subgraph } from './index.js';
import { at, TestAudit, writeMutation } from './testing.js';

let audit: TestAudit;

beforeAll(async () => {
  audit = await TestAudit.start();
});
afterAll(() => audit.close());

describe('writing', () => {
  it('answers every type of entry with its own fields, exactly as it was sent', async () => {
    const change = {
      entity: 'account',
      op: 'update',
      changes: [
        { field: 'limit', old_value: 5, new_value: '7' },
        { field: 'note', new_value: 'x' },
      ],
    };
    const receipt = await audit.write(audit.admin, {
      app: 'types',
      batchId: 'types-1',
      entries: [
        {
          id: 'a',
          type: 'A',
          pri: 'sec',
          when: at(10).replace('Z', '123456Z'),
          who: 'ana',
          op: 'login',
          instance_id: '1',
          class: 'user',
          remote_ip: 'LOCAL',
          status: 1,
          error: 'no',
          msg: 'hello',
          module: 'web',
          data: { activity_data: { k: 'v' } },
          trace_id: 't1',
          span_id: 's1',
          system: 'srv',
        },
        { id: 'b', type: 'C', when: at(20), who: 'ben', remote_ip: '192.168.1.9', data: { change_data: change } },
        { id: 'c', type: 'U', when: at(30), remote_ip: '2001:db8::7', data: change },
        { id: 'd', type: 'D', when: at(40), data: { debug_data: { pid: 1 } } },
      ],
    });
    expect(receipt).toEqual({ accepted: 4, rejected: [], batchId: 'types-1', duplicate: false });
    const { data } = await audit.log(
      audit.reader(),
      { app: 'types' },
      `totalCount { value relation } nodes {
      __typename id when who system module op priority class instanceId status error remote type msg traceId spanId data
      app { name modules classes entryCount { value relation } } actor { app who firstSeenAt lastSeenAt } remoteIp { address family isPrivate }
      ... on DataChangeLogEntry { entity changes { field oldValue newValue } } }`,
    );
    const app = { name: 'types', modules: ['web'], classes: ['user'], entryCount: { value: 4, relation: 'EXACT' } };
    const none = {
      system: null,
      module: null,
      op: null,
      class: null,
      instanceId: null,
      error: null,
      traceId: null,
      spanId: null,
    };
    const normal = { ...none, app, priority: 'INFO', status: 'SUCCESS', msg: '' };
    const [first, second, third] = [at(10).replace('Z', '123456Z'), at(20), at(30)].map((time) =>
      time.replace(/\.?0*Z$/, 'Z'),
    );
    expect(data.activityLog.totalCount).toEqual({ value: 3, relation: 'EXACT' });
    expect(data.activityLog.nodes).toEqual([
      {
        __typename: 'ActivityLogEntry',
        id: 'a',
        when: first,
        who: 'ana',
        system: 'srv',
        module: 'web',
        op: 'login',
        priority: 'SEC',
        class: 'user',
        instanceId: '1',
        status: 'FAILURE',
        error: 'no',
        remote: 'LOCAL',
        type: 'ACTIVITY',
        msg: 'hello',
        traceId: 't1',
        spanId: 's1',
        data: { k: 'v' },
        app,
        actor: { app: 'types', who: 'ana', firstSeenAt: first, lastSeenAt: first },
        remoteIp: null,
      },
      {
        ...normal,
        __typename: 'DataChangeLogEntry',
        id: 'b',
        when: second,
        who: 'ben',
        op: 'update',
        type: 'CHANGE',
        data: change,
        remote: '192.168.1.9',
        actor: { app: 'types', who: 'ben', firstSeenAt: second, lastSeenAt: second },
        remoteIp: { address: '192.168.1.9', family: 4, isPrivate: true },
        entity: 'account',
        changes: [
          { field: 'limit', oldValue: '5', newValue: '7' },
          { field: 'note', oldValue: null, newValue: 'x' },
        ],
      },
      {
        ...normal,
        __typename: 'ActivityLogEntry',
        id: 'c',
        when: third,
        who: null,
        type: 'UNKNOWN',
        data: change,
        actor: null,
        remote: '2001:db8::7',
        remoteIp: { address: '2001:db8::7', family: 6, isPrivate: false },
      },
    ]);
  });

  it('names bad entries by place and field and stores the good ones', async () => {
    const receipt = await audit.write(audit.admin, {
      entries: [
        { id: 'good', app: 'partly', type: 'A', when: at(1) },
        { app: 'partly', type: 'A' },
        { app: 'partly', type: 'A', when: at(1), pri: 'loud' },
        'text',
        { app: 'partly', type: 'C', when: at(1), data: { entity: 'e', changes: [{}] } },
        { app: 'partly', type: 'A', when: at(1), data: 'x'.repeat(262_144) },
        { app: 'harborwatch', type: 'A', when: at(1), op: 'sign-in' },
      ],
    });
    expect(receipt.accepted).toBe(1);
    expect(receipt.rejected.map(({ index, code, field }: Record<string, unknown>) => [index, code, field])).toEqual([
      [1, 'EVENT_INVALID', 'when'],
      [2, 'EVENT_INVALID', 'pri'],
      [3, 'EVENT_INVALID', null],
      [4, 'EVENT_INVALID', 'data.changes[0]'],
      [5, 'EVENT_TOO_LARGE', null],
      [6, 'FORBIDDEN', 'app'],
    ]);
    expect(await audit.ids(audit.admin, { app: 'partly' })).toEqual(['good']);
  });

  it('stores a batch that is sent many times at once exactly once', async () => {
    const input = { app: 'twice', batchId: 'same', entries: [{ type: 'A', when: at(1), msg: 'one' }, { type: 'A' }] };
    const receipts = await Promise.all(Array.from({ length: 8 }, () => audit.write(audit.admin, input)));
    expect(receipts.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    for (const { accepted, rejected } of receipts)
      expect([accepted, rejected.length, rejected[0].field]).toEqual([1, 1, 'when']);
    expect(await audit.ids(audit.admin, { app: 'twice' })).toHaveLength(1);
  });

  it('stores an entry once that comes again in another batch', async () => {
    const entry = { id: 'again', type: 'A', when: at(5) };
    for (const batchId of ['again-1', 'again-2'])
      await audit.write(audit.admin, { app: 'again', batchId, entries: [entry] });
    expect(await audit.ids(audit.admin, { app: 'again' })).toEqual(['again']);
  });

  it('refuses a call without entries, with too many, or with a batch id that cannot be', async () => {
    const calls: [object, string, string][] = [
      [{ entries: [] }, 'BAD_USER_INPUT', 'input.entries'],
      [{ entries: Array.from({ length: 1_001 }, () => ({})) }, 'PAYLOAD_TOO_LARGE', 'input.entries'],
      [{ entries: [{}], batchId: '' }, 'BAD_USER_INPUT', 'input.batchId'],
      [{ entries: [{}], app: 'x'.repeat(129) }, 'BAD_USER_INPUT', 'input.app'],
    ];
    for (const [input, code, argument] of calls) {
      expect((await audit.ask(audit.admin, writeMutation, { input })).errors).toMatchObject([{ code, argument }]);
    }
  });

  it('asks for audit:write in the app, and for nothing else', async () => {
    const writer = audit.as({ action: 'audit:write', app: 'own' });
    const entries = [
      { id: 'x', type: 'A', when: at(1) },
      { app: 'other', type: 'A', when: at(1) },
    ];
    const receipt = await audit.write(writer, { app: 'own', entries });
    expect(receipt.accepted).toBe(1);
    expect(receipt.rejected).toMatchObject([{ index: 1, code: 'FORBIDDEN', field: 'app' }]);
    expect(await audit.ids(audit.reader(), { app: 'own' })).toEqual(['x']);
    for (const identity of [audit.reader(), audit.as({ action: 'audit:write', app: 'third' })]) {
      expect((await audit.ask(identity, writeMutation, { input: { app: 'own', entries } })).errors).toMatchObject([
        { code: 'FORBIDDEN' },
      ]);
    }
    expect((await audit.log(writer, { app: 'own' })).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
  });

  it('tells the change feed in the same transaction', async () => {
    const { batchId } = await audit.write(audit.admin, {
      app: 'feed',
      entries: [
        { type: 'A', when: at(120) },
        { type: 'A', when: at(1) },
      ],
    });
    const [row] = await audit.test.database.asSuperuser<{ rows: number; minutes: number }>(
      `SELECT f.row_count AS rows, cardinality(f.minutes) AS minutes FROM app.change_feed f JOIN app.ingest_batches b USING (org_id, batch_no)
        WHERE f.dataset = 'audit_log' AND b.batch_id = $1`,
      [batchId],
    );
    expect(row).toEqual({ rows: 2, minutes: 2 });
  });
});

describe('asking', () => {
  it('filters by actor, class and instance within the days', async () => {
    await audit.write(audit.admin, {
      app: 'filters',
      entries: [
        { id: '1', type: 'A', when: at(1), who: 'a', class: 'k', instance: 'i' },
        { id: '2', type: 'C', when: at(2), who: 'a', class: 'k', instance: 'j', data: { entity: 'e', changes: [] } },
        { id: '3', type: 'A', when: at(3), who: 'b', class: 'l', instance: 'i' },
        { id: '4', type: 'A', when: at(2 * 86_400), who: 'a', class: 'k', instance: 'i' },
      ],
    });
    expect(await audit.ids(audit.admin, { app: 'filters', who: 'a' })).toEqual(['1', '2', '4']);
    expect(await audit.ids(audit.admin, { app: 'filters', class: 'k', days: 1 })).toEqual(['1', '2']);
    expect(await audit.ids(audit.admin, { app: 'filters', class: 'k', instanceId: 'i' })).toEqual(['1', '4']);
    expect(await audit.ids(audit.admin, { app: 'filters', who: 'c' })).toEqual([]);
  });

  it('refuses days, page sizes and texts that cannot be', async () => {
    const calls: [object, string, string][] = [
      [{ days: 0 }, 'BAD_USER_INPUT', 'days'],
      [{ days: 3_651 }, 'BAD_USER_INPUT', 'days'],
      [{ who: '\u0000' }, 'BAD_USER_INPUT', 'who'],
      [{ app: '' }, 'BAD_USER_INPUT', 'app'],
      [{ first: -1 }, 'INVALID_PAGE_SIZE', 'first'],
      [{ first: 201 }, 'INVALID_PAGE_SIZE', 'first'],
      [{ first: 1, last: 1 }, 'INVALID_PAGE_SIZE', 'last'],
      [{ after: 'x' }, 'INVALID_CURSOR', 'after'],
    ];
    for (const [variables, code, argument] of calls) {
      expect((await audit.log(audit.admin, { app: 'filters', ...variables })).errors).toMatchObject([
        { code, argument },
      ]);
    }
  });

  it('a cursor is good for its own list, filters, organisation and scope only', async () => {
    const { data } = await audit.log(audit.admin, { app: 'filters', first: 1 }, 'pageInfo { endCursor }');
    const after = data.activityLog.pageInfo.endCursor;
    expect(await audit.ids(audit.admin, { app: 'filters', after })).toEqual(['2', '3', '4']);
    await audit.write(audit.stranger, { app: 'filters', entries: [{ type: 'A', when: at(1) }] });
    const others: [Identity, object][] = [
      [audit.admin, { who: 'a' }],
      [audit.admin, { days: 31 }],
      [audit.admin, { app: 'types' }],
      [audit.stranger, {}],
      [audit.reader({ app: 'filters' }), {}],
    ];
    for (const [identity, variables] of others) {
      expect((await audit.log(identity, { app: 'filters', after, ...variables })).errors).toMatchObject([
        { code: 'INVALID_CURSOR', argument: 'after' },
      ]);
    }
  });
});

it('a sign-in that the outbox tells of is written once, however often it is told', async () => {
  const { platform } = audit.test;
  const userId = audit.admin.subject.userId!;
  await platform.postgres.withOrg(audit.admin, async (tx) => {
    const event = {
      op: 'sign-in',
      module: 'accounts',
      who: 'admin@one.example',
      class: 'user',
      instanceId: userId,
      message: 'Somebody signed in.',
    };
    const right = { outcome: 'SUCCESS', remoteIp: '203.0.113.7', at: at(5) } as const;
    const wrong = { outcome: 'FAILURE', priority: 'WARN', remoteIp: null, at: at(6) } as const;
    await emit(tx, audit.admin.orgId, 'audit.entry', { ...event, ...right });
    await emit(tx, audit.admin.orgId, 'audit.entry', { ...event, ...wrong });
  });
  const fields = 'nodes { who op priority status class instanceId remoteIp { address } }';
  const expected = [
    {
      who: 'admin@one.example',
      op: 'sign-in',
      priority: 'INFO',
      status: 'SUCCESS',
      class: 'user',
      instanceId: userId,
      remoteIp: { address: '203.0.113.7' },
    },
    {
      who: 'admin@one.example',
      op: 'sign-in',
      priority: 'WARN',
      status: 'FAILURE',
      class: 'user',
      instanceId: userId,
      remoteIp: null,
    },
  ];
  // Two consumers are told of the same events, as one would be after a crash before its checkpoint.
  for (const consumer of ['audit', 'audit-again']) {
    const follower = followOutbox(platform.postgres, consumer, subgraph.create(platform).events!, platform.logger);
    await eventually(async () => {
      const [checkpoint] = await audit.test.database.asSuperuser<{ done: boolean }>(
        `SELECT (c.tx, c.seq) >= (SELECT o.tx, o.seq FROM app.outbox o ORDER BY tx DESC, seq DESC LIMIT 1) AS done
           FROM app.checkpoints c WHERE c.log = 'outbox' AND c.consumer = $1`,
        [consumer],
      );
      expect(checkpoint?.done).toBe(true);
    });
    await follower.stop();
    const { data } = await audit.log(audit.admin, { app: 'harborwatch', class: 'user' }, fields);
    expect(data.activityLog.nodes).toEqual(expected);
  }
});

it('the schema carries the contract’s names', () => {
  const sdl = printSubgraph(subgraph);
  for (const line of [
    'type Actor @key(fields: "app who")',
    'type App @key(fields: "name")',
    'type IpAddress @key(fields: "address")',
    'interface LogEntry',
  ]) {
    expect(sdl).toContain(line);
  }
  for (const name of ['ActivityLogEntry', 'DataChangeLogEntry', 'DebugLogEntry'])
    expect(sdl).toContain(`type ${name} implements LogEntry`);
});
