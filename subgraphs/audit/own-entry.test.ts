import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { emit, followOutbox, type SelfAuditEntry } from '../../platform/outbox.js';
import { eventually } from '../../tests/setup/until.js';
import { audit as subgraph } from './index.js';
import { toOwnEntry } from './own-entry.js';
import { TestAudit } from './testing.js';
import { textLimits } from './wire.js';

let audit: TestAudit;
beforeAll(async () => {
  audit = await TestAudit.start();
});
afterAll(() => audit.close());

/** Texts with NUL, halves of surrogate pairs, and characters of every length, some far over every limit. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: fc.constantFrom('\u0000', '\ud83d', '\ude00', '€', '😀', '"', '\\') }),
  fc
    .tuple(fc.constantFrom('a', '€', '😀', '\u0000', '\ud800'), fc.constantFrom(130, 1_100, 70_000))
    .map(([unit, times]) => unit.repeat(times)),
);
const deep = (levels: number): unknown => (levels === 0 ? 'end' : [{ deep: deep(levels - 1) }]);
const data = fc.oneof(
  fc.dictionary(text, fc.jsonValue({ noUnicodeString: false })),
  fc.dictionary(fc.constantFrom('activity_data', 'requestId'), text),
  fc.constantFrom({ deep: deep(80) }, { many: Array.from({ length: 30_000 }, (_, place) => `value ${place}`) }),
);
const told: fc.Arbitrary<SelfAuditEntry> = fc.record(
  {
    op: text,
    module: text,
    who: text,
    class: text,
    instanceId: fc.option(text),
    outcome: fc.constantFrom('SUCCESS', 'FAILURE'),
    message: text,
    error: text,
    remoteIp: fc.option(fc.oneof(text, fc.ipV6(), fc.ipV4())),
    at: fc.oneof(
      text,
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    ),
    data,
    priority: fc.constantFrom('INFO', 'WARN', 'SEC'),
  },
  { requiredKeys: ['op', 'module', 'who', 'class', 'instanceId', 'outcome', 'message', 'remoteIp', 'at'] },
) as fc.Arbitrary<SelfAuditEntry>;

it('whatever is told becomes an entry within the log’s limits', () => {
  fc.assert(
    fc.property(told, (one) => {
      const entry = toOwnEntry('own', one, Date.now());
      expect(entry).toMatchObject({ id: 'own', app: 'harborwatch', type: 'A', status: one.outcome });
      expect(Buffer.byteLength(entry.msg)).toBeLessThanOrEqual(textLimits.msg);
      expect(Buffer.byteLength(JSON.stringify(entry))).toBeLessThan(1_000_000);
    }),
    { numRuns: process.env.HARBORWATCH_DEEP ? 5_000 : 300 },
  );
});

it('whatever is told is stored, and nothing behind it waits', async () => {
  const { postgres, logger } = audit.test.platform;
  const odd = fc.sample(told, { numRuns: process.env.HARBORWATCH_DEEP ? 500 : 40, seed: 7 });
  const last: SelfAuditEntry = {
    op: 'last',
    module: 'm',
    who: 'w',
    class: 'c',
    instanceId: null,
    outcome: 'SUCCESS',
    message: '',
    remoteIp: null,
    at: new Date().toISOString(),
  };
  for (const one of [...odd, last])
    await postgres.withOrg(audit.admin, (tx) => emit(tx, audit.admin.orgId, 'audit.entry', one));
  const follower = followOutbox(postgres, 'audit', subgraph.create(audit.test.platform).events!, logger);
  try {
    await eventually(async () => {
      const [row] = await audit.test.database.asSuperuser<{ entries: number; last: boolean }>(
        `SELECT count(*)::int AS entries, bool_or(op = 'last') AS last FROM app.audit_log WHERE app = 'harborwatch'`,
      );
      expect(row).toEqual({ entries: odd.length + 1, last: true });
    }, 120_000);
  } finally {
    await follower.stop();
  }
}, 150_000);
