import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startIndexWorker } from '../../subgraphs/events/worker.js';
import { ingest } from '../setup/events.js';
import { findOpenSearch } from '../setup/opensearch.js';
import { createSearchScene, type SearchScene } from '../setup/search.js';

const openSearch = await findOpenSearch();
const rounds = process.env.HARBORWATCH_DEEP ? 40 : 6;

const events = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ timestamp: `2026-0${1 + (n % 9)}-01T00:00:00Z`, message: `${n}` }));

/** In front of the real server: loses answers to what it did, refuses for the moment, and breaks connections off. */
async function startUnreliableProxy(target: string): Promise<{ url: string; server: Server; faults: () => number }> {
  const { hostname, port } = new URL(target);
  let asked = 0;
  let faults = 0;
  const server = createServer((incoming, outgoing) => {
    asked += 1;
    const kind = incoming.url?.startsWith('/_bulk') ? asked % 5 : 0;
    if (kind === 1 || kind === 2) {
      faults += 1;
      incoming.resume();
      outgoing.writeHead(kind === 1 ? 429 : 503).end();
      return;
    }
    const { method, url, headers } = incoming;
    const forwarded = request({ hostname, port, method, path: url, headers }, (answer: IncomingMessage) => {
      if (kind === 3) {
        faults += 1;
        answer.resume().once('end', () => incoming.socket.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.on('error', () => incoming.socket.destroy());
    incoming.pipe(forwarded);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, faults: () => faults };
}

describe.skipIf(!openSearch)('the indexer through crashes', () => {
  let scene: SearchScene;
  beforeAll(async () => {
    scene = await createSearchScene(openSearch!);
  });
  afterAll(() => scene.close());

  const expectAll = async () => {
    for (const org of scene.orgs) {
      const documents = await scene.documents(org, 'logs');
      expect(documents.map(({ id }) => id)).toEqual(await scene.eventIds(org, 'logs'));
    }
  };

  const startProcess = (): ChildProcess =>
    spawn(process.execPath, ['--no-warnings', '--import', './tests/support/run-typescript.mjs', 'subgraphs/work.ts'], {
      env: { PATH: process.env.PATH, ...scene.env },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });

  it('no document is lost or doubled when its process is killed at any point', async () => {
    let isOver = false;
    const ingesting = (async () => {
      while (!isOver) {
        for (const org of scene.orgs) await ingest(scene.platform, org, 'logs', events(50));
        await delay(20); // A pace of batches, not a wait for anything.
      }
    })();
    for (let round = 0; round < rounds; round++) {
      const child = startProcess();
      await once(child, 'message'); // It is ready.
      await delay((round * 137) % 700); // The point at which it dies: another one in every round.
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    isOver = true;
    await ingesting;
    const child = startProcess();
    try {
      await expectAll();
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });

  it('no document is lost or doubled when answers get lost and OpenSearch refuses for the moment', async () => {
    const proxy = await startUnreliableProxy(openSearch!.url);
    const unreliable = await createSearchScene({
      ...openSearch!,
      settings: {
        ...openSearch!.settings,
        OPENSEARCH_URL: proxy.url,
        OPENSEARCH_PREFIX: `${openSearch!.settings.OPENSEARCH_PREFIX}u-`,
      },
    });
    const { platform, search, orgs } = unreliable;
    const worker = startIndexWorker(platform.postgres, search, platform.logger);
    try {
      for (let batch = 0; batch < 10; batch++) {
        await ingest(platform, orgs[0], 'logs', events(20));
        expect((await unreliable.documents(orgs[0], 'logs')).map(({ id }) => id)).toEqual(
          await unreliable.eventIds(orgs[0], 'logs'),
        );
      }
      expect(proxy.faults()).toBeGreaterThan(5);
    } finally {
      await worker.stop(5_000);
      await unreliable.close();
      proxy.server.closeAllConnections();
      proxy.server.close();
    }
  });
});
