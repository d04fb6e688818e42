/** `npm run bench -- jobs`: what a job costs beside a bare queue, how soon it is heard of, and what a late page costs. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadConfig } from '../../platform/config.js';
import { startPostgres } from '../../platform/embedded/postgres.js';
import { startRedis } from '../../platform/embedded/redis.js';
import { capabilitiesOf, type Identity } from '../../platform/identity.js';
import { createPlatform, type Platform } from '../../platform/platform.js';
import { createOrgWithAdministrator } from '../../platform/system/accounts.js';
import { prepare } from '../../scripts/supervisor/prepare.js';
import { type Child, type ChildOptions, withChildren } from '../children.js';
import type { Floor } from '../floors.js';
import { type Bench, type BenchOptions, type BenchReport, median } from '../frame.js';
import { type Contender, startBare, startOurs, workerSlots } from './contenders.js';

const jobsPerRound = Number(process.env.BENCH_JOBS ?? 2_000);
const rounds = 5;
const warmUpJobs = 500;

const floors: readonly Floor[] = [
  {
    name: 'throughputVsBareBullmq',
    at: 'least',
    value: 0.25,
    what: 'jobs/s from submission to stored result over those of a bare BullMQ worker that runs the query',
  },
];

export const jobs: Bench = {
  name: 'jobs',
  about: 'jobs/s beside a bare BullMQ worker, the latency of events, and pages of a large result (BENCH_JOBS)',
  parts: ['throughput'],
  async run(options) {
    const directory = await mkdtemp(join(tmpdir(), 'harborwatch-bench-'));
    // Under root PostgreSQL runs as another user, who has to enter it.
    await chmod(directory, 0o755);
    const starting = [
      startPostgres({ dataDir: join(directory, 'postgres') }),
      startRedis({ dataDir: join(directory, 'redis'), toolchainDir: resolve('.harborwatch/toolchain') }),
    ] as const;
    try {
      const [{ superuserUrl }, { url: redisUrl }] = await Promise.all(starting);
      const prepared = await prepare({ superuserUrl, redisUrl, dataDir: directory, demo: false });
      const env = { ...prepared.env, LOG_LEVEL: 'error' };
      return await withChildren((start) => measure(options, env, start));
    } finally {
      for (const server of await Promise.allSettled(starting)) {
        if (server.status === 'fulfilled') await server.value.stop();
      }
      await rm(directory, { recursive: true, force: true });
    }
  },
};

async function measure(
  { say }: BenchOptions,
  env: Record<string, string>,
  start: (options: ChildOptions) => Child,
): Promise<BenchReport> {
  const platform = createPlatform(loadConfig(env), 'bench');
  try {
    const identity = await makeOrg(platform);
    const contenders = {
      bare: await startBare(start, env.REDIS_URL!, env.DATABASE_QUERY_URL!),
      ours: startOurs(start, platform, identity, env),
    };
    const { figures, ratios } = await throughput(contenders, say);
    await Promise.all(Object.values(contenders).map((contender) => contender.close()));
    return { figures, ratios, scale: { jobsPerRound, rounds, workerSlots }, versions: {}, floors };
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
  const ratiosOfRounds = perSecond.ours.map((ours, round) => ours / perSecond.bare[round]!);
  return {
    figures: { bareJobsPerSecond: median(perSecond.bare), jobsPerSecond: median(perSecond.ours) },
    ratios: { throughputVsBareBullmq: median(ratiosOfRounds) },
  };
}
