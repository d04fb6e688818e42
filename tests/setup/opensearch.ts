/**
 * OpenSearch for the tests that ask for it: started when the first of a run does, shared by all of the run, and ended
 * with it. OPENSEARCH_URL names one to use instead.
 */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { endOpenSearch, startOpenSearch } from './opensearch-server.js';

const doorVariable = 'HARBORWATCH_TEST_OPENSEARCH';
/** Read by scripts/test.mjs: why tests were skipped, a line for each server that could not be had. */
const missingServersFile = fileURLToPath(new URL('../../.harborwatch/missing-servers.txt', import.meta.url));

type Found = { url: string } | { reason: string };

/** Opens the door at which test files ask for the server; called once before all tests. @returns what ends it */
export async function openOpenSearchDoor(directory: string): Promise<() => Promise<void>> {
  let found: Promise<Found> | undefined;
  const door = createServer(async (_request, response) => {
    found ??= find(directory);
    response.end(JSON.stringify(await found));
  });
  door.requestTimeout = 0;
  door.listen(0, '127.0.0.1').unref();
  await once(door, 'listening');
  process.env[doorVariable] = `http://127.0.0.1:${(door.address() as AddressInfo).port}`;
  return async () => {
    door.close();
    await found;
    await endOpenSearch(directory);
  };
}

async function find(directory: string): Promise<Found> {
  await rm(missingServersFile, { force: true });
  try {
    return { url: process.env.OPENSEARCH_URL ?? (await startOpenSearch(directory, console.log)) };
  } catch (error) {
    const reason = `tests on OpenSearch were skipped: ${(error as Error).message}`;
    await writeFile(missingServersFile, `${reason}\n`);
    console.log(reason);
    return { reason };
  }
}

/** A place on the run's OpenSearch that no other test file uses. */
export interface TestOpenSearch {
  url: string;
  /** The settings of a platform that uses it. */
  settings: Record<string, string>;
  /** Any request, for setting the scene and for looking behind it. @throws Error with the answer of one that failed */
  request(method: string, path: string, body?: unknown): Promise<any>;
  /** Drops all that was made under the prefix. */
  drop(): Promise<void>;
}

/**
 * Asks for the run's OpenSearch; a test file does so before it describes its tests:
 *
 *     const openSearch = await findOpenSearch();
 *     describe.skipIf(!openSearch)('...', () => { ... createTestPlatform(openSearch!.settings) ... });
 *
 * @returns undefined where there is none; the end of the test run tells why
 */
export async function findOpenSearch(): Promise<TestOpenSearch | undefined> {
  const found = (await (await fetch(process.env[doorVariable]!)).json()) as Found;
  if ('reason' in found) return undefined;
  const { url } = found;
  const prefix = `t${randomBytes(5).toString('hex')}-`;
  const request = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: HTTP ${response.status} ${text}`);
    return text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text;
  };
  return {
    url,
    settings: { OPENSEARCH_URL: url, OPENSEARCH_PREFIX: prefix },
    request,
    drop: async () => {
      await request('DELETE', `/${prefix}*?expand_wildcards=all`);
      const { index_templates: templates } = await request('GET', '/_index_template');
      for (const { name } of templates.filter(({ name }: { name: string }) => name.startsWith(prefix))) {
        await request('DELETE', `/_index_template/${name}`);
      }
    },
  };
}
