/** `npm run bench -- subscriptions`: one event to many sockets, with fields of another subgraph, beside a bare server. */
import { readFileSync } from 'node:fs';
import { pinsProcesses, withChildren } from '../children.js';
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
const names = Object.keys(servers) as ServerName[];

export const subscriptions: Bench = {
  name: 'subscriptions',
  about: 'messages/s of one event to 1,000 sockets with an entity hop, beside a bare graphql-ws server',
  parts: names,
  run: ({ say, only }) =>
    withChildren(async (start) => {
      const field = names.filter((name) => only.length === 0 || only.includes(name));
      const running = new Map<
        ServerName,
        { count(seconds: number): Promise<CountResult>; cpuSeconds(): number | undefined }
      >();
      for (const name of field) {
        const server = start({ core: 'measured', script: servers[name], env: { LOG_LEVEL: 'warn' } });
        const ports = await server.result<ServerPorts>();
        const clients = start({ core: 'measuring', script: new URL('./clients.js', import.meta.url) });
        await clients.ask({ kind: 'connect', sockets, ...ports } satisfies ClientOrder);
        running.set(name, {
          count: (seconds) => clients.ask<CountResult>({ kind: 'count', seconds } satisfies ClientOrder),
          cpuSeconds: () => server.cpuSeconds(),
        });
        say(`${name} is ready`);
      }
      const results = new Map(field.map((name) => [name, [] as (CountResult & { cpuUs: number | undefined })[]]));
      const measureOne = async (name: ServerName, seconds: number) => {
        const { count, cpuSeconds } = running.get(name)!;
        const before = cpuSeconds();
        const result = await count(seconds);
        const after = cpuSeconds();
        if (result.error !== '') throw new Error(`${name}: ${result.error}`);
        const messages = result.events * sockets;
        return {
          ...result,
          cpuUs: before === undefined || after === undefined ? undefined : ((after - before) * 1e6) / messages,
        };
      };
      for (const name of field) await measureOne(name, warmUpSeconds);
      for (let round = 0; round < rounds; round += 1) {
        for (const name of field) results.get(name)!.push(await measureOne(name, secondsPerRound));
      }
      results.get(field[0]!)!.push(await measureOne(field[0]!, secondsPerRound));

      const figures: Record<string, number> = {};
      for (const [name, measured] of results) {
        figures[`${name}MessagesPerSecond`] = median(measured.map((result) => result.messagesPerSecond));
        figures[`${name}EventP50Ms`] = median(measured.map((result) => result.p50Ms));
        figures[`${name}EventP99Ms`] = median(measured.map((result) => result.p99Ms));
        const cpu = measured.flatMap(({ cpuUs }) => cpuUs ?? []);
        if (cpu.length > 0) figures[`${name}MessageCpuUs`] = median(cpu);
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
