import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCombinedReader, parseCombined } from './combined.js';

const line = (rest: string) => `203.0.113.9 - - [17/May/2015:10:05:03 +0000] ${rest}`;

describe('the combined log format', () => {
  it('gives the fields of website_logs', () => {
    expect(
      parseCombined(
        '203.0.113.9 - frank [10/Oct/2000:13:55:36 -0700] "GET /a.gif?q=1 HTTP/1.0" 200 2326 "http://example.com/start" "Mozilla/4.08 [en] (Win98; I ;Nav)"',
      ),
    ).toEqual({
      request_timestamp: '2000-10-10T13:55:36-07:00',
      ip_address: '203.0.113.9',
      user_id: 'frank',
      http_method: 'GET',
      url: '/a.gif?q=1',
      protocol: 'HTTP/1.0',
      status_code: 200,
      bytes: 2326,
      referrer: 'http://example.com/start',
      user_agent: 'Mozilla/4.08 [en] (Win98; I ;Nav)',
    });
  });

  it('leaves out what a hyphen stands for', () => {
    expect(parseCombined('- - - [17/May/2015:10:05:03 +0000] "-" 408 - "-" "-"')).toEqual({
      request_timestamp: '2015-05-17T10:05:03+00:00',
      status_code: 408,
    });
  });

  it('reads the common format, IPv6 and host names, and users with blanks', () => {
    expect(parseCombined('2001:db8::1 - - [17/May/2015:10:05:03 +0530] "HEAD / HTTP/2.0" 304 0')).toEqual({
      request_timestamp: '2015-05-17T10:05:03+05:30',
      ip_address: '2001:db8::1',
      http_method: 'HEAD',
      url: '/',
      protocol: 'HTTP/2.0',
      status_code: 304,
      bytes: 0,
    });
    expect(parseCombined('host.example - john doe [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1')).toMatchObject({
      ip_address: 'host.example',
      user_id: 'john doe',
    });
  });

  it('takes back the escapes of Apache and Nginx, and keeps bytes that are no text as they are spelled', () => {
    expect(
      parseCombined(line(String.raw`"GET /a\"b HTTP/1.1" 200 1 "-" "back\\slash \x22quoted\x22 caf\xc3\xa9"`)),
    ).toMatchObject({
      url: '/a"b',
      user_agent: 'back\\slash "quoted" café',
    });
    expect(parseCombined(line(String.raw`"\x16\x03\x01\x00" 400 226 "-" "-"`))).toMatchObject({
      request: String.raw`\x16\x03\x01\x00`,
      status_code: 400,
    });
  });

  it('keeps a request line that is not HTTP whole, and one of HTTP/0.9 apart', () => {
    const notHttp = parseCombined(line('"hello there everyone" 400 0 "-" "-"'));
    expect(notHttp).toMatchObject({ request: 'hello there everyone' });
    expect(notHttp).not.toHaveProperty('http_method');
    expect(parseCombined(line('"GET /old" 200 5'))).toMatchObject({ http_method: 'GET', url: '/old' });
    expect(parseCombined(line('"GET /a b c HTTP/1.1" 404 5'))).toMatchObject({ url: '/a b c', protocol: 'HTTP/1.1' });
  });

  it('keeps what stands behind the user agent, and a last field that the file was cut off in', () => {
    expect(parseCombined(line('"GET / HTTP/1.1" 200 1 "-" "curl" "198.51.100.1" 0.012'))).toMatchObject({
      user_agent: 'curl',
      extra: '"198.51.100.1" 0.012',
    });
    expect(parseCombined(line('"GET / HTTP/1.1" 200 1 "-" "Mozilla/5.0 (compat'))).toMatchObject({
      status_code: 200,
      user_agent: 'Mozilla/5.0 (compat',
    });
  });

  it('says what is wrong with a line that is none', () => {
    expect(parseCombined('hello')).toMatch(/does not begin like/);
    expect(parseCombined('1.2.3.4 - - [31/Feb/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1')).toMatch(
      /is not a time such as/,
    );
    expect(parseCombined('1.2.3.4 - - [17/Mai/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1')).toMatch(
      /is not a time such as/,
    );
    expect(parseCombined(line('"GET / HTTP/1.1'))).toMatch(/never closed/);
    expect(parseCombined(line('"GET / HTTP/1.1" 2x0 1'))).toMatch(/status/);
  });

  it('gives back every field of any request, however it is escaped', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', 'é', '"', '\\', ' ', '[', ']', 'x', '-', '漢'),
      maxLength: 20,
    });
    const field = text.filter((value) => value.trim() !== '' && value !== '-');
    const quoted = (value: string) => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
    fc.assert(
      fc.property(field, field, fc.integer({ min: 100, max: 599 }), fc.nat(), (referrer, agent, status, bytes) => {
        const parsed = parseCombined(
          line(`"GET / HTTP/1.1" ${status} ${bytes} "${quoted(referrer)}" "${quoted(agent)}"`),
        );
        expect(parsed).toMatchObject({ status_code: status, bytes, referrer, user_agent: agent });
      }),
    );
  });

  it('never fails on any text, and takes time in proportion to its length', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary-ascii' }), (text) => void parseCombined(text)));
    for (const piece of ['a ', '" ', '\\', ' [', '[a] "', '- - [']) {
      const started = performance.now();
      parseCombined(line(`"${piece.repeat(100_000)}`));
      parseCombined(`1 2 ${piece.repeat(100_000)}`);
      expect(performance.now() - started).toBeLessThan(2_000);
    }
  });

  const realLog = '../shared/data/apache_access.log.gz';
  if (!existsSync(realLog)) console.warn('The real access log is not at hand: its counts are not checked.');
  it.skipIf(!existsSync(realLog))('reads a real log of 10,000 requests without a reject', () => {
    const reader = createCombinedReader();
    const text = gunzipSync(readFileSync(realLog)).toString('utf8');
    const entries = [...reader.push(text), ...reader.end()];
    expect(entries.filter((entry) => 'code' in entry)).toEqual([]);
    const statuses = entries.map((entry) => ('json' in entry ? JSON.parse(entry.json).status_code : undefined));
    expect(entries).toHaveLength(10_000);
    expect(statuses.filter((status) => status === 200)).toHaveLength(9_126);
    expect(statuses.filter((status) => status === 404)).toHaveLength(213);
  });
});
