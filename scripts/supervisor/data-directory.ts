/** The data directory: made when it is missing, and held by one supervisor at a time. */
import { randomUUID } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { access, link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startMark } from '../../platform/embedded/processes.js';
import { StartError } from '../../platform/embedded/start-error.js';

/** A data directory that is ours until it is released. */
export interface HeldDirectory {
  release(): Promise<void>;
}

interface Holder {
  pid: number;
  /** Together with the pid it names one process for ever: pids are used again. */
  mark: string;
}

/** Makes the directory and takes its lock. Throws StartError when it cannot be written or another process holds it. */
export async function openDataDirectory(dir: string): Promise<HeldDirectory> {
  try {
    // Under root PostgreSQL runs as another user, who has to enter it; each secret in it has its own rights.
    await makeDirectory(dir, process.getuid?.() === 0 ? 0o755 : 0o700);
    await access(`${dir}/.`, constants.R_OK | constants.W_OK | constants.X_OK);
    await mkdir(path.join(dir, 'logs'), { recursive: true });
    return await lock(dir);
  } catch (error) {
    if (error instanceof StartError) throw error;
    const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new StartError(
      `Cannot write to the data directory ${dir} (${reason}): make it writable, or choose another with --data-dir DIR.`,
    );
  }
}

/** Not mkdir's own `recursive`: that never returns where a parent exists but takes no directories, as in /proc. */
async function makeDirectory(dir: string, mode: number): Promise<void> {
  if (existsSync(dir)) return;
  if (!existsSync(path.dirname(dir))) await makeDirectory(path.dirname(dir), mode);
  await mkdir(dir, { mode });
}

/**
 * The lock is the file `lock.N` with the highest N. A dead holder's is not replaced but followed by `lock.N+1`, which
 * exactly one of several starts can create; so nobody ever takes away a lock that was renewed a moment before.
 */
async function lock(dir: string): Promise<HeldDirectory> {
  const mine = path.join(dir, `lock-${randomUUID()}`);
  const me: Holder = { pid: process.pid, mark: startMark(process.pid) ?? '' };
  await writeFile(mine, JSON.stringify(me));
  try {
    for (;;) {
      const highest = Math.max(0, ...(await generations(dir)));
      const holder = await holderOf(lockFile(dir, highest));
      if (holder && startMark(holder.pid) === holder.mark) {
        throw new StartError(
          `Harborwatch already runs on ${dir} (process ${holder.pid}): stop that one, or give this one its own --data-dir DIR.`,
        );
      }
      if (await claim(dir, highest + 1, mine)) return { release: () => writeFile(lockFile(dir, highest + 1), 'free') };
    }
  } finally {
    await rm(mine, { force: true });
  }
}

/** True when the generation is ours now. */
async function claim(dir: string, generation: number, mine: string): Promise<boolean> {
  try {
    await link(mine, lockFile(dir, generation)); // Appears with its content or not at all, and never over another.
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  const all = await generations(dir);
  // Others were here since we looked, and this generation was free only because they had cleared it away.
  const overtaken = all.some((other) => other > generation);
  const useless = overtaken ? [generation] : all.filter((other) => other < generation);
  for (const other of useless) await rm(lockFile(dir, other), { force: true });
  return !overtaken;
}

const lockFile = (dir: string, generation: number) => path.join(dir, `lock.${generation}`);

async function generations(dir: string): Promise<number[]> {
  return (await readdir(dir)).flatMap((name) => /^lock\.(\d+)$/.exec(name)?.[1] ?? []).map(Number);
}

async function holderOf(file: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return undefined; // There is none, or it was released.
  }
}
