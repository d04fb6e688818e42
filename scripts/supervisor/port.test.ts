import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { freePort } from '../../platform/embedded/processes.js';
import { requirePort } from './port.js';

test('a free port is accepted and left free', async () => {
  const port = await freePort();
  await requirePort(port);
  await requirePort(port);
});

test('a busy port is a one-line error that says what to do', async () => {
  const occupant = createServer().listen(0, '127.0.0.1');
  await once(occupant, 'listening');
  const { port } = occupant.address() as { port: number };
  const message = `Port ${port} is busy: stop the program that uses it, or choose another with --port N.`;
  await expect(requirePort(port)).rejects.toThrow(message);
  occupant.close();
});

test('an address of another machine is named as the wrong setting', async () => {
  await expect(requirePort(await freePort(), '192.0.2.1')).rejects.toThrow(/^HOST "192\.0\.2\.1" is not an address/);
});
