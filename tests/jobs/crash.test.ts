/** Jobs through a storm: processes are killed at random while thousands of jobs are submitted, run, cancelled and watched. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Identity } from '../../platform/identity.js';
import { Random } from '../query/random/random.js';
import { makeOrg } from '../setup/database.js';
import { planBlows, strike } from './crash/chaos.js';
import { Customers } from './crash/customers.js';
import { Observer } from './crash/observer.js';
import { makeOrders, makePrimer, type Order } from './crash/orders.js';
import { type JobsSystem, startJobsSystem } from './crash/system.js';
import {
  attemptsHistogram,
  expectAllEvents,
  expectEnds,
  expectReadableResults,
  expectWholeResults,
  type Placed,
  recoveryMs,
} from './crash/verdict.js';
import { Watcher } from './crash/watchers.js';

const isDeep = Boolean(process.env.HARBORWATCH_DEEP);
const size = isDeep ? { jobs: 5_000, kills: 50 } : { jobs: 300, kills: 5 };
/** Give it to repeat a storm. */
const seed = Number(process.env.HARBORWATCH_STORM ?? Date.now() % 1_000_000);
const timeoutMs = isDeep ? 3_600_000 : 300_000;
const orgCount = 4;
/** How many callers submit at once. */
const submitters = 12;
/** One of so many jobs is watched. */
const watchedShare = isDeep ? 25 : 6;

describe('jobs in a storm', () => {
  let system: JobsSystem;
  let orgs: Identity[];
  beforeAll(async () => {
    system = await startJobsSystem({ OPERATIONS_PER_SOCKET: '10000' });
    orgs = [];
    for (let number = 0; number < orgCount; number++) orgs.push(await makeOrg(system.platform, `org-${number}`));
    await system.asSuperuser(
      `UPDATE app.orgs SET tier = 'BASIC', limits = limits || '{"runningJobs": 3}' WHERE slug = 'org-0'`,
    );
  });
  afterAll(() => system?.close());

  test(
    'end in exactly one state, the right one, with their whole results, and everybody who asked or watched learns it',
    async ({ onTestFailed }) => {
      onTestFailed(() => console.log(system.output()));
      const began = Date.now();
      const random = new Random(seed);
      const orders = makeOrders(random, size.jobs, orgCount);
      const blows = planBlows(random, size.kills);
      console.log(`storm ${seed}: ${size.jobs} jobs; ${blows.join(', ')}`);
      const customers = new Customers(system, random);
      const observer = new Observer(system);
      const watchers = orgs.map((identity) => new Watcher(system, identity));
      const watching: Promise<{ order: Order; statuses: string[] }>[] = [];
      const placed: Placed[] = [];

      let primers = 0;
      const prime = async (org: number) => {
        const order = makePrimer(random, primers++, org);
        placed.push({ order, id: await customers.submit(orgs[org]!, order) });
      };
      await Promise.all(watchers.map((watcher, org) => watcher.followEvents(() => prime(org))));

      const place = async (order: Order) => {
        const identity = orgs[order.org]!;
        const id = await customers.submit(identity, order, { cutShare: 0.05 });
        placed.push({ order, id });
        if (placed.length % watchedShare === 0) {
          watching.push(watchers[order.org]!.progress(id).then((statuses) => ({ order, statuses })));
        }
        if (!order.isCancelled) return;
        await delay(random.between(0, 1_000)); // While it waits, while it runs: at any point of its life.
        await customers.cancel(identity, id);
      };
      const waiting = [...orders].reverse();
      const submitting = Array.from({ length: submitters }, async () => {
        for (let order = waiting.pop(); order; order = waiting.pop()) await place(order);
      });

      const [struck] = await Promise.all([strike(system, { blows, random, observer, jobs: size.jobs }), ...submitting]);
      await observer.sees(placed.length);
      await observer.stop();
      const endedAt = ((Date.now() - began) / 1_000).toFixed(1);

      await expectEnds(system, placed);
      await expectWholeResults(system, placed);
      for (const { order, statuses } of await Promise.all(watching)) {
        expect([order.key, statuses.at(-1)]).toEqual([order.key, order.end.status]);
      }
      await expectAllEvents(system, watchers, placed);
      await expectReadableResults(customers, orgs, placed);

      const recoveryAfter = async (blow: 'FLUSHALL' | 'postgres') =>
        recoveryMs(system, struck.find((one) => one.blow === blow)!);
      const [flushMs, postgresMs] = [await recoveryAfter('FLUSHALL'), await recoveryAfter('postgres')];
      const programs = [system.gateway, ...system.workers];
      console.log(
        [
          `storm ${seed}: ${placed.length} jobs in their one right end`,
          `blows ${struck.map(({ blow, at }) => `${blow} +${((at.getTime() - began) / 1_000).toFixed(1)}`).join(', ')}; all ended +${endedAt}`,
          `attempts ${await attemptsHistogram(system)}`,
          `first job after FLUSHALL ${flushMs} ms, after PostgreSQL's kill ${postgresMs} ms`,
          `streams resumed ${watchers.reduce((sum, { breaks }) => sum + breaks, 0)}`,
          `unasked ends ${programs.map(({ name, unaskedEnds }) => `${name} ${unaskedEnds}`).join(', ')}`,
        ].join('; '),
      );
      expect(Math.max(flushMs, postgresMs)).toBeLessThan(60_000);
      await Promise.all(watchers.map((watcher) => watcher.stop()));
    },
    timeoutMs,
  );
});
