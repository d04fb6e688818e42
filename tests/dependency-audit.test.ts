/** `npm run audit` against a registry of the test's own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let registry: Server;
let cache: string;
/** What the registry says of advisories; undefined where it does not answer such questions. */
let advisories: object | undefined;

beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'harborwatch-audit-'));
  registry = createServer((request, response) => {
    request.resume();
    const isQuestion = request.method === 'POST' && request.url === '/-/npm/v1/security/advisories/bulk';
    const answer = isQuestion ? advisories : undefined;
    response.writeHead(answer ? 200 : 405, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? {}));
  });
  registry.listen(0, '127.0.0.1');
  await once(registry, 'listening');
});
afterAll(async () => {
  registry.closeAllConnections();
  registry.close();
  await rm(cache, { recursive: true, force: true });
});

async function audit(): Promise<{ status: number; output: string }> {
  const url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`;
  const env = { ...process.env, npm_config_registry: url, npm_config_cache: cache, npm_config_fetch_retries: '0' };
  const child = spawn(process.execPath, ['scripts/audit.mjs'], { env });
  let output = '';
  child.stdout.on('data', (text) => (output += text));
  child.stderr.on('data', (text) => (output += text));
  const [status] = await once(child, 'close');
  return { status, output };
}

describe('the dependency audit', { timeout: 120_000 }, () => {
  it('is content where nothing is known', async () => {
    advisories = {};
    expect(await audit()).toMatchObject({ status: 0, output: expect.stringContaining('No known weaknesses.') });
  });

  it('fails for a weakness of a dependency that is high, and names it', async () => {
    const advisory = { id: 1, url: 'https://advisories.invalid/1', title: 'A hole', severity: 'high' };
    advisories = { pino: [{ ...advisory, vulnerable_versions: '*', cwe: [], cvss: { score: 8, vectorString: null } }] };
    expect(await audit()).toMatchObject({
      status: 1,
      output: expect.stringMatching(/high +pino .*\nKnown weaknesses: 1 high/s),
    });
  });

  it('says loudly that nobody answered, which is neither good nor bad', async () => {
    advisories = undefined;
    expect(await audit()).toMatchObject({ status: 3, output: expect.stringContaining('COULD NOT RUN: 405') });
  });
});
