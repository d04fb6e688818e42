/** Where a request comes from, also behind proxies that are trusted to say so. */
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** As some proxies write the client: with its port, and an IPv6 address in brackets. */
const withPort = /^(?:\[([^\]]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d+)?$/;

/** The address alone; an IPv4 address that is written as IPv6 as what it is. */
function plain(text: string): string {
  const [, v6, v4] = withPort.exec(text) ?? [];
  const address = v6 ?? v4 ?? text;
  return mapped.exec(address)?.[1] ?? address;
}

/**
 * @param trustedProxies addresses and ranges: what stands rightmost in X-Forwarded-For and is not one of them is the
 *   client; further to the left is what it may have written itself
 */
export function createRemoteAddress(trustedProxies: readonly string[]): (request: IncomingMessage) => string | null {
  const trusted = new BlockList();
  for (const range of trustedProxies) {
    const [address = '', bits] = range.split('/');
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    if (bits === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, Number(bits), family);
  }
  const isTrusted = (address: string) => trusted.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
  return ({ socket, headers }) => {
    if (socket.remoteAddress === undefined) return null;
    let address = plain(socket.remoteAddress);
    const forwarded = [headers['x-forwarded-for'] ?? []].flat().join(',').split(',');
    while (isTrusted(address)) {
      const next = plain(forwarded.pop()?.trim() ?? '');
      if (isIP(next) === 0) break;
      address = next;
    }
    return address;
  };
}
