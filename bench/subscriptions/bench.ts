/** `npm run bench -- subscriptions`: one event to many sockets, with fields of another subgraph, beside a bare server. */
import { readFileSync } from 'node:fs';
import { type Child, pinsProcesses, withChildren } from '../children.js';
import type { Floor } from '../floors.js';
import { type Bench, median } from '../frame.js';
import type { ClientOrder, CountResult } from './clients.js';
import type { ServerPorts } from './publisher.js';

const sockets = 1_000;
const rounds = 5;
const secondsPerRound = 3;
const warmUpSeconds = 2;

const floors: readonly Floor[] = [
  {
    name: 'federatedVsBare',
    at: 'least',
    value: 3,
    what: 'messages/s of one event to 1,000 sockets with an entity hop, over graphql-ws without federation',
  },
];

const servers = {
  bare: new URL('./bare-server.js', import.meta.url),
  federated: new URL('./federated-server.js', import.meta.url),
};
type ServerName = keyof typeof servers;

/** One round, with the processor time that a message took of the server, and of the clients. */
type Measured = CountResult & { cpuUs: number; clientCpuUs: number };

const names = Object.keys(servers) as ServerName[];

export const subscriptions: Bench = {
  name: 'subscriptions',
  about: 'messages/s of one event to 1,000 sockets with an entity hop, beside a bare graphql-ws server',
  parts: names,
  run: ({ say, only }) =>
    withChildren(async (start) => {
      const field = names.filter((name) => only.length === 0 || only.includes(name));
      const running = new Map<ServerName, { server: Child; clients: Child }>();
      for (const name of field) {
        const server = start({ core: 'measured', script: servers[name], env: { LOG_LEVEL: 'warn' } });
        const ports = await server.result<ServerPorts>();
        const clients = start({ core: 'measuring', script: new URL('./clients.js', import.meta.url) });
        await clients.ask({ kind: 'connect', sockets, ...ports } satisfies ClientOrder);
        running.set(name, { server, clients });
        say(`${name} is ready`);
      }
      const results = new Map(field.map((name) => [name, [] as Measured[]]));
      const measureOne = async (name: ServerName, seconds: number): Promise<Measured> => {
        const { server, clients } = running.get(name)!;
        const cpu = () => [server.cpuSeconds() ?? Number.NaN, clients.cpuSeconds() ?? Number.NaN] as const;
        const before = cpu();
        const result = await clients.ask<CountResult>({ kind: 'count', seconds } satisfies ClientOrder);
        const after = cpu();
        if (result.error !== '') throw new Error(`${name}: ${result.error}`);
        const each = 1e6 / (result.events * sockets);
        return { ...result, cpuUs: (after[0] - before[0]) * each, clientCpuUs: (after[1] - before[1]) * each };
      };
      for (const name of field) await measureOne(name, warmUpSeconds);
      for (let round = 0; round < rounds; round += 1) {
        for (const name of field) results.get(name)!.push(await measureOne(name, secondsPerRound));
      }
      results.get(field[0]!)!.push(await measureOne(field[0]!, secondsPerRound));

      const figures: Record<string, number> = {};
      for (const [name, measured] of results) {
        const middle = (key: Exclude<keyof Measured, 'error'>) => median(measured.map((result) => result[key]));
        figures[`${name}MessagesPerSecond`] = middle('messagesPerSecond');
        figures[`${name}EventP50Ms`] = middle('p50Ms');
        figures[`${name}EventP99Ms`] = middle('p99Ms');
        // Not every system tells the processor time of others.
        if (Number.isFinite(measured[0]!.cpuUs)) {
          figures[`${name}MessageCpuUs`] = middle('cpuUs');
          figures[`${name}ClientCpuUs`] = middle('clientCpuUs');
        }
        say(`${name}: ${measured.map((result) => Math.round(result.messagesPerSecond)).join(' ')} messages/s`);
      }
      const ratios: Record<string, number> = {};
      const { federatedMessagesPerSecond: ours, bareMessagesPerSecond: theirs } = figures;
      if (ours !== undefined && theirs !== undefined) ratios.federatedVsBare = ours / theirs;
      return {
        figures,
        ratios,
        floors,
        scale: {
          sockets,
          rounds,
          secondsPerRound,
          cores: pinsProcesses ? 'one for the server, one for the clients' : 'as the system places them',
        },
        versions: { 'graphql-ws': versionOf('graphql-ws'), ws: versionOf('ws') },
      };
    }),
};

const versionOf = (name: string): string =>
  (JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')) as { version: string }).version;
