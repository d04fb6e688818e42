/** Runs the `harborwatch` command line the way a user does, with a home of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface CommandResult {
  status: number | null;
  stdout: string;
  stderr: string;
}

export interface CommandLine {
  /** @param input what is typed on standard input */
  run(command: string, input?: string): Promise<CommandResult>;
  dispose(): Promise<void>;
}

/** @param url where the commands find Harborwatch */
export async function commandLine(url: string): Promise<CommandLine> {
  const home = await mkdtemp(join(tmpdir(), 'harborwatch-home-'));
  return {
    run: async (command, input = '') => {
      const child = spawn('bash', ['-c', command], {
        env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home, HARBORWATCH_URL: url, NO_COLOR: '1' },
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      let [stdout, stderr] = ['', ''];
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        stdout += chunk;
      });
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        stderr += chunk;
      });
      child.stdin.on('error', () => {}); // A command may end without reading.
      child.stdin.end(input);
      const [status] = (await once(child, 'close')) as [number | null];
      return { status, stdout, stderr };
    },
    dispose: () => rm(home, { recursive: true, force: true }),
  };
}
