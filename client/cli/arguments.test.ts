import { describe, expect, it } from 'vitest';
import { type CommandDeclaration, helpOf, parseArguments } from './arguments.js';
import { formatBytes, formatDuration, parseDuration } from './terminal/units.js';

const command: CommandDeclaration = {
  name: 'send',
  summary: 'Send a file.',
  positionals: ['FILE'],
  options: {
    dataset: { value: 'NAME', description: 'Where to.', required: true },
    format: { value: 'FORMAT', description: 'Which.', choices: ['csv', 'ndjson'], preset: 'csv' },
    tag: { value: 'TAG', description: 'Marks.', repeats: true },
    quiet: { description: 'Say nothing.' },
  },
};
const parse = (...args: string[]) => parseArguments(command, args);

describe('arguments', () => {
  it('are read in any order, with presets', () => {
    expect(parse('--dataset=logs', 'a.csv', '--quiet')).toEqual({
      positionals: ['a.csv'],
      values: { dataset: 'logs', format: 'csv' },
      lists: { tag: [] },
      flags: new Set(['quiet']),
    });
    expect(parse('-', '--dataset', 'logs', '--format', 'NDJSON').values.format).toBe('ndjson');
    expect(parse('--dataset', 'logs', '--', '--odd-name').positionals).toEqual(['--odd-name']);
  });

  it('may repeat, and keep their order', () => {
    expect(parse('a.csv', '--dataset', 'x', '--tag', 'b', '--tag=a').lists).toEqual({ tag: ['b', 'a'] });
    expect(helpOf(command)).toContain('Marks. May be given several times.');
  });

  it.each([
    [['a', '--dataset', 'x', '--fromat', 'csv'], 'There is no option --fromat. Did you mean --format?'],
    [['a', '--dataset', 'x', '--format', 'xml'], '--format takes csv, ndjson, not "xml".'],
    [['a', '--dataset'], '--dataset takes a value: --dataset NAME.'],
    [['a'], '--dataset is missing.'],
    [['--dataset', 'x'], 'FILE is missing.'],
    [['a', 'b', '--dataset', 'x'], '"b" is one argument too many.'],
    [['a', '--dataset', 'x', '--quiet=yes'], '--quiet takes no value.'],
    [['a', '--dataset', 'x', '--constructor'], 'There is no option --constructor.'],
  ])('%j are refused with what is wrong', (args, message) => {
    expect(() => parse(...args)).toThrow(message);
  });

  it('for help need nothing else', () => {
    expect(parse('--help').flags.has('help')).toBe(true);
    const help = helpOf(command);
    for (const part of [
      'Usage: harborwatch send FILE --dataset NAME [options]',
      'One of csv, ndjson.',
      'Default: csv.',
    ]) {
      expect(help).toContain(part);
    }
  });
});

describe('units', () => {
  it('read durations', () => {
    expect(['500ms', '60s', '60', '1.5m', '1h'].map(parseDuration)).toEqual([500, 60_000, 60_000, 90_000, 3_600_000]);
    expect(['', '-1s', 'soon', '1d', '0'].map(parseDuration)).toEqual(Array(5).fill(undefined));
  });

  it('are short', () => {
    expect([0, 999, 999_600, 1_234_567].map(formatBytes)).toEqual(['0 B', '999 B', '1.0 MB', '1.2 MB']);
    expect([12, 1_200, 59_960, 61_000, 3_720_000].map(formatDuration)).toEqual([
      '12 ms',
      '1.2 s',
      '1:00 min',
      '1:01 min',
      '1:02 h',
    ]);
  });
});
