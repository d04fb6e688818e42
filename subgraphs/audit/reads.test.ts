/** Reads of audit logs are written down. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Identity } from '../../platform/identity.js';
import { roleNames } from '../../platform/postgres/roles.js';
import { at, TestAudit } from './testing.js';

let audit: TestAudit;

beforeAll(async () => {
  audit = await TestAudit.start();
  const entry = (id: string, type: string) => ({ id, app: 'shop', type, module: 'web', when: at(60), who: 'eve' });
  await audit.write(audit.admin, { entries: [entry('a', 'A'), entry('b', 'A'), entry('d', 'D'), entry('e', 'D')] });
});
afterAll(() => audit.close());
beforeEach(async () => {
  await audit.test.database.asSuperuser('DELETE FROM app.outbox');
});

const written = async (): Promise<Record<string, unknown>[]> =>
  (
    await audit.test.database.asSuperuser<{ payload: Record<string, unknown> }>(
      `SELECT payload FROM app.outbox WHERE type = 'audit.entry' ORDER BY tx, seq`,
    )
  ).map(({ payload }) => payload);

const pageInfo = 'pageInfo { startCursor endCursor }';

it('once a walk, at its beginning, with who read what', async () => {
  for (const [log, ask] of [
    ['activityLog', audit.log.bind(audit)],
    ['debugLog', audit.debugLog.bind(audit)],
  ] as const) {
    await audit.test.database.asSuperuser('DELETE FROM app.outbox');
    const first = (await ask(audit.admin, { app: 'shop', who: 'eve', first: 1, days: 9 }, pageInfo)).data[log].pageInfo;
    expect(await written()).toEqual([
      expect.objectContaining({
        op: 'audit.read',
        module: 'audit',
        who: 'admin@one.example',
        class: 'app',
        instanceId: 'shop',
        outcome: 'SUCCESS',
        remoteIp: null,
        data: {
          log,
          app: 'shop',
          who: 'eve',
          days: 9,
          requestId: audit.admin.requestId,
          ...(log === 'debugLog' ? { module: 'web', priority: 'DEBUG2' } : {}),
        },
      }),
    ]);
    const more = { app: 'shop', who: 'eve', days: 9 };
    expect((await ask(audit.admin, { ...more, first: 1, after: first.endCursor })).errors).toEqual([]);
    expect((await ask(audit.admin, { ...more, last: 1, before: first.startCursor })).errors).toEqual([]);
    expect(await written()).toHaveLength(1);
    await ask(audit.admin, { ...more, last: 1 });
    expect(await written()).toHaveLength(2);
  }
});

it('once for an actor, however many entries lead to it', async () => {
  const fields =
    'nodes { id actor { activity(days: 9, first: 1) { nodes { id } } other: activity(days: 8) { nodes { id } } } }';
  const { data } = await audit.log(audit.admin, { app: 'shop' }, fields);
  const actor = { activity: { nodes: [{ id: 'b' }] }, other: { nodes: [{ id: 'b' }, { id: 'a' }] } };
  expect(data.activityLog.nodes).toEqual(['b', 'a'].map((id) => ({ id, actor })));
  expect((await written()).map((entry) => (entry.data as { days: number }).days).sort()).toEqual([30, 8, 9]);
});

it('by whoever reads: with another one’s cursor nobody goes on', async () => {
  const { endCursor } = (await audit.log(audit.admin, { app: 'shop', first: 1 }, pageInfo)).data.activityLog.pageInfo;
  const id = crypto.randomUUID();
  const colleague: Identity = { ...audit.admin, subject: { kind: 'USER', id, userId: id } };
  const { errors } = await audit.log(colleague, { app: 'shop', after: endCursor });
  expect(errors).toMatchObject([{ code: 'INVALID_CURSOR' }]);
  const program: Identity = { ...audit.admin, subject: { ...audit.admin.subject, kind: 'API_KEY', id } };
  expect((await audit.log(program, { app: 'shop', after: endCursor })).errors).toEqual([]);
});

it('not where nothing was read', async () => {
  await audit.log(audit.admin, { app: 'none' });
  await audit.log(audit.admin, { app: 'shop', days: 0 });
  await audit.log(audit.admin, { app: 'shop', after: 'x' });
  await audit.log(audit.reader({ app: 'bank' }), { app: 'shop' });
  await audit.ask(audit.admin, '{ apps { name entryCount { value } } }');
  expect(await written()).toEqual([]);
});

it('one that cannot be written down is refused, and answers nothing', async () => {
  await audit.test.database.asSuperuser(`REVOKE INSERT ON app.outbox FROM ${roleNames.app}`);
  try {
    const { data, errors } = await audit.log(audit.admin, { app: 'shop' });
    expect(errors).toMatchObject([{ code: 'SERVICE_UNAVAILABLE' }]);
    expect(JSON.stringify(data)).not.toContain('shop');
  } finally {
    await audit.test.database.asSuperuser(`GRANT INSERT ON app.outbox TO ${roleNames.app}`);
  }
  expect(await audit.ids(audit.admin, { app: 'shop' })).toEqual(['b', 'a']);
});
