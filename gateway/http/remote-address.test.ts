import type { IncomingMessage } from 'node:http';
import { expect, it } from 'vitest';
import { createRemoteAddress } from './remote-address.js';

const from = (remoteAddress: string, forwarded?: string, trusted: string[] = ['10.0.0.0/8', '::1', '2001:db8::/32']) =>
  createRemoteAddress(trusted)({
    socket: { remoteAddress },
    headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
  } as unknown as IncomingMessage);

it('the address of the connection counts where no proxy is trusted, whatever the client writes', () => {
  expect(from('192.0.2.1', '6.6.6.6', [])).toBe('192.0.2.1');
  expect(from('192.0.2.1', '6.6.6.6')).toBe('192.0.2.1');
  expect(from('::ffff:192.0.2.1')).toBe('192.0.2.1');
});

it('behind trusted proxies the client is the rightmost address that is none of them', () => {
  expect(from('10.0.0.1', '6.6.6.6, 192.0.2.1')).toBe('192.0.2.1');
  expect(from('::ffff:10.0.0.1', '192.0.2.1, 10.9.9.9,10.1.1.1')).toBe('192.0.2.1');
  expect(from('::1', '::ffff:192.0.2.1')).toBe('192.0.2.1');
  expect(from('2001:db8::7', '2001:db9::1')).toBe('2001:db9::1');
});

it('a proxy may write the port of the client as well', () => {
  expect(from('10.0.0.1', '6.6.6.6:1, 192.0.2.1:4711')).toBe('192.0.2.1');
  expect(from('10.0.0.1', '[2001:db9::1]:4711, 10.0.0.2:80')).toBe('2001:db9::1');
  expect(from('10.0.0.1', '[::ffff:192.0.2.1]')).toBe('192.0.2.1');
});

it('what is no address ends the way back at the last proxy that is known', () => {
  expect(from('10.0.0.1', '192.0.2.1, nonsense')).toBe('10.0.0.1');
  expect(from('10.0.0.1', 'nonsense, 10.0.0.2')).toBe('10.0.0.2');
  expect(from('10.0.0.1')).toBe('10.0.0.1');
  expect(from('10.0.0.1', '')).toBe('10.0.0.1');
});
