/** What is live keeps to its organisation: topics, rings, tails, and every name in Redis. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { datasets } from '../../datasets/index.js';
import { startTestGateway, type TestGateway } from '../setup/gateway.js';
import { eventually } from '../setup/until.js';
import { Doors, type ProbeSocket } from './doors.js';
import { eventOf, fillTenant, nameTenants, runJob, type Tenant } from './scene.js';

let gateway: TestGateway;
let owner: Tenant;
let stranger: Tenant;

beforeAll(async () => {
  gateway = await startTestGateway({ workers: true });
  [owner, stranger] = await nameTenants(gateway);
  await Promise.all([fillTenant(owner, 5), fillTenant(stranger, 5)]);
});
afterAll(() => gateway?.close());

const ingest = async ({ ask, mark }: Tenant) => {
  for (const dataset of datasets) {
    await ask('mutation ($input: IngestEventsInput!) { ingestEvents(input: $input) { accepted } }', {
      input: { dataset: dataset.name, events: [eventOf(mark, dataset, new Date().toISOString())] },
    });
  }
};

const tail = async (tenant: Tenant): Promise<ProbeSocket> => {
  const socket = await new Doors(gateway.url).socket(await gateway.tokenFor(tenant.identity));
  for (const { name } of datasets) {
    socket.start({
      query: 'subscription ($dataset: String!) { eventTail(dataset: $dataset) { event lagged } }',
      variables: { dataset: name },
    });
  }
  return socket;
};

describe('live', () => {
  test('a topic rings for its organisation, and not for one that listens to the same name', async () => {
    const { pubsub } = gateway.platform;
    const rings = { owner: 0, stranger: 0 };
    const name = `job:${crypto.randomUUID()}`;
    const stop = [
      pubsub.listen({ orgId: owner.identity.orgId, name }, () => {
        rings.owner += 1;
      }),
      pubsub.listen({ orgId: stranger.identity.orgId, name }, () => {
        rings.stranger += 1;
      }),
    ];
    await eventually(() => {
      pubsub.ring({ orgId: owner.identity.orgId, name });
      expect(rings.owner).toBeGreaterThan(2);
    });
    expect(rings.stranger).toBe(0);
    for (const one of stop) one();
  });

  test('a live tail has the events of its organisation alone, while another’s come in', async () => {
    const socket = await tail(stranger);
    try {
      // Until every tail has begun, and has told of it.
      await eventually(async () => {
        await ingest(owner);
        await ingest(stranger);
        const tails = new Set(socket.messages.map((text) => (JSON.parse(text) as { id?: string }).id));
        expect(tails.size - 1).toBe(datasets.length);
      });
      await ingest(owner);
      await ingest(stranger);
      expect(socket.messages.filter((text) => text.includes(owner.mark.text))).toEqual([]);
      expect(socket.messages.some((text) => text.includes(stranger.mark.text))).toBe(true);
    } finally {
      socket.close();
    }
  });

  test('streams of jobs have those of their organisation alone, while another’s run', async () => {
    const socket = await new Doors(gateway.url).socket(await gateway.tokenFor(stranger.identity));
    const events = socket.start({ query: 'subscription { jobEvents { jobId job { query } status } }' });
    const stats = socket.start({ query: 'subscription { queueStats(period: P_1H) { completedJobs pendingJobs } }' });
    const told = (id: string) =>
      socket.messages.map((text) => JSON.parse(text)).flatMap((one) => (one.id === id ? [one.payload.data] : []));
    const jobsOf = async ({ identity }: Tenant) => {
      const rows = await gateway.database.asSuperuser<{ id: string }>('SELECT id FROM app.jobs WHERE org_id = $1', [
        identity.orgId,
      ]);
      return new Set(rows.map(({ id }) => id));
    };
    try {
      await eventually(async () => {
        await runJob(owner);
        await runJob(stranger);
        expect(told(events).map(({ jobEvents }) => jobEvents.status)).toContain('COMPLETED');
        expect(told(stats).length).toBeGreaterThan(1);
      });
      await runJob(owner);
      const own = await jobsOf(stranger);
      expect(told(events).filter(({ jobEvents }) => !own.has(jobEvents.jobId))).toEqual([]);
      expect(socket.messages.filter((text) => text.includes(owner.mark.text))).toEqual([]);
      const mostJobs = Math.max(...told(stats).map(({ queueStats }) => queueStats.completedJobs));
      expect(mostJobs).toBeLessThanOrEqual(own.size);
    } finally {
      socket.close();
    }
  });

  test('every key and channel in Redis names its organisation', async () => {
    const { commands, keys } = gateway.platform.redis;
    const socket = await tail(stranger);
    const names = [
      ...(await commands.keys(`${keys.prefix}:*`)),
      ...((await commands.pubsub('CHANNELS', `${keys.prefix}:*`)) as string[]),
    ];
    socket.close();
    const owners = [owner, stranger].flatMap(({ identity, mark }) => [identity.orgId, mark.text]);
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !owners.some((one) => name.includes(one)))).toEqual([]);
  });
});
