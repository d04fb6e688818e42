/** What docs/results.md shows is what a shell runs and the graph answers. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startTestGateway } from './setup/gateway.js';
import { chunksOf, completed, storeResult } from './setup/stored-results.js';

const blocks = [...readFileSync('docs/results.md', 'utf8').matchAll(/```(bash|graphql)\n([\s\S]*?)```/g)];

test('every example of docs/results.md does what it says', async () => {
  const gateway = await startTestGateway();
  const directory = await mkdtemp(path.join(tmpdir(), 'harborwatch-docs-'));
  try {
    const [org] = gateway.orgs;
    const chunks = chunksOf(3_000, (n) => [n]);
    const job = await storeResult({ database: gateway.database, orgId: org.orgId, set: completed, chunks });
    const env = { ...process.env, HARBORWATCH_URL: gateway.url, JOB: job, TOKEN: await gateway.tokenFor(org) };
    for (const [, language, text] of blocks) {
      if (language === 'bash') await promisify(execFile)('bash', ['-ec', text!], { cwd: directory, env });
      else {
        const { data, errors } = await gateway.query<any>(org, text!, { id: job });
        expect(errors).toBeUndefined();
        expect(data!.job.results.rows.length).toBe(1_000);
      }
    }
    expect((await readFile(path.join(directory, 'result.csv'), 'utf8')).split('\r\n').length).toBe(3_002);
    expect((await readFile(path.join(directory, 'result.ndjson'), 'utf8')).split('\n').length).toBe(3_001);
  } finally {
    await gateway.close();
    await rm(directory, { recursive: true });
  }
});
