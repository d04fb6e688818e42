/**
 * Our own processes, remembered in the data directory while they run. They end by themselves when their supervisor is
 * gone; one that hangs is ended by the next start, which recognises it by pid and start time.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { endProcess, startMark } from '../../platform/embedded/processes.js';

const dirOf = (dataDir: string) => path.join(dataDir, 'run');
const fileOf = (dataDir: string, name: string) => path.join(dirOf(dataDir), `${name}.json`);

/** Remembers a process that was just started. */
export async function remember(dataDir: string, name: string, pid: number): Promise<void> {
  await mkdir(dirOf(dataDir), { recursive: true });
  await writeFile(fileOf(dataDir, name), JSON.stringify({ pid, mark: startMark(pid) }));
}

/** Forgets a process that ended. */
export async function forget(dataDir: string, name: string): Promise<void> {
  await rm(fileOf(dataDir, name), { force: true });
}

/** Ends what an earlier supervisor left, and says so. */
export async function endLeftovers(dataDir: string, say: (line: string) => void): Promise<void> {
  for (const entry of await readdir(dirOf(dataDir)).catch(() => [])) {
    const name = path.basename(entry, '.json');
    const text = await readFile(fileOf(dataDir, name), 'utf8').catch(() => '');
    const { pid, mark } = parsed(text);
    if (pid && mark && startMark(pid) === mark) {
      await endProcess(pid, [
        { signal: 'SIGTERM', waitMs: 3_000 },
        { signal: 'SIGKILL', waitMs: 1_000 },
      ]);
      say(`Ended the ${name} process that an earlier run left (process ${pid}).`);
    }
    await forget(dataDir, name);
  }
}

/** A crash may leave half a file: then there is nobody to recognise. */
function parsed(text: string): { pid?: number; mark?: string } {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
