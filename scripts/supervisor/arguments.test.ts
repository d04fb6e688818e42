import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { readArguments } from './arguments.js';

const root = path.join(tmpdir(), 'checkout');
const read = (argv: string[], env: NodeJS.ProcessEnv = {}) => readArguments(argv, env, root);

describe('the command line of a start', () => {
  test('has working defaults', () => {
    const options = read([]);
    expect(options).toMatchObject({ help: false, demo: true, dataDir: path.join(root, '.harborwatch') });
    expect(options.config.port).toBe(4000);
  });

  test('wins over the environment', () => {
    const env = { PORT: '5000', HARBORWATCH_DATA_DIR: '/elsewhere' };
    expect(read([], env)).toMatchObject({ dataDir: '/elsewhere', config: { port: 5000 } });
    const options = read(['--port', '5001', '--data-dir', '/here', '--no-demo'], env);
    expect(options).toMatchObject({ demo: false, dataDir: '/here', config: { port: 5001 } });
  });

  test('takes a relative directory from where the user called npm', () => {
    const env = { npm_lifecycle_event: 'start', INIT_CWD: '/home/ada' };
    expect(read(['--data-dir', 'data'], env).dataDir).toBe('/home/ada/data');
    expect(read(['--data-dir', 'data']).dataDir).toBe(path.resolve('data'));
  });

  test.each(['0', '65536x', '99999', 'web', '-1', ''])('refuses the port "%s", naming what is allowed', (port) => {
    expect(() => read([`--port=${port}`])).toThrow(
      /(--port|PORT) "?.* is not allowed: it takes a whole number from 1 to 65.?535\./,
    );
  });

  test('refuses an option it does not know, and points at --help', () => {
    expect(() => read(['--prot', '1'])).toThrow(/^Unknown option '--prot'.*`npm start -- --help`/);
    expect(() => read(['extra'])).toThrow(/^Unexpected argument 'extra'.*--help/);
  });

  test('names a wrong setting and its allowed values', () => {
    expect(() => read([], { LOG_LEVEL: 'loud' })).toThrow(/LOG_LEVEL "loud" is not allowed: it takes one of trace/);
  });
});
