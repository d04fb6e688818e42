/** `npm run bench -- gateway`: our gateway beside Apollo's and Hive's, over the same subgraphs, with the same operations. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Child, type ChildOptions, pinsProcesses, withChildren } from '../children.js';
import { composeBench } from '../compose.js';
import { type Bench, type BenchOptions, type BenchReport, median } from '../frame.js';
import { installRivals, rivalVersion } from '../rivals.js';
import { type ContenderName, post, type Running, startContender } from './contenders.js';
import { type Figures, gatewayFloors, gatewayRatios } from './floors.js';
import { subgraphs } from './graph.js';
import type { LoadResult, Order } from './load.js';
import { distinctOperation, largeOperation, smallOperation, variantOfLargeOperation } from './operations.js';
import type { MemoryAnswer, ProbeOrder, StallAnswer } from './probe.js';

const connections = 50;
const rounds = 5;
const secondsPerRound = 2;
const warmUpSeconds = 3;

const operations = { Large: largeOperation, Small: smallOperation };
type OperationName = keyof typeof operations;

/** Who takes part with which operation, in this order in every round; the first is measured once more at the very end. */
const fields: Record<OperationName, readonly ContenderName[]> = {
  Large: ['stock', 'http', 'inProcess', 'hive', 'hiveDefault', 'httpShared', 'hiveShared'],
  Small: ['stock', 'http', 'inProcess', 'hiveDefault'],
};

const memory = { operations: 100_000, warm: 40_000, step: 10_000 };
const planning = { operations: 500, connections: 4 };

export const gateway: Bench = {
  name: 'gateway',
  about: 'requests/s and p99 beside Apollo’s gateway and Hive Gateway, memory, planning',
  parts: [...new Set(Object.values(fields).flat()), ...Object.keys(operations), 'memory', 'planning'],
  async run(options) {
    const { say } = options;
    await installRivals(say);
    const directory = await mkdtemp(join(tmpdir(), 'harborwatch-bench-'));
    try {
      return await withChildren((start) => measure(options, join(directory, 'supergraph.graphql'), start));
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
};

type Start = (options: ChildOptions) => Child;

async function measure({ say, only }: BenchOptions, supergraphFile: string, start: Start): Promise<BenchReport> {
  const served = start({ core: 'measuring', script: new URL('./subgraph-server.js', import.meta.url) });
  const ports = await served.result<Record<string, number>>();
  await writeFile(supergraphFile, composeBench(subgraphs, ports));
  const load = start({ core: 'measuring', script: new URL('./load.js', import.meta.url) });
  const send = (order: Order) => load.ask<LoadResult>(order);

  const figures: Figures = {};
  const takesPart = (part: string, among: readonly string[]) =>
    only.includes(part) || !among.some((other) => only.includes(other));
  const runs = (part: string) => only.length === 0 || only.includes(part);
  const compares = only.some((part) => part !== 'memory' && part !== 'planning') || only.length === 0;
  if (compares) {
    const names = [...new Set(Object.values(fields).flat())].filter((name) =>
      takesPart(name, Object.values(fields).flat()),
    );
    const running = new Map<ContenderName, Running>();
    for (const name of names) {
      running.set(name, await startContender(name, supergraphFile, start));
      say(`${name} is ready`);
    }
    for (const operation of Object.keys(operations) as OperationName[]) {
      if (!takesPart(operation, Object.keys(operations))) continue;
      const field = fields[operation].filter((name) => running.has(name));
      Object.assign(figures, await compare(operation, field, running, send, say));
    }
    await Promise.all([...running.values()].map(({ child }) => child.stop()));
  }
  if (runs('planning')) Object.assign(figures, await measurePlanning(supergraphFile, start, send, say));
  if (runs('memory')) Object.assign(figures, await measureMemory(supergraphFile, start, send, say));

  return {
    figures,
    ratios: gatewayRatios(figures),
    floors: gatewayFloors,
    scale: {
      connections,
      rounds,
      secondsPerRound,
      cores: pinsProcesses ? 'one for the gateway, one for load and subgraphs' : 'as the system places them',
      distinctOperations: memory.operations,
      plannedOperations: planning.operations,
    },
    versions: Object.fromEntries(
      ['@apollo/server', '@apollo/gateway', '@graphql-hive/gateway', '@graphql-hive/router-runtime'].map((name) => [
        name,
        rivalVersion(name),
      ]),
    ),
  };
}

type Send = (order: Order) => Promise<LoadResult>;

/** All contenders with one operation, by turns, so that a machine that is slower for a while is so for all of them. */
async function compare(
  operation: OperationName,
  field: readonly ContenderName[],
  running: ReadonlyMap<ContenderName, Running>,
  send: Send,
  say: (line: string) => void,
): Promise<Figures> {
  const query = operations[operation];
  const expected = await commonAnswer(query, field, running);
  const order = (name: ContenderName, seconds: number): Order => {
    const { port } = running.get(name)!;
    return { kind: 'repeat', port, path: '/graphql', body: JSON.stringify({ query }), connections, seconds, expected };
  };
  for (const name of field) await send(order(name, warmUpSeconds));
  const results = new Map(field.map((name) => [name, [] as (LoadResult & { cpuMs: number | undefined })[]]));
  const measureOne = async (name: ContenderName) => {
    const { child } = running.get(name)!;
    const before = child.cpuSeconds();
    const result = await send(order(name, secondsPerRound));
    const after = child.cpuSeconds();
    if (result.errors > 0) throw new Error(`${name} gave ${result.errors} wrong answers: ${result.firstError}`);
    const cpuMs =
      before === undefined || after === undefined ? undefined : ((after - before) * 1_000) / result.requests;
    results.get(name)!.push({ ...result, cpuMs });
  };
  for (let round = 0; round < rounds; round += 1) for (const name of field) await measureOne(name);
  await measureOne(field[0]!);

  const figures: Figures = {};
  for (const [name, measured] of results) {
    const middle = (key: 'requestsPerSecond' | 'p50Ms' | 'p99Ms') => median(measured.map((result) => result[key]));
    figures[`${name}${operation}Rps`] = middle('requestsPerSecond');
    figures[`${name}${operation}P50Ms`] = middle('p50Ms');
    figures[`${name}${operation}P99Ms`] = middle('p99Ms');
    // What a machine with other work to do does not change.
    const cpu = measured.flatMap(({ cpuMs }) => cpuMs ?? []);
    if (cpu.length > 0) figures[`${name}${operation}CpuMs`] = median(cpu);
    const rates = measured.map(({ requestsPerSecond }) => Math.round(requestsPerSecond)).join(' ');
    say(`${operation} ${name}: ${rates} requests/s, ${measured[0]!.answerBytes} bytes`);
  }
  return figures;
}

/** The answer that all give. @throws where they differ */
async function commonAnswer(
  query: string,
  field: readonly ContenderName[],
  running: ReadonlyMap<ContenderName, Running>,
): Promise<unknown> {
  let first: unknown;
  for (const name of field) {
    const answer: unknown = await (await post(running.get(name)!.port, query)).json();
    first ??= answer;
    if (!isDeepStrictEqual(answer, first)) {
      throw new Error(`${name} answers otherwise than ${field[0]}: ${JSON.stringify(answer).slice(0, 500)}`);
    }
  }
  return first;
}

/** How long the event loop stalls while operations come that were never seen before. */
async function measurePlanning(
  supergraphFile: string,
  start: Start,
  send: Send,
  say: (line: string) => void,
): Promise<Figures> {
  const figures: Figures = {};
  for (const [name, prefix] of [
    ['httpProbed', 'planning'],
    ['httpProbedApollo', 'planningApollo'],
  ] as const) {
    const { child, port } = await startContender(name, supergraphFile, start);
    const once = (from: number, to: number): Order => ({
      kind: 'once',
      port,
      path: '/graphql',
      bodies: Array.from({ length: to - from }, (_, index) =>
        JSON.stringify({ query: variantOfLargeOperation(from + index) }),
      ),
      connections: planning.connections,
    });
    await checked(send(once(planning.operations, planning.operations + 100)));
    await child.ask({ probe: 'watchStalls' } satisfies ProbeOrder);
    const result = await checked(send(once(0, planning.operations)));
    const { workMs, clockMs } = await child.ask<StallAnswer>({ probe: 'stalls' } satisfies ProbeOrder);
    figures[`${prefix}StallMs`] = workMs;
    figures[`${prefix}ClockStallMs`] = clockMs;
    figures[`${prefix}OperationMs`] = result.p50Ms;
    say(
      `${prefix}: ${result.requests} operations, ${result.p50Ms.toFixed(1)} ms each, no stall over ${workMs.toFixed(1)} ms of work, ${clockMs.toFixed(1)} ms by the clock`,
    );
    await child.stop();
  }
  return figures;
}

/** What a process weighs while ever new operations come. */
async function measureMemory(
  supergraphFile: string,
  start: Start,
  send: Send,
  say: (line: string) => void,
): Promise<Figures> {
  const { child, port } = await startContender('httpProbed', supergraphFile, start);
  const figures: Figures = {};
  for (let done = 0; done < memory.operations; ) {
    const bodies = Array.from({ length: memory.step }, (_, index) =>
      JSON.stringify({ query: distinctOperation(done + index) }),
    );
    const { requestsPerSecond } = await checked(send({ kind: 'once', port, path: '/graphql', bodies, connections }));
    done += memory.step;
    const { heapMiB, rssMiB } = await child.ask<MemoryAnswer>({ probe: 'memory' } satisfies ProbeOrder);
    say(
      `memory: ${done} operations, ${Math.round(requestsPerSecond)}/s, heap ${heapMiB.toFixed(1)} MiB, RSS ${rssMiB.toFixed(0)} MiB`,
    );
    const when = done === memory.warm ? 'Warm' : done === memory.operations ? 'AtEnd' : undefined;
    if (when === undefined) continue;
    figures[`memoryHeapMiB${when}`] = heapMiB;
    figures[`memoryRssMiB${when}`] = rssMiB;
  }
  await child.stop();
  return figures;
}

/** @throws where an answer was wrong */
async function checked(sent: Promise<LoadResult>): Promise<LoadResult> {
  const result = await sent;
  if (result.errors > 0) throw new Error(`There were ${result.errors} wrong answers: ${result.firstError}`);
  return result;
}
