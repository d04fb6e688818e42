/** Seconds from `npm start` in a fresh clone to `Harborwatch is ready`: the first start, and the second on its data. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../platform/embedded/processes.js';
import { type Bench, median } from './frame.js';

const rounds = 3;
const readyTimeoutMs = 300_000;
const stopTimeoutMs = 15_000;

/** Starts, waits for the line, stops, and answers both times in seconds. */
async function startOnce(directory: string): Promise<{ readySeconds: number; stopSeconds: number }> {
  const started = performance.now();
  const child = spawn('npm', ['start', '--', '--port', String(await freePort())], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const exited = once(child, 'exit');
  let text = '';
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Not ready in ${readyTimeoutMs} ms:\n${text}`)), readyTimeoutMs);
    child.once('exit', () => reject(new Error(`It ended before it was ready:\n${text}`)));
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (!text.includes('Harborwatch is ready')) return;
        clearTimeout(timer);
        resolve();
      });
    }
  });
  const readySeconds = (performance.now() - started) / 1000;
  const stopping = performance.now();
  // Ctrl-C reaches every process of the terminal's group; npm hands nothing on.
  process.kill(-child.pid!, 'SIGINT');
  const timer = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), stopTimeoutMs);
  await exited;
  clearTimeout(timer);
  return { readySeconds, stopSeconds: (performance.now() - stopping) / 1000 };
}

export const startup: Bench = {
  name: 'startup',
  about: 'seconds from `npm start` to ready, first and second start of a fresh clone, downloads included',
  async run({ say }) {
    const first: number[] = [];
    const second: number[] = [];
    const stops: number[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      const directory = await mkdtemp(join(tmpdir(), 'harborwatch-startup-'));
      // Under root PostgreSQL runs as another user, who has to enter it.
      await chmod(directory, 0o755);
      try {
        execFileSync('git', ['clone', '--quiet', '--no-hardlinks', '.', directory]);
        const cold = await startOnce(directory);
        const warm = await startOnce(directory);
        first.push(cold.readySeconds);
        second.push(warm.readySeconds);
        stops.push(cold.stopSeconds, warm.stopSeconds);
        say(`round ${round}: first ${cold.readySeconds.toFixed(1)} s, second ${warm.readySeconds.toFixed(1)} s`);
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    }
    const [firstStartSeconds, secondStartSeconds] = [median(first), median(second)];
    return {
      figures: { firstStartSeconds, secondStartSeconds, stopSeconds: median(stops) },
      ratios: { firstOverSecond: firstStartSeconds / secondStartSeconds },
      scale: { rounds, rows: 0 },
      versions: { npm: execFileSync('npm', ['--version'], { encoding: 'utf8' }).trim() },
    };
  },
};
