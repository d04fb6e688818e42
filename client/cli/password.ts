/** Passwords that do not stand in the arguments, where others on the machine could read them. */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { usageError } from './failure.js';
import type { Terminal } from './terminal/terminal.js';

/** The first line of a file, or of standard input for `-`. */
export async function readPassword(file: string, { surroundings }: Terminal): Promise<string> {
  try {
    const content = file === '-' ? await text(surroundings.stdin) : await readFile(file, 'utf8');
    return content.replace(/^\uFEFF/, '').split(/\r?\n/, 1)[0]!;
  } catch (error) {
    throw usageError(`The password file cannot be read: ${(error as Error).message}.`);
  }
}
