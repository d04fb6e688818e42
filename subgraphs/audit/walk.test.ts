/** Walking through a timeline, whatever is written meanwhile. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Capability, Identity } from '../../platform/identity.js';
import type { PageArguments } from '../../platform/paging.js';
import { createTestPlatform, type TestPlatform } from '../../tests/setup/database.js';
import type { Entry } from './entry.js';
import { toMoment } from './nanoseconds.js';
import { AuditService, type Reader, type Timeline } from './service.js';
import { AuditStore, type LogName, type TimelineFilter } from './store.js';
import { parseEntry } from './wire.js';

let test: TestPlatform;
let store: AuditStore;
let service: AuditService;
let admin: Identity;
let reader: Reader;
let nowMs = Date.now();

beforeAll(async () => {
  test = await createTestPlatform();
  const { platform } = test;
  [admin] = test.orgs;
  reader = { identity: admin, remoteIp: null };
  store = new AuditStore(platform.postgres);
  service = new AuditService(store, platform.cursors, { now: () => nowMs }, platform.config, platform.logger);
  await makePartitions();
});
afterAll(() => test.close());

interface Planned {
  id: string;
  whenNs: bigint;
}

/** Moments that collide at every precision: the same nanosecond, microsecond, millisecond, and other months. */
const offsets = [
  0n,
  1n,
  2n,
  999n,
  1_000n,
  1_001n,
  999_999n,
  1_000_000n,
  1_000_001n,
  3_600_000_000_000n,
  -40n * 86_400_000_000_000n,
];
const base = BigInt(Date.now() - 2 * 86_400_000) * 1_000_000n + 123_456n;
const planned = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...offsets), fc.constantFrom(...'abcDEF12')), {
    maxLength: 40,
    selector: (pair) => pair.join(),
  })
  .map((pairs): Planned[] => pairs.map(([offset, id]) => ({ id, whenNs: base + offset })));

/** Makes every partition that the offsets need: writeLate goes past the service, which makes them. */
const makePartitions = () =>
  writeAll(
    'partitions',
    offsets.map((offset) => ({ id: 'p', whenNs: base + offset })),
  );

const newestFirst = (entries: Planned[]): string[] =>
  [...entries]
    .sort((a, b) => (a.whenNs !== b.whenNs ? (a.whenNs < b.whenNs ? 1 : -1) : a.id < b.id ? 1 : -1))
    .map(({ id, whenNs }) => `${toMoment(whenNs)} ${id}`);

/** What each log shows, and beside it entries at the same moments that it does not. */
const shown: Record<LogName, object> = {
  activityLog: { type: 'A' },
  debugLog: { type: 'D', module: 'web', pri: 'Warn' },
};
const hidden: Record<LogName, object[]> = {
  activityLog: [{ type: 'D' }],
  debugLog: [
    { type: 'D', module: 'web', pri: 'Info' },
    { type: 'D', module: 'db', pri: 'Sec' },
    { type: 'A', module: 'web', pri: 'Sec' },
  ],
};
const filterOf: Record<LogName, (app: string) => TimelineFilter> = {
  activityLog: (app) => ({ log: 'activityLog', app }),
  debugLog: (app) => ({ log: 'debugLog', app, module: 'web', priority: 'WARN' }),
};

const wire = (app: string, { id, whenNs }: Planned, log: LogName = 'activityLog') => ({
  id,
  app,
  when: toMoment(whenNs),
  ...shown[log],
});
const names = (timeline: Timeline): string[] =>
  timeline.page.edges.map(({ node }: { node: Entry }) => `${toMoment(node.whenNs)} ${node.id}`);

async function writeAll(app: string, planned: Planned[], log: LogName = 'activityLog'): Promise<void> {
  const entries = planned.flatMap((entry) => [
    wire(app, entry, log),
    ...hidden[log].map((fields, index) => ({ ...wire(app, entry), ...fields, id: `${entry.id}-hidden${index}` })),
  ]);
  if (entries.length > 0) await service.write(admin, { entries });
}

/** Writes in a transaction that commits only when told. */
async function writeLate(app: string, entries: Planned[], log: LogName = 'activityLog'): Promise<() => Promise<void>> {
  const written = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const committed = test.platform.postgres.withOrg(admin, async (tx) => {
    const context = { app, nowMs, maxBytes: 262_144 };
    await store.insertEntries(
      tx,
      admin.orgId,
      '0',
      entries.map((entry) => parseEntry(wire(app, entry, log), context)),
    );
    written.resolve();
    await released.promise;
  });
  await Promise.race([written.promise, committed]);
  return async () => {
    released.resolve();
    await committed;
  };
}

it.each<LogName>(['activityLog', 'debugLog'])(
  'every entry of %s is seen exactly once and in order, forward and backward, while others write',
  {
    timeout: 120_000,
  },
  async (log) => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        planned,
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
        fc.array(fc.constantFrom(...offsets), { minLength: 1, maxLength: 8 }),
        async (before, sizes, disturbances) => {
          const app = `${log}-${run++}`;
          const started: Planned[] = [{ id: 'first', whenNs: base }, ...before];
          await writeAll(app, started, log);
          const late: Planned[] = disturbances.map((offset, index) => ({ id: `late${index}`, whenNs: base + offset }));
          const commitLate = await writeLate(app, late, log);
          const read = (page: PageArguments) => service.timeline(reader, filterOf[log](app), 60, page);
          const size = (page: number) => sizes[page % sizes.length]!;
          const expected = newestFirst(started);
          const writes: Promise<void>[] = [];
          const during: Planned[] = [];

          const seen: string[] = [];
          let after: string | null = null;
          for (let page = 0; ; page += 1) {
            const timeline: Timeline = await read({ first: size(page), after });
            const { edges, pageInfo } = timeline.page;
            expect(edges.length).toBe(Math.min(size(page), expected.length - seen.length));
            seen.push(...names(timeline));
            expect(pageInfo).toMatchObject({ hasPreviousPage: page > 0, hasNextPage: seen.length < expected.length });
            if (page === 0) expect(await timeline.totalCount()).toEqual({ value: expected.length, relation: 'EXACT' });
            after = pageInfo.endCursor;
            // The clock goes on, and entries come in: newer, older, in the same nanosecond; one transaction commits late.
            nowMs += 1_000;
            if (page === 0) writes.push(commitLate());
            const entry = { id: `new${page}`, whenNs: base + disturbances[page % disturbances.length]! };
            during.push(entry);
            writes.push(writeAll(app, [entry], log));
            if (!pageInfo.hasNextPage) break;
          }
          expect(seen).toEqual(expected);
          const past = (await read({ first: 5, after })).page;
          expect([past.edges.length, past.pageInfo.hasPreviousPage, past.pageInfo.hasNextPage]).toEqual([
            0,
            true,
            false,
          ]);

          // Back from the last entry of the same walk: everything before it, as it was.
          const back: string[] = [];
          let cursor: string | null = after;
          for (let page = 0; cursor !== null; page += 1) {
            const timeline: Timeline = await read({ last: size(page), before: cursor });
            back.unshift(...names(timeline));
            expect(timeline.page.pageInfo).toMatchObject({
              hasNextPage: true,
              hasPreviousPage: back.length < expected.length - 1,
            });
            cursor = timeline.page.pageInfo.hasPreviousPage ? timeline.page.pageInfo.startCursor : null;
          }
          expect(back).toEqual(expected.slice(0, -1));

          // A new walk sees all that has come.
          await Promise.all(writes);
          const all = newestFirst([...started, ...late, ...during]);
          const fresh: string[] = [];
          let from: string | null = null;
          for (let page = 0; ; page += 1) {
            const timeline: Timeline = await read({ last: size(page), before: from });
            fresh.unshift(...names(timeline));
            if (!timeline.page.pageInfo.hasPreviousPage) break;
            from = timeline.page.pageInfo.startCursor;
          }
          expect(fresh).toEqual(all);
        },
      ),
      { numRuns: process.env.HARBORWATCH_DEEP ? 200 : 10 },
    );
  },
);

it('entries of a transaction that is still open elsewhere do not hide what was just written', async () => {
  await writeAll('fresh', [{ id: 'one', whenNs: base }]);
  const commit = await writeLate('fresh', [{ id: 'open', whenNs: base }]);
  await writeAll('fresh', [{ id: 'two', whenNs: base }]);
  const { page } = await service.timeline(reader, { log: 'activityLog', app: 'fresh' }, 60, {});
  expect(page.edges.map(({ node }) => node.id)).toEqual(['two', 'one']);
  await commit();
});

it.each<[string, LogName, Capability[]]>([
  ['activityLog', 'activityLog', [{ action: 'audit:read' }]],
  ['debugLog', 'debugLog', [{ action: 'audit:read' }]],
  [
    'debugLog of who may read it alone, of one app',
    'debugLog',
    [{ action: 'debug:read', app: 'planned debugLog of who' }],
  ],
])('a page of %s reads one partition after another and no more rows than it shows', async (name, log, capabilities) => {
  const app = `planned ${name}`.slice(0, 23);
  const monthNs = 31n * 86_400_000_000_000n;
  const entries = Array.from({ length: 900 }, (_, index) => ({
    id: String(index),
    whenNs: base - BigInt(index % 9) * monthNs - BigInt(index),
  }));
  for (let from = 0; from < entries.length; from += 200) await writeAll(app, entries.slice(from, from + 200), log);
  await test.database.asSuperuser('ANALYZE app.audit_log');
  const plan = await store.read({ ...admin, capabilities }, async (tx) => {
    const walk = await store.beginWalk(tx, nowMs - 365 * 86_400_000);
    const explain = {
      query: <Row>(sql: string, parameters?: unknown[]) =>
        tx.query<Row>(`EXPLAIN (ANALYZE, FORMAT JSON) ${sql}`, parameters),
    };
    const [row] = await store.readTimeline(explain, filterOf[log](app), walk, {
      towards: 'OLDER',
      from: { whenNs: String(base - 5n * monthNs), id: '~' },
      limit: 10,
    });
    return (row as unknown as Record<string, PlanRow[]>)['QUERY PLAN']![0]!.Plan;
  });
  const nodes = flatten(plan);
  expect(nodes.map((node) => node['Node Type'])).toContain('Append');
  expect(nodes.map((node) => node['Node Type'])).not.toContain('Sort');
  const scans = nodes.filter(
    (node) => String(node['Node Type']).includes('Scan') && String(node['Relation Name']).startsWith('audit_log_'),
  );
  expect(scans.length).toBeLessThan(10);
  const read = scans.filter((node) => node['Actual Loops'] !== 0);
  expect(read).toHaveLength(1);
  expect([read[0]!['Actual Rows'], read[0]!['Rows Removed by Filter'] ?? 0]).toEqual([10, 0]);
});

interface PlanNode {
  Plans?: PlanNode[];
  [key: string]: unknown;
}
interface PlanRow {
  Plan: PlanNode;
}
const flatten = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(flatten)];
