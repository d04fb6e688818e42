/** Finds a program that serves Redis, and fetches one without installing anything where there is none. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { StartError } from './start-error.js';

/** A program that serves Redis. */
export interface RedisBinary {
  program: string;
  /** Where its libraries are when it is not installed in the system: LD_LIBRARY_PATH. */
  libraryPath?: string;
  /** Where it came from, for people: "redis-server 7.0.15 of this machine". */
  origin: string;
}

const names = ['redis-server', 'valkey-server'];
/** BullMQ needs the commands of Redis 6.2. */
const oldestVersion = [6, 2] as const;
const downloadTimeoutMs = 120_000;

/** The first of: a server program on PATH, one fetched earlier, one fetched now from Debian's or Ubuntu's packages. */
export async function findRedisBinary(toolchainDir: string, log: (line: string) => void): Promise<RedisBinary> {
  for (const dir of (process.env.PATH ?? '').split(path.delimiter)) {
    for (const name of names) {
      const program = path.join(dir, name);
      const version = dir && existsSync(program) ? versionOf({ program }) : undefined;
      if (version) return { program, origin: `${name} ${version} of this machine` };
    }
  }
  const unpacked = path.join(toolchainDir, `redis-${process.arch}`);
  const earlier = await inTree(unpacked);
  if (earlier) return earlier;

  let reason = '';
  if (spawnSync('apt-get', ['--version']).status === 0 && spawnSync('dpkg', ['--version']).status === 0) {
    log(`There is no Redis on this machine: fetching its Debian package into ${toolchainDir}, nothing is installed.`);
    reason = await fetchDebianPackage(toolchainDir, unpacked);
    const fetched = await inTree(unpacked);
    if (fetched) return fetched;
    reason = ` (fetching Debian's package failed: ${reason})`;
  }
  const advice = process.platform === 'darwin' ? '`brew install redis`' : 'install redis or valkey';
  throw new StartError(`There is no Redis on this machine${reason}: ${advice}, or set REDIS_URL to a server.`);
}

/** The server program in a tree of unpacked packages, when there is one that runs. */
async function inTree(tree: string): Promise<RedisBinary | undefined> {
  const program = names.map((name) => path.join(tree, 'usr/bin', name)).find((file) => existsSync(file));
  if (!program) return undefined;
  const libraries: string[] = [];
  for (const base of ['usr/lib', 'lib']) {
    const entries = await readdir(path.join(tree, base), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (entry.isDirectory() && entry.name.endsWith('-linux-gnu')) libraries.push(path.join(tree, base, entry.name));
    }
  }
  const binary = { program, libraryPath: libraries.join(':') };
  const version = versionOf(binary);
  return version ? { ...binary, origin: `${path.basename(program)} ${version} from Debian's package` } : undefined;
}

/** The version of a server program; undefined when it does not run or is too old. */
function versionOf({ program, libraryPath }: Pick<RedisBinary, 'program' | 'libraryPath'>): string | undefined {
  const env = libraryPath ? { ...process.env, LD_LIBRARY_PATH: libraryPath } : process.env;
  const result = spawnSync(program, ['--version'], { env, encoding: 'utf8', timeout: 10_000 });
  const version = /v=(\d+\.\d+\S*)/.exec(result.stdout ?? '')?.[1];
  const [major = 0, minor = 0] = version?.split('.').map(Number) ?? [];
  return major > oldestVersion[0] || (major === oldestVersion[0] && minor >= oldestVersion[1]) ? version : undefined;
}

/**
 * Downloads redis-server and what it needs that this machine lacks, and unpacks it into `target`. apt works on
 * directories of its own, so neither root nor a change to the system is needed. Answers the reason when it fails.
 */
async function fetchDebianPackage(toolchainDir: string, target: string): Promise<string> {
  await mkdir(toolchainDir, { recursive: true });
  const work = await mkdtemp(path.join(toolchainDir, 'apt-'));
  const archives = path.join(work, 'cache/archives');
  const lists = path.join(work, 'state');
  const options = {
    'Dir::Cache': path.join(work, 'cache'),
    'Debug::NoLocking': '1',
    'APT::Sandbox::User': '', // Root's apt would otherwise hand the download to a user who cannot enter this directory.
    'APT::Install-Recommends': 'false',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '2',
  };
  const ownLists = { ...options, 'Dir::State': lists, 'Dir::State::status': '/var/lib/dpkg/status' };
  const download = (settings: Record<string, string>) =>
    aptGet(settings, ['-y', '--download-only', 'install', 'redis-server']);
  try {
    await mkdir(path.join(lists, 'lists/partial'), { recursive: true });
    await mkdir(path.join(archives, 'partial'), { recursive: true });
    // The system's own package lists save a download; they may be missing or name versions that are gone.
    await download(options).catch(async () => {
      await aptGet(ownLists, ['update']);
      await download(ownLists);
    });
    const tree = path.join(work, 'tree');
    for (const file of await readdir(archives)) {
      if (file.endsWith('.deb')) await run('dpkg', ['-x', path.join(archives, file), tree]);
    }
    await rm(target, { recursive: true, force: true });
    await rename(tree, target);
    return 'the package holds no redis-server that runs here';
  } catch (error) {
    return (error as Error).message;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const aptGet = (settings: Record<string, string>, args: string[]) =>
  run('apt-get', [...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]), '-qq', ...args]);

function run(program: string, args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: downloadTimeoutMs,
    });
    let errors = '';
    child.stderr.on('data', (chunk) => (errors += chunk));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) return resolve();
      reject(new Error(`${program}: ${errors.trim().split('\n').at(-1) || `exit ${code}`}`));
    });
  });
}
