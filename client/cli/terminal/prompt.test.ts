import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Interrupted } from '../interruption.js';
import { ask, askSecret } from './prompt.js';

function terminal() {
  const stdin = new PassThrough();
  const stderr = new PassThrough();
  return {
    stdin,
    stderr,
    surroundings: { stdin, stderr, stdout: stderr, env: {} },
    shown: () => String(stderr.read() ?? ''),
  };
}

describe('questions', () => {
  it('take their answers one by one, also when all are pasted at once', async () => {
    const { stdin, surroundings, shown } = terminal();
    stdin.write('ada@example.com\rsecret\r');
    expect(await ask(surroundings, 'Email')).toBe('ada@example.com');
    expect(await askSecret(surroundings, 'Password')).toBe('secret');
    expect(shown()).toBe('Email: Password: \n');
  });

  it('take the preset for an empty answer', async () => {
    const { stdin, surroundings, shown } = terminal();
    stdin.write('\n');
    expect(await ask(surroundings, 'Email', 'ada@example.com')).toBe('ada@example.com');
    expect(shown()).toBe('Email (ada@example.com): ');
  });

  it('let a secret be corrected', async () => {
    const { stdin, surroundings } = terminal();
    stdin.write(Buffer.from('wrong\x15gehé\x7feim\r'));
    expect(await askSecret(surroundings, 'Password')).toBe('geheim');
  });

  it('end with Ctrl-C and with the end of input', async () => {
    const first = terminal();
    first.stdin.write('sec\x03');
    await expect(askSecret(first.surroundings, 'Password')).rejects.toThrow(Interrupted);
    const second = terminal();
    second.stdin.end();
    await expect(ask(second.surroundings, 'Email')).rejects.toThrow(Interrupted);
  });
});
