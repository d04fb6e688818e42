import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../platform/config.js';
import { readWorkerArguments } from './worker-arguments.js';

describe('the command line of workers', () => {
  test('stands for settings', () => {
    expect(readWorkerArguments([])).toEqual({ help: false, settings: {} });
    expect(readWorkerArguments(['--pool', 'gold', '--concurrency', '8', '--processes=1-3'])).toEqual({
      help: false,
      settings: { WORKER_POOL: 'gold', WORKER_CONCURRENCY: '8', WORKER_PROCESSES: '1-3' },
    });
    expect(readWorkerArguments(['--help']).help).toBe(true);
  });

  test.each([
    [['--pool', 'Gold'], '--pool "Gold" is not allowed: it takes 1 to 63 lower-case letters'],
    [['--pool', 'g'.repeat(64)], '--pool'],
    [['--pool', ' '], '--pool is empty: give it a value'],
    [['--concurrency', '0'], '--concurrency "0" is not allowed: it takes a whole number from 1 to 256.'],
    [
      ['--processes', '0'],
      '--processes "0" is not allowed: it takes a whole number from 1 to 64, or two of them like 1-4.',
    ],
    [['--processes', '3-2'], '--processes "3-2" is not allowed'],
    [['--processes', '1-65'], '--processes "1-65" is not allowed'],
    [['--processes', '1-2-3'], '--processes "1-2-3" is not allowed'],
    [['--prol', 'gold'], "Unknown option '--prol'. `npm run worker -- --help` shows the options."],
    [['gold'], "Unexpected argument 'gold'"],
    [['--pool'], "Option '--pool <value>' argument missing"],
  ])('refuses %j and tells what is right', (argv, message) => {
    expect(() => readWorkerArguments(argv)).toThrow(ConfigError);
    expect(() => readWorkerArguments(argv)).toThrow(message);
  });

  test('names every wrong option at once', () => {
    expect(() => readWorkerArguments(['--pool', 'A', '--concurrency', 'x'])).toThrow(/--concurrency "x".*\n--pool "A"/);
  });
});
