/** The programs that benchmarks compare with: in `bench/rivals`, with dependencies of their own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Where they are, from the checkout, where every benchmark runs. */
export const rivalsDirectory = resolve('bench/rivals');

/** Installs them unless that was done for this lockfile already. @throws with npm's output */
export async function installRivals(say: (line: string) => void): Promise<void> {
  const lockfile = readFileSync(join(rivalsDirectory, 'package-lock.json'), 'utf8');
  const stamp = join(rivalsDirectory, 'node_modules/.lockfile-installed');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lockfile) return;
  say(`installing what is compared with into ${rivalsDirectory}/node_modules: about 700 MB, once`);
  const args = ['ci', '--ignore-scripts', '--no-fund', '--no-audit', '--loglevel=error'];
  const npm = spawn('npm', args, { cwd: rivalsDirectory, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [npm.stdout, npm.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  const [code] = await once(npm, 'close');
  if (code !== 0) throw new Error(`The rivals cannot be installed; \`npm ci\` in ${rivalsDirectory} says:\n${output}`);
  writeFileSync(stamp, lockfile);
}

/** The version of one of their packages. */
export function rivalVersion(name: string): string {
  const file = join(rivalsDirectory, 'node_modules', name, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
