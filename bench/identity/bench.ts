/** `npm run bench -- identity`: our gateway with everything that guards the graph, beside the same with none of it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { loadConfig } from '../../platform/config.js';
import { capabilitiesOf } from '../../platform/identity.js';
import { type LimitOverrides, unlimited } from '../../platform/org-limits.js';
import { createPlatform, type Platform } from '../../platform/platform.js';
import { createOrgWithAdministrator } from '../../platform/system/accounts.js';
import { type Child, type ChildOptions, pinsProcesses, withChildren } from '../children.js';
import { composeBench } from '../compose.js';
import type { Floor } from '../floors.js';
import { type Bench, type BenchOptions, type BenchReport, median } from '../frame.js';
import { contenders, type Program, post, type Running, startServing } from '../gateway/contenders.js';
import { subgraphs } from '../gateway/graph.js';
import type { LoadResult, Order } from '../gateway/load.js';
import { largeOperation, smallOperation } from '../gateway/operations.js';
import { withServers } from '../servers.js';
import { guardedSubgraphs } from './graph.js';

const connections = 50;
const rounds = 7;
const secondsPerRound = 2;
const warmUpSeconds = 3;

const floors: readonly Floor[] = [
  {
    name: 'guardedVsOpen',
    at: 'least',
    value: 0.9,
    what: 'requests/s of the large operation with tokens, rules and an organisation without limits, over none of it',
  },
];

/** A limit that is counted and never met. */
const wide: LimitOverrides = { requestsPerMinute: 1_000_000_000, burstCapacity: 1_000_000_000 };

export const identity: Bench = {
  name: 'identity',
  about: 'requests/s with tokens, rules of access and limits, beside the same gateway without',
  async run(options) {
    return withServers(true, ({ directory, env }) => withChildren((start) => measure(options, directory, env, start)));
  },
};

interface Contender {
  running: Running;
  token?: string;
}

type Start = (options: ChildOptions) => Child;

async function measure(
  { say }: BenchOptions,
  directory: string,
  env: Record<string, string>,
  start: Start,
): Promise<BenchReport> {
  const served = start({ core: 'measuring', script: new URL('../gateway/subgraph-server.js', import.meta.url) });
  const ports = await served.result<Record<string, number>>();
  const fileOf = async (name: string, composed: string) => {
    const file = join(directory, `${name}.graphql`);
    await writeFile(file, composed);
    return file;
  };
  const settings = { ...env, GATEWAY_SHARE_IN_FLIGHT: 'off', LOG_LEVEL: 'warn' };
  const withAll: Program = (file, port) => ({
    script: new URL('./gateway.js', import.meta.url),
    args: [file, `${port}`],
    env: settings,
  });
  const openFile = await fileOf('open', composeBench(subgraphs, ports));
  const guardedFile = await fileOf('guarded', composeBench(guardedSubgraphs, ports));
  const guarded = await startServing('guarded', withAll, guardedFile, start);
  const platform = createPlatform(loadConfig({ ...process.env, ...settings }), 'bench');
  const field: Record<string, Contender> = {
    open: { running: await startServing('open', contenders.http, openFile, start) },
    guarded: { running: guarded, token: await tokenOfOrg(platform, 'guarded', unlimited) },
    limited: { running: guarded, token: await tokenOfOrg(platform, 'limited', wide) },
  };
  await platform.close();

  const load = start({ core: 'measuring', script: new URL('../gateway/load.js', import.meta.url) });
  const send = (order: Order) => load.ask<LoadResult>(order);
  const large = await compare('Large', largeOperation, field, send, say);
  const small = await compare('Small', smallOperation, field, send, say);
  return {
    figures: { ...figuresOf('Large', large), ...figuresOf('Small', small) },
    ratios: {
      guardedVsOpen: over(large, 'guarded', 'open'),
      guardedVsOpenSmall: over(small, 'guarded', 'open'),
      limitedVsGuarded: over(large, 'limited', 'guarded'),
      limitedVsGuardedSmall: over(small, 'limited', 'guarded'),
    },
    floors,
    scale: {
      connections,
      rounds,
      secondsPerRound,
      cores: pinsProcesses ? 'one for the gateway, one for load and subgraphs' : 'as the system places them',
    },
    versions: {},
  };
}

/** The access token of the administrator of a new organisation. */
async function tokenOfOrg(platform: Platform, slug: string, limits: LimitOverrides): Promise<string> {
  const made = await createOrgWithAdministrator(
    platform.postgres,
    { slug, name: slug, tier: 'ENTERPRISE', limits },
    { email: `admin@${slug}.example`, name: slug, passwordHash: 'unusable', roles: ['ADMIN'] },
  );
  const { orgId, userId } = made!;
  const session = { sessionId: crypto.randomUUID(), accessVersion: 1 };
  const claims = { orgId, userId, tier: 'ENTERPRISE', capabilities: capabilitiesOf(['ADMIN']), ...session } as const;
  return (await platform.tokens.issue(claims, Date.now())).token;
}

/** What was measured of one contender in one round. */
interface Round {
  rps: number;
  p99Ms: number;
  /** Processor time of a request; NaN where the system does not tell. */
  cpuMs: number;
}

type Results = Record<string, Round[]>;

/** All with one operation, by turns; the order is turned round every time. */
async function compare(
  operation: string,
  query: string,
  field: Record<string, Contender>,
  send: (order: Order) => Promise<LoadResult>,
  say: (line: string) => void,
): Promise<Results> {
  const expected: unknown = await (await post(field.open!.running.port, query)).json();
  const stranger: unknown = await (await post(field.guarded!.running.port, query)).json();
  if (isDeepStrictEqual(stranger, expected)) throw new Error('The rules keep nobody out.');
  const names = Object.keys(field);
  const results: Results = Object.fromEntries(names.map((name) => [name, []]));
  const run = async (name: string, seconds: number): Promise<Round> => {
    const { running, token } = field[name]!;
    const before = running.child.cpuSeconds() ?? Number.NaN;
    const result = await send({
      kind: 'repeat',
      port: running.port,
      path: '/graphql',
      body: JSON.stringify({ query }),
      ...(token === undefined ? {} : { token }),
      connections,
      seconds,
      expected,
    });
    if (result.errors > 0) throw new Error(`${name} gave ${result.errors} wrong answers: ${result.firstError}`);
    const cpuMs = (((running.child.cpuSeconds() ?? Number.NaN) - before) * 1_000) / result.requests;
    return { rps: result.requestsPerSecond, p99Ms: result.p99Ms, cpuMs };
  };
  for (const name of names) await run(name, warmUpSeconds);
  for (let round = 0; round < rounds; round += 1) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      results[name]!.push(await run(name, secondsPerRound));
    }
  }
  for (const name of names) {
    say(`${operation} ${name}: ${results[name]!.map(({ rps }) => Math.round(rps)).join(' ')} requests/s`);
  }
  return results;
}

/** The ratio of requests/s of two, round by round: a machine that is slower for a while is so for both. */
const over = (results: Results, one: string, other: string): number =>
  median(results[one]!.map(({ rps }, round) => rps / results[other]![round]!.rps));

function figuresOf(operation: string, results: Results): Record<string, number> {
  const figures: Record<string, number> = {};
  for (const [name, measured] of Object.entries(results)) {
    const middle = (key: keyof Round) => median(measured.map((round) => round[key]));
    figures[`${name}${operation}Rps`] = middle('rps');
    figures[`${name}${operation}P99Ms`] = middle('p99Ms');
    if (Number.isFinite(middle('cpuMs'))) figures[`${name}${operation}CpuMs`] = middle('cpuMs');
  }
  return figures;
}
