/** Network addresses of audit entries. */
import { BlockList, isIP, SocketAddress } from 'node:net';

const mapped = /^::ffff:(?:0:)?(\d+\.\d+\.\d+\.\d+)$/i;

/**
 * The one spelling of an address: IPv6 in its short form without a zone, an IPv4 address in IPv6 clothes as IPv4.
 * @returns undefined for text that is no address
 */
export function toAddress(text: string): string | undefined {
  const address = text.replace(/%.*$/, '');
  const family = isIP(address);
  if (family === 0) return undefined;
  if (family === 4) return address;
  const short = new SocketAddress({ address, family: 'ipv6' }).address;
  return mapped.exec(short)?.[1] ?? short;
}

/** Addresses that are not routed on the Internet (RFC 1918, 6598, 3927, 4193, 4291, loopback and unspecified). */
const privateRanges = new BlockList();
for (const [net, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const) {
  privateRanges.addSubnet(net, prefix, 'ipv4');
}
for (const [net, prefix] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  privateRanges.addSubnet(net, prefix, 'ipv6');

/** What the address tells by itself. @param address as `toAddress` spells it */
export function describeAddress(address: string): { family: 4 | 6; isPrivate: boolean } {
  const family = isIP(address) === 4 ? 4 : 6;
  return { family, isPrivate: privateRanges.check(address, `ipv${family}`) };
}
