import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestPlatform, type TestPlatform } from '../../tests/setup/database.js';
import { eventually } from '../../tests/setup/until.js';
import { readDatasetFeed } from '../feed.js';
import { emit, followOutbox } from '../outbox.js';

let test: TestPlatform;
beforeAll(async () => {
  test = await createTestPlatform();
});
afterAll(() => test.close());

/** Writes an event and keeps its transaction open for a moment, so that sequence order is not commit order. */
const write = (collectionId: string, holdMs = 0, org = 0) =>
  test.platform.postgres.withOrg(test.orgs[org]!, async (tx) => {
    await emit(tx, test.orgs[org]!.orgId, 'collections.changed', { collectionId });
    await tx.query('SELECT pg_sleep($1)', [holdMs / 1000]);
  });

const follow = (domain: string, seen: string[], onEvent: (id: string) => void = () => {}) =>
  followOutbox(
    test.platform.postgres,
    domain,
    {
      'collections.changed': async ({ payload }) => {
        onEvent(payload.collectionId);
        seen.push(payload.collectionId);
      },
    },
    test.platform.logger,
  );

describe('a log', () => {
  it('is read in the order of its numbers, page after page, also where they gain a digit', async () => {
    const rows = await test.platform.postgres.withOrg(test.orgs[1]!, async (tx) => {
      await tx.query(
        `INSERT INTO change_feed (tx, org_id, dataset, batch_no, min_time, max_time, minutes, row_count)
         SELECT number::text::xid8, $1, 'digits', number, now(), now(), '{}', 1 FROM unnest('{9,10,99,100}'::int[]) AS number`,
        [test.orgs[1]!.orgId],
      );
      const first = await readDatasetFeed(tx, 'digits', { tx: '0', seq: '0' }, 3);
      return [...first, ...(await readDatasetFeed(tx, 'digits', first.at(-1)!, 3))];
    });
    expect(rows.map((row) => row.tx)).toEqual(['9', '10', '99', '100']);
  });
});

describe('a follower', () => {
  it('hands over every row once, though transactions commit out of their order', async () => {
    const seen: string[] = [];
    const follower = follow('order', seen);
    const ids = Array.from({ length: 60 }, (_, index) => `order-${index}`);
    await Promise.all(ids.map((id, index) => write(id, (index * 37) % 60)));
    await eventually(() => expect(seen.filter((id) => id.startsWith('order-')).toSorted()).toEqual(ids.toSorted()));
    await follower.stop();
  });

  it('goes on from its checkpoint after a stop, and keeps one checkpoint for each consumer', async () => {
    const first: string[] = [];
    let follower = follow('again', first);
    await write('again-1');
    await eventually(() => expect(first).toContain('again-1'));
    await follower.stop();
    await write('again-2');
    const second: string[] = [];
    follower = follow('again', second);
    await eventually(() => expect(second).toEqual(['again-2']));
    await follower.stop();
    const other: string[] = [];
    follower = follow('another', other);
    await eventually(() => expect(other).toEqual(expect.arrayContaining(['again-1', 'again-2'])));
    await follower.stop();
  });

  it('repeats what failed until it succeeds, and loses nothing', async () => {
    const seen: string[] = [];
    let failures = 2;
    const follower = follow('retry', seen, (id) => {
      if (id === 'retry-1' && failures-- > 0) throw new Error('not yet');
    });
    await write('retry-1');
    await write('retry-2');
    await eventually(() => expect(seen.filter((id) => id.startsWith('retry-'))).toEqual(['retry-1', 'retry-2']));
    await follower.stop();
  });

  it('is one at a time for a consumer: the second takes over when the first ends', async () => {
    const [first, second]: [string[], string[]] = [[], []];
    const one = follow('leader', first);
    await write('leader-1');
    await eventually(() => expect(first).toContain('leader-1'));
    const two = follow('leader', second);
    await write('leader-2');
    await eventually(() => expect(first).toContain('leader-2'));
    await one.stop();
    await write('leader-3');
    await eventually(() => expect(second).toEqual(['leader-3']));
    await two.stop();
  });

  it('comes back by itself after its connection was cut', async () => {
    const seen: string[] = [];
    const follower = follow('cut', seen);
    await write('cut-1');
    await eventually(() => expect(seen).toContain('cut-1'));
    await test.database.asSuperuser(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'harborwatch-system'",
    );
    await write('cut-2');
    await eventually(() => expect(seen.filter((id) => id === 'cut-2')).toHaveLength(1));
    await follower.stop();
  });
});
