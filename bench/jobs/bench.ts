/** `npm run bench -- jobs`: what a job costs beside a bare queue, how soon it is heard of, and what a late page costs. */
import { loadConfig } from '../../platform/config.js';
import { capabilitiesOf, type Identity } from '../../platform/identity.js';
import { createPlatform, type Platform } from '../../platform/platform.js';
import { createOrgWithAdministrator } from '../../platform/system/accounts.js';
import { type Child, type ChildOptions, withChildren } from '../children.js';
import type { Floor } from '../floors.js';
import { type Bench, type BenchOptions, type BenchReport, median, percentile } from '../frame.js';
import { withServers } from '../servers.js';
import { type Contender, startBare, startOurs, trivialQuery, workerSlots } from './contenders.js';
import { type JobsSubgraph, openSubgraph } from './subgraph.js';

const jobsPerRound = Number(process.env.BENCH_JOBS ?? 2_000);
const rounds = 5;
const warmUpJobs = 500;
const latencyJobs = 300;
const resultRows = 1_000_000;
const pageRows = 1_000;
const pageRounds = 40;

const floors: readonly Floor[] = [
  {
    name: 'throughputVsBareBullmq',
    at: 'least',
    value: 0.25,
    what: 'jobs/s from submission to stored result over those of a bare BullMQ worker that runs the query',
  },
  {
    name: 'page1000VsPage1',
    at: 'most',
    value: 1.2,
    what: 'the time of the last of 1,000 pages of a result over that of the first',
  },
];

export const jobs: Bench = {
  name: 'jobs',
  about: 'jobs/s beside a bare BullMQ worker, the latency of events, and pages of a large result (BENCH_JOBS)',
  parts: ['throughput', 'latency', 'pages'],
  async run(options) {
    return withServers(false, ({ env }) =>
      withChildren((start) => measure(options, { ...env, LOG_LEVEL: 'error' }, start)),
    );
  },
};

async function measure(
  { say, only }: BenchOptions,
  env: Record<string, string>,
  start: (options: ChildOptions) => Child,
): Promise<BenchReport> {
  const asked = (part: string) => only.length === 0 || only.includes(part);
  const platform = createPlatform(loadConfig(env), 'bench');
  try {
    const identity = await makeOrg(platform);
    const subgraph = openSubgraph(platform, identity);
    const contenders = {
      bare: await startBare(start, env.REDIS_URL!, env.DATABASE_QUERY_URL!),
      ours: startOurs(start, subgraph, identity.orgId, env),
    };
    const figures: Record<string, number> = {};
    const ratios: Record<string, number> = {};
    if (asked('throughput')) {
      const perSecond = await throughput(contenders, say);
      figures.bareJobsPerSecond = median(perSecond.bare);
      figures.jobsPerSecond = median(perSecond.ours);
      ratios.throughputVsBareBullmq = median(perSecond.ours.map((ours, round) => ours / perSecond.bare[round]!));
    }
    if (asked('latency')) Object.assign(figures, await latency(subgraph));
    if (asked('pages')) {
      const { firstMs, lastMs } = await pages(subgraph, say);
      Object.assign(figures, { page1Ms: firstMs, page1000Ms: lastMs });
      ratios.page1000VsPage1 = lastMs / firstMs;
    }
    for (const part of [...Object.values(contenders), subgraph]) await part.close();
    const scale = { jobsPerRound, rounds, workerSlots, latencyJobs, resultRows, pageRows };
    return { figures, ratios, scale, versions: {}, floors };
  } finally {
    await platform.close();
  }
}

/** An organisation of the tier with the widest limits: they are counted, and never met. */
async function makeOrg(platform: Platform): Promise<Identity> {
  const made = await createOrgWithAdministrator(
    platform.postgres,
    { slug: 'bench', name: 'Bench', tier: 'ENTERPRISE', limits: { runningJobs: 1_000 } },
    { email: 'bench@bench.example', name: 'Bench', passwordHash: 'unusable', roles: ['ADMIN'] },
  );
  return {
    orgId: made!.orgId,
    subject: { kind: 'USER', id: made!.userId, userId: made!.userId },
    capabilities: capabilitiesOf(['ADMIN']),
    tier: 'ENTERPRISE',
    requestId: 'bench',
    deadline: Number.POSITIVE_INFINITY,
  };
}

type Names = 'bare' | 'ours';

/** Round about, so that what else the machine does meets both. */
async function throughput(contenders: Record<Names, Contender>, say: (line: string) => void) {
  const perSecond: Record<Names, number[]> = { bare: [], ours: [] };
  for (const contender of Object.values(contenders)) await contender.run(warmUpJobs);
  for (let round = 1; round <= rounds; round++) {
    for (const name of ['bare', 'ours'] as const) {
      const started = performance.now();
      await contenders[name].run(jobsPerRound);
      perSecond[name].push((jobsPerRound * 1_000) / (performance.now() - started));
    }
    say(
      `round ${round}: bare ${Math.round(perSecond.bare.at(-1)!)} jobs/s, ours ${Math.round(perSecond.ours.at(-1)!)}`,
    );
  }
  return perSecond;
}

/** One job after the other, on a system that is at rest: when its first event is heard, and when that of its end. */
async function latency(subgraph: JobsSubgraph): Promise<Record<string, number>> {
  const heard = new Map<string, { first: number; end: PromiseWithResolvers<number> }>();
  const of = (id: string) => {
    let job = heard.get(id);
    if (!job) {
      job = { first: performance.now(), end: Promise.withResolvers() };
      heard.set(id, job);
    }
    return job;
  };
  const events = await subgraph.watch('subscription { jobEvents { jobId type } }');
  const listening = (async () => {
    for await (const { jobEvents } of events) {
      const job = of(jobEvents.jobId);
      if (jobEvents.type === 'COMPLETED') job.end.resolve(performance.now());
    }
  })();
  const first: number[] = [];
  const end: number[] = [];
  for (let n = 0; n < latencyJobs; n++) {
    const started = performance.now();
    const id = await subgraph.submit(trivialQuery);
    end.push((await of(id).end.promise) - started);
    first.push(of(id).first - started);
  }
  await events.return?.();
  await listening;
  const at = (values: number[], share: number) =>
    percentile(
      values.toSorted((a, b) => a - b),
      share,
    );
  return {
    firstEventP50Ms: at(first, 0.5),
    firstEventP99Ms: at(first, 0.99),
    endEventP50Ms: at(end, 0.5),
    endEventP99Ms: at(end, 0.99),
  };
}

const largeQuery = `SELECT n, md5(n::text) AS hash, n % 97 AS bucket FROM generate_series(1, ${resultRows}) AS n`;

/** The first and the last page in turn. */
async function pages(subgraph: JobsSubgraph, say: (line: string) => void) {
  say(`Storing a result of ${resultRows} rows`);
  const id = await subgraph.submit(largeQuery);
  const status = async () => (await subgraph.ask('query ($id: ID!) { job(id: $id) { status } }', { id })).job.status;
  while ((await status()) !== 'COMPLETED') await new Promise((resolve) => setTimeout(resolve, 200));
  const read = async (offset: number): Promise<number> => {
    const started = performance.now();
    const page =
      'query ($id: ID!, $first: Int, $offset: Int) { job(id: $id) { results(first: $first, offset: $offset) { nodes } } }';
    const { job } = await subgraph.ask(page, { id, first: pageRows, offset });
    const elapsedMs = performance.now() - started;
    if (job.results.nodes.length !== pageRows || job.results.nodes[0].n !== offset + 1)
      throw new Error('A page is wrong.');
    return elapsedMs;
  };
  const firstMs: number[] = [];
  const lastMs: number[] = [];
  for (let round = 0; round < pageRounds; round++) {
    firstMs.push(await read(0));
    lastMs.push(await read(resultRows - pageRows));
  }
  return { firstMs: median(firstMs), lastMs: median(lastMs) };
}
