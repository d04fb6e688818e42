/** Makes a new cluster: `initdb`, and the few changes that every database of it inherits. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { PostgresPlace } from './postgres-place.js';
import { StartError } from './start-error.js';

/** The superuser of every embedded cluster. Only migrations and the supervisor connect as it. */
export const superuser = 'harborwatch_superuser';

const stepTimeoutMs = 60_000;

/**
 * SQL for each database that new ones are made from. Row-level security reads the caller's organisation from a
 * setting, so a user's query must not be able to set one; the application's role gets a grant of its own.
 */
const hardening = 'REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC\n';

/** Makes the cluster of a place unless it exists. It appears under its name only when it is complete. */
export async function ensureCluster(place: PostgresPlace, password: string, durable: boolean): Promise<void> {
  if (existsSync(path.join(place.clusterDir, 'PG_VERSION'))) return;
  const partial = `${place.clusterDir}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true, mode: 0o700 });
  const passwordFile = path.join(path.dirname(partial), 'initial-password');
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (place.user) {
    await chown(partial, place.user.uid, place.user.gid);
    await chown(passwordFile, place.user.uid, place.user.gid);
  }
  try {
    await run(place, 'initdb', [
      `--pgdata=${partial}`,
      `--username=${superuser}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-instructions',
      ...(durable ? [] : ['--no-sync']),
    ]);
    for (const database of ['template1', 'postgres']) {
      await run(place, 'postgres', ['--single', '-D', partial, '-c', 'exit_on_error=on', database], hardening);
    }
    await rename(partial, place.clusterDir);
  } finally {
    await rm(passwordFile, { force: true });
    await rm(partial, { recursive: true, force: true });
  }
}

/** The environment of PostgreSQL's programs: nothing of the caller's PGDATA, PGPORT and the like, and no locale. */
export const postgresEnvironment = { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

async function run(place: PostgresPlace, program: string, args: string[], input = ''): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = spawn(path.join(place.binDir, program), args, {
      ...place.user,
      cwd: '/',
      env: postgresEnvironment,
      timeout: stepTimeoutMs,
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) return resolve();
      const lastLine = output.trim().split('\n').at(-1) ?? '';
      reject(new StartError(`PostgreSQL's ${program} failed (${signal ?? `exit ${code}`}): ${lastLine}`));
    });
    child.stdin.on('error', () => {}); // It may end before it has read everything: its exit status tells.
    child.stdin.end(input);
  });
}
