/** Questions to the person at the terminal. */
import { StringDecoder } from 'node:string_decoder';
import { Interrupted } from '../interruption.js';
import type { Surroundings } from './terminal.js';

const ctrlC = '\x03';
const ctrlD = '\x04';
const ctrlU = '\x15';
const erase = new Set(['\x7f', '\b']);

/** Asks for a line; an empty answer gives `preset`. @throws Interrupted on Ctrl-D */
export async function ask({ stdin, stderr }: Surroundings, question: string, preset?: string): Promise<string> {
  stderr.write(preset ? `${question} (${preset}): ` : `${question}: `);
  return (await readLine(stdin)).trim() || (preset ?? '');
}

/** Asks for a secret and shows nothing of it. @throws Interrupted on Ctrl-C and Ctrl-D */
export async function askSecret({ stdin, stderr }: Surroundings, question: string): Promise<string> {
  stderr.write(`${question}: `);
  // Without echo there is no editing by the terminal either: `readLine` does what is needed of it.
  stdin.setRawMode?.(true);
  try {
    return await readLine(stdin);
  } finally {
    stdin.setRawMode?.(false);
    stderr.write('\n');
  }
}

/** Reads up to the end of a line and leaves the rest for the next question, as when answers are pasted. */
function readLine(stdin: Surroundings['stdin']): Promise<string> {
  const decoder = new StringDecoder('utf8');
  let typed: string[] = [];
  return new Promise((resolve, reject) => {
    const done = (settle: () => void, rest = '') => {
      stdin.off('data', onData);
      stdin.off('end', onEnd);
      stdin.pause();
      if (rest !== '') stdin.unshift(Buffer.from(rest));
      settle();
    };
    const onEnd = () => done(() => reject(new Interrupted()));
    const onData = (chunk: Buffer) => {
      const chars = [...decoder.write(chunk)];
      for (const [index, char] of chars.entries()) {
        if (char === '\r' || char === '\n') return done(() => resolve(typed.join('')), chars.slice(index + 1).join(''));
        if (char === ctrlC || char === ctrlD) return onEnd();
        if (char === ctrlU) typed = [];
        else if (erase.has(char)) typed.pop();
        else if (char >= ' ') typed.push(char);
      }
    };
    stdin.on('data', onData);
    stdin.on('end', onEnd);
    stdin.resume();
  });
}
