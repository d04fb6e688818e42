/** For tests of this folder: a process of its own that starts a server and can be killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const runTypeScript = fileURLToPath(new URL('../../tests/support/run-typescript.mjs', import.meta.url));

/**
 * Runs `code`, an ES module that has `folder` (the URL of this folder, with a slash), in a new Node process, waits for
 * the JSON line it prints, and kills the process with SIGKILL as a crash would.
 */
export async function printThenDie<T>(code: string): Promise<T> {
  const module = `const folder = ${JSON.stringify(new URL('.', import.meta.url).href)};\n${code}`;
  const args = ['--import', runTypeScript, '--input-type=module', '--eval', module];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    child.kill('SIGKILL');
    await exited;
    return JSON.parse(line) as T;
  }
  throw new Error('The process ended without a line.');
}
