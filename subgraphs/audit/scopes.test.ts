/** Who sees which entries: scopes, organisations, entities. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Capability } from '../../platform/identity.js';
import { at, TestAudit } from './testing.js';

let audit: TestAudit;

beforeAll(async () => {
  audit = await TestAudit.start();
});
afterAll(() => audit.close());

describe('who sees what', () => {
  beforeAll(async () => {
    const entry = (id: string, app: string, className?: string, who = 'eve') => ({
      id,
      app,
      type: 'A',
      when: at(60),
      class: className,
      who,
      module: `m-${id}`,
    });
    await audit.write(audit.admin, {
      entries: [
        entry('s1', 'store', 'order'),
        entry('s2', 'store', 'user'),
        entry('s3', 'store'),
        entry('b1', 'bank', 'user'),
        entry('b2', 'bank', 'loan'),
      ],
    });
    await audit.write(audit.stranger, {
      entries: [entry('foreign', 'store', 'order'), entry('hidden', 'foreign-app', 'order')],
    });
  });

  const appsQuery = '{ apps { name classes modules entryCount { value } } }';
  const names = ['store', 'bank'];

  it.each<[string, Omit<Capability, 'action'>[], Record<string, string[] | string>]>([
    ['everything', [{}], { store: ['s3', 's2', 's1'], bank: ['b2', 'b1'] }],
    ['one app', [{ app: 'store' }], { store: ['s3', 's2', 's1'], bank: 'FORBIDDEN' }],
    [
      'one class of an app: not the entries without a class',
      [{ app: 'store', class: 'user' }],
      { store: ['s2'], bank: 'FORBIDDEN' },
    ],
    ['one class of every app', [{ class: 'user' }], { store: ['s2'], bank: ['b1'] }],
    ['several scopes', [{ app: 'store', class: 'order' }, { app: 'bank' }], { store: ['s1'], bank: ['b2', 'b1'] }],
    [
      'an app that has nothing of the class',
      [{ app: 'bank', class: 'order' }, { app: 'store' }],
      { store: ['s3', 's2', 's1'], bank: 'NOT_FOUND' },
    ],
  ])('%s', async (_, scopes, expected) => {
    const identity = audit.as(...scopes.map((scope) => ({ action: 'audit:read' as const, ...scope })));
    for (const app of names) {
      const { data, errors } = await audit.log(identity, { app });
      expect(errors[0]?.code ?? data.activityLog.nodes.map(({ id }: { id: string }) => id)).toEqual(expected[app]);
    }
    const visible = names.filter((app) => Array.isArray(expected[app])).sort();
    const { data } = await audit.ask(identity, appsQuery);
    const listed = data.apps.filter(({ name }: { name: string }) => names.includes(name));
    expect(listed.map(({ name }: { name: string }) => name)).toEqual(visible);
    for (const app of listed) {
      expect(app.entryCount.value).toBe(expected[app.name]!.length);
      expect(app.modules).toEqual([...expected[app.name]!].sort().map((id) => `m-${id}`));
    }
  });

  it('another organisation’s app answers exactly as one that does not exist', async () => {
    const [foreign, missing] = await Promise.all([
      audit.log(audit.admin, { app: 'foreign-app' }),
      audit.log(audit.admin, { app: 'missing-app' }),
    ]);
    expect(foreign.errors).toMatchObject([{ code: 'NOT_FOUND', argument: 'app' }]);
    expect(foreign.errors[0]!.message.replace('foreign-app', 'missing-app')).toBe(missing.errors[0]!.message);
    expect(await audit.ids(audit.stranger, { app: 'store' })).toEqual(['foreign']);
  });

  it('nobody without audit:read, even where a class is asked for that the capability does not name', async () => {
    for (const identity of [
      audit.as(),
      audit.as({ action: 'events:read' }),
      audit.reader({ app: 'bank' }),
      audit.reader({ app: 'store', class: 'user' }),
    ]) {
      const answer = await audit.log(identity, { app: 'store', class: 'order' });
      expect(answer.errors).toMatchObject([{ code: 'FORBIDDEN' }]);
    }
    expect((await audit.ask(audit.as(), appsQuery)).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
  });

  it('entities are answered to those who see them', async () => {
    const query = `query ($r: [_Any!]!) { _entities(representations: $r) { __typename
      ... on App { name classes } ... on Actor { who lastSeenAt activity(days: 30) { nodes { id } } } ... on IpAddress { isPrivate family } } }`;
    const r = [
      { __typename: 'App', name: 'store' },
      { __typename: 'App', name: 'foreign-app' },
      { __typename: 'Actor', app: 'store', who: 'eve' },
      { __typename: 'Actor', app: 'bank', who: 'eve' },
      { __typename: 'Actor', app: 'store', who: 'nobody' },
      { __typename: 'IpAddress', address: '100.64.0.1' },
      { __typename: 'IpAddress', address: 'LOCAL' },
    ];
    const { data } = await audit.ask(audit.reader({ app: 'store', class: 'user' }), query, { r });
    expect(data._entities).toEqual([
      { __typename: 'App', name: 'store', classes: ['user'] },
      null,
      {
        __typename: 'Actor',
        who: 'eve',
        lastSeenAt: at(60).replace(/\.?0*Z$/, 'Z'),
        activity: { nodes: [{ id: 's2' }] },
      },
      null,
      null,
      { __typename: 'IpAddress', isPrivate: true, family: 4 },
      null,
    ]);
  });

  it('no role of the product can change or delete an entry', async () => {
    for (const statement of [`UPDATE audit_log SET msg = ''`, 'DELETE FROM audit_log', 'TRUNCATE audit_log']) {
      await expect(audit.test.platform.postgres.withOrg(audit.admin, (tx) => tx.query(statement))).rejects.toThrow(
        /permission denied/,
      );
    }
  });
});
