import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findDataset } from '../../datasets/index.js';
import { createTestPlatform, type TestPlatform } from '../../tests/setup/database.js';
import { ingest } from '../../tests/setup/events.js';
import { eventually } from '../../tests/setup/until.js';
import { EventsStore } from './store.js';
import { EventTails, type TailStep } from './tail.js';

let test: TestPlatform;
let tails: EventTails;
beforeAll(async () => {
  test = await createTestPlatform();
  tails = new EventTails(new EventsStore(test.platform.postgres), test.platform.logger);
});
afterAll(async () => {
  await tails.close();
  await test.close();
});

const logs = findDataset('logs')!;
const cursorOf = (org: number) => ({
  cursors: test.platform.cursors,
  binding: { orgId: test.orgs[org]!.orgId, list: 'eventTail', filters: { dataset: 'logs' } },
});
const open = (after?: string, org = 0) => tails.open(test.orgs[org]!, logs, after, cursorOf(org));
const batch = (messages: string[], org = 0) =>
  ingest(
    test.platform,
    test.orgs[org]!,
    'logs',
    messages.map((message) => ({ timestamp: '2026-04-01T00:00:00Z', message })),
  );
/** A step by event; a tail that sends nothing fails by the test's time. */
const next = async (tail: AsyncIterator<TailStep>) => (await tail.next()).value as TailStep;
const messageOf = (step: TailStep) => step.event?.message;

describe('a live tail', () => {
  it('goes on behind any step’s cursor with every event once, also in the middle of a batch', async () => {
    const tail = await open();
    const messages = Array.from({ length: 12 }, (_, index) => `walk-${index}`);
    await batch(messages.slice(0, 5));
    await batch(messages.slice(5));
    const seen: unknown[] = [];
    let step = await next(tail);
    for (let count = 0; count < 12; count += 1) {
      seen.push(messageOf(step));
      if (count === 11) break;
      const again = await open(step.cursor);
      step = await next(again);
      await again.return?.();
    }
    expect(seen.toSorted()).toEqual(messages.toSorted());
    await tail.return?.();
  });

  it('sees its events however much other datasets and organisations ingest', async () => {
    const tail = await open();
    for (let index = 0; index < 250; index += 1) {
      await ingest(test.platform, test.orgs[0], 'web_activity', [{ eventdate: '2026-04-01T00:00:00Z' }]);
    }
    await batch(['foreign'], 1);
    await batch(['mine']);
    expect(messageOf(await next(tail))).toBe('mine');
    await tail.return?.();
  });

  it('moves a reader that is too far behind to the end, tells how many events it missed, and goes on', async () => {
    const start = await open();
    await batch(['before']);
    const { cursor } = await next(start);
    await start.return?.();
    const many = Array.from({ length: 6_000 }, (_, index) => `many-${index}`);
    await batch(many);
    await batch(many);
    const tail = await eventually(async () => {
      const late = await open(cursor);
      const step = await next(late);
      if (step.event === null) return { late, step };
      await late.return?.();
      throw new Error('the second batch still waits for an older transaction');
    });
    expect(tail.step).toMatchObject({ event: null, lagged: 12_000 });
    await batch(['after']);
    const after = await next(tail.late);
    expect([messageOf(after), after.lagged]).toEqual(['after', 0]);
    await tail.late.return?.();
  });

  it('ends while it waits, and frees its reader', async () => {
    const tail = await open();
    const waiting = tail.next();
    await tail.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });
});
