/** What breaks, and when: a list that the seed decides, worked off as the jobs end. */
import type { Random } from '../../query/random/random.js';
import type { Observer } from './observer.js';
import type { JobsSystem } from './system.js';

export type Blow = 'gateway' | 'worker' | 'redis' | 'FLUSHALL' | 'postgres';

export interface Struck {
  blow: Blow;
  at: Date;
  /** When what was struck was back. */
  backAt: Date;
}

/** `kills` of gateway, workers and Redis in any order, each at least once, and one FLUSHALL and one kill of PostgreSQL among them. */
export function planBlows(random: Random, kills: number): Blow[] {
  const certain: Blow[] = ['gateway', 'worker', 'redis'];
  const more = random.times(kills - certain.length, () =>
    random.one(['gateway', 'worker', 'worker', 'redis'] as const),
  );
  const blows: Blow[] = [...certain, ...more, 'FLUSHALL', 'postgres'];
  for (let index = blows.length - 1; index > 0; index--) {
    const other = random.between(0, index);
    [blows[index], blows[other]] = [blows[other]!, blows[index]!];
  }
  return blows;
}

/** Strikes evenly over the time in which the jobs end. Resolves when everything serves again after the last blow. */
export async function strike(
  system: JobsSystem,
  { blows, random, observer, jobs }: { blows: Blow[]; random: Random; observer: Observer; jobs: number },
): Promise<Struck[]> {
  const struck: Struck[] = [];
  for (const [index, blow] of blows.entries()) {
    await observer.sees(Math.floor((jobs * (index + random.fraction())) / (blows.length + 2)));
    const at = new Date();
    await strikeOnce(system, blow, random);
    struck.push({ blow, at, backAt: new Date() });
  }
  await Promise.all([system.gateway, ...system.workers].map((program) => program.serves()));
  return struck;
}

async function strikeOnce(system: JobsSystem, blow: Blow, random: Random): Promise<void> {
  const downMs = random.between(0, 1_500);
  if (blow === 'postgres') return system.killPostgres(downMs);
  if (blow === 'redis') return system.killRedis(downMs);
  if (blow === 'FLUSHALL') return system.flushRedis();
  const program = blow === 'gateway' ? system.gateway : random.one(system.workers);
  await program.serves(); // One that begins does nothing yet that could break.
  await program.kill();
}
