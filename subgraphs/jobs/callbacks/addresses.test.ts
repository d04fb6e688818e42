/** Which addresses may be called, in every spelling. */
import { describe, expect, test } from 'vitest';
import { CallbackAddresses, isPublic } from './addresses.js';

const publicOnly = new CallbackAddresses([]);

const codeOf = (addresses: CallbackAddresses, url: string) => {
  try {
    return addresses.checkUrl(url);
  } catch (error) {
    const { code, details } = error as { code: string; details: { argument: string } };
    return `${code} ${details.argument}`;
  }
};
const refused = 'CALLBACK_NOT_ALLOWED input.callbackUrl';

describe('literal addresses', () => {
  test.each(
    `127.0.0.1 127.255.255.254 127.1 127.0.1 2130706433 0x7f000001 0x7f.1 0x7F.0x0.0x0.0x1 017700000001 0177.1 0177.0.0.01
     127.0.0.1. 0x7f000001. １２７.0.0.1 127。0。0。1 %31%32%37.0.0.1 ①②⑦.0.0.1
     0.0.0.0 0 0.1.2.3 10.0.0.1 10.255.255.255 167772161 100.64.0.1 100.127.255.255 169.254.169.254 0xa9fea9fe 2852039166
     172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255 3232235521 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1
     168.63.129.16 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
     [::] [::1] [0:0:0:0:0:0:0:1] [::127.0.0.1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::FFFF:0:0] [::ffff:10.0.0.1]
     [::ffff:169.254.169.254] [::ffff:a9fe:a9fe] [0:0:0:0:0:ffff:7f00:0001] [::ffff:0:127.0.0.1] [64:ff9b::7f00:1]
     [64:ff9b::10.0.0.1] [64:ff9b:1::1] [100::1] [2001::1] [2001:0:4136:e378:8000:63bf:3fff:fdd2] [2001:2::1] [2001:10::1]
     [2001:db8::1] [2002:7f00:1::] [2002:a00:1::1] [3fff::1] [5f00::1] [fc00::1] [fd00::1] [fd00:ec2::254] [fe80::1]
     [febf::1] [fec0::1] [ff02::1] [ff0e::1] [::ffff:8.8.8.8%25eth0] [fe80::1%25eth0] [fe80::1%eth0] [4000::1] [e000::1]
     localhost LOCALHOST localhost. a.localhost receiver.localhost.`
      .split(/\s+/)
      .filter(Boolean),
  )('%s is refused when a job is submitted', (host) => {
    expect(codeOf(publicOnly, `https://${host}/x`)).toBe(refused);
    expect(codeOf(publicOnly, `https://${host}:8443/x`)).toBe(refused);
  });

  test.each(
    `8.8.8.8 1.1.1.1 11.0.0.1 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1 169.253.1.1 172.15.255.255 172.32.0.1
     192.0.1.1 192.167.1.1 192.169.1.1 198.17.255.255 198.20.0.1 223.255.255.255 [2606:4700::1111] [2a00:1450:4001::1]
     [::ffff:8.8.8.8] [2001:4860:4860::8888] [2400:cb00::1]`
      .split(/\s+/)
      .filter(Boolean),
  )('%s is public', (host) => {
    expect(codeOf(publicOnly, `https://${host}/x`)).toMatch(/^https:\/\//);
  });

  test('an address with a zone, or text that is no address, is not public', () => {
    for (const text of ['fe80::1%eth0', 'fe80::1%1', '', 'x', '1.2.3', '::1%lo', 'fd00::1%0']) {
      expect(isPublic(text), text).toBe(false);
    }
  });
});

describe('URLs', () => {
  test.each([
    ['', 'no text'],
    ['receiver.example', 'no scheme'],
    ['//receiver.example/x', 'no scheme'],
    ['http://receiver.example/x', 'http'],
    ['http://8.8.8.8/x', 'http to a public address'],
    ['ftp://receiver.example/x', 'another scheme'],
    ['file:///etc/passwd', 'another scheme'],
    ['gopher://receiver.example/x', 'another scheme'],
    ['javascript:alert(1)', 'another scheme'],
    ['unix:/run/x.sock', 'another scheme'],
    ['https://', 'no host'],
    ['https:///', 'no host'],
    ['https://user@receiver.example/x', 'a user'],
    ['https://:word@receiver.example/x', 'a password'],
    ['https://user:word@receiver.example/x', 'credentials'],
    ['https://8.8.8.8@127.0.0.1/x', 'an address as a user'],
    ['https://receiver.example:0/x', 'port 0'],
    ['https://receiver.example:65536/x', 'a port too high'],
    ['https://receiver.example:x/x', 'a port that is none'],
    ['https://rec eiver.example/x', 'a space in the name'],
    [`https://receiver.example/${'x'.repeat(2_048)}`, 'over 2,048 characters'],
    [`https://receiver.example/${'é'.repeat(700)}`, 'over 2,048 characters as it travels'],
  ])('%s is refused: %s', (url) => {
    expect(codeOf(publicOnly, url)).toBe(refused);
  });

  test('a public https URL is taken in the spelling in which it is called', () => {
    expect(publicOnly.checkUrl('https://receiver.example/jobs?key=1')).toBe('https://receiver.example/jobs?key=1');
    expect(publicOnly.checkUrl(' HTTPS://Receiver.Example:443/a/../é#part ')).toBe('https://receiver.example/%C3%A9');
    expect(publicOnly.checkUrl('https://receiver.example:8443')).toBe('https://receiver.example:8443/');
    const longest = `https://receiver.example/${'x'.repeat(2_048 - 'https://receiver.example/'.length)}`;
    expect(publicOnly.checkUrl(longest)).toBe(longest);
  });
});

describe('addresses that an operator admits', () => {
  const admitting = new CallbackAddresses(['10.1.0.0/16', '127.0.0.1', 'fd12:3456::/32']);

  test('are called over http and https, in every spelling', () => {
    for (const host of ['10.1.2.3', '127.0.0.1', '0x7f.1', '[fd12:3456::9]', '[::ffff:10.1.2.3]', '[::ffff:7f00:1]']) {
      for (const scheme of ['http', 'https']) {
        expect(codeOf(admitting, `${scheme}://${host}/x`), host).toMatch(/^https?:\/\//);
      }
    }
  });

  test('do not open their neighbours', () => {
    for (const host of ['10.2.0.1', '127.0.0.2', '[fd12:3457::1]', '[::1]', '[::ffff:10.2.0.1]', 'localhost']) {
      expect(codeOf(admitting, `https://${host}/x`), host).toBe(refused);
    }
  });

  test('do not open http to public addresses; a name is decided when it is called', () => {
    expect(codeOf(admitting, 'http://8.8.8.8/x')).toBe(refused);
    expect(codeOf(admitting, 'http://receiver.example/x')).toBe('http://receiver.example/x');
    expect(admitting.admits('8.8.8.8', 'http:')).toBe(false);
    expect(admitting.admits('8.8.8.8', 'https:')).toBe(true);
    expect(admitting.admits('10.1.2.3', 'http:')).toBe(true);
  });
});
