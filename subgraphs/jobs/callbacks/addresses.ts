/**
 * Which addresses may be called. Whoever submits a job chooses the URL, and Harborwatch stands inside somebody's network:
 * nothing is called that is not on the public Internet, unless an operator admits it with CALLBACK_ALLOWED_ADDRESSES.
 */
import { BlockList, isIP, SocketAddress } from 'node:net';
import { fail } from '../../../platform/errors.js';

/** Of IPv4, what the registry of special addresses (IANA, RFC 6890) takes out of the Internet. */
const specialV4 = [
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private
  '100.64.0.0/10', // shared with a provider
  '127.0.0.0/8', // loopback
  '168.63.129.16/32', // a cloud's own services, of all machines in it
  '169.254.0.0/16', // link-local; the metadata of clouds
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocols
  '192.0.2.0/24', // documentation
  '192.31.196.0/24', // AS112
  '192.52.193.0/24', // AMT
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16', // private
  '192.175.48.0/24', // AS112
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, and broadcast
];
/** Of IPv6, all that is global unicast; NAT64, unique local, link-local, site-local and multicast addresses lie outside. */
const globalV6 = ['2000::/3'];
/** And what is special within it. */
const specialV6 = [
  '2001::/23', // protocols: Teredo, ORCHID, benchmarks
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4: holds an IPv4 address
  '2620:4f:8000::/48', // AS112
  '3fff::/20', // documentation
];

const maxUrlLength = 2_048;
const mapped = /^::ffff:(?:0:)?(\d+\.\d+\.\d+\.\d+)$/i;

function toBlockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits] = range.split('/');
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

const special = toBlockList([...specialV4, ...specialV6]);
const global = toBlockList(globalV6);

/** The one spelling of an address: without a zone, and an IPv4 address in IPv6 clothes as IPv4. */
function plain(text: string): { address: string; family: 'ipv4' | 'ipv6' } | undefined {
  const address = text.replace(/%.*$/, '');
  if (isIP(address) === 0) return undefined;
  if (isIP(address) === 4) return { address, family: 'ipv4' };
  const short = new SocketAddress({ address, family: 'ipv6' }).address;
  const v4 = mapped.exec(short)?.[1];
  return v4 === undefined ? { address: short, family: 'ipv6' } : { address: v4, family: 'ipv4' };
}

/** Whether an address is one of the public Internet, and of one machine there. */
export function isPublic(text: string): boolean {
  const known = plain(text);
  if (!known || special.check(known.address, known.family)) return false;
  return known.family === 'ipv4' || global.check(known.address, 'ipv6');
}

const argument = 'input.callbackUrl';
const refuse = (message: string): never => fail('CALLBACK_NOT_ALLOWED', message, { argument });

/** The host of a URL without the brackets of IPv6. */
const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[(.*)\]$/, '$1');

export class CallbackAddresses {
  readonly #allowed: BlockList;
  readonly #allowsAny: boolean;

  /** @param allowedRanges CALLBACK_ALLOWED_ADDRESSES */
  constructor(allowedRanges: readonly string[]) {
    this.#allowed = toBlockList(allowedRanges);
    this.#allowsAny = allowedRanges.length > 0;
  }

  /** Whether an address may be called: over TLS a public one, and in any way one that an operator admitted. */
  admits(address: string, protocol: string): boolean {
    const known = plain(address);
    if (!known) return false;
    return this.#allowed.check(known.address, known.family) || (protocol === 'https:' && isPublic(known.address));
  }

  /**
   * Checks what can be known of a URL when a job is submitted. Names are not looked up here: the answer may be another
   * one by the time of the call, which is checked then, and a submission should not wait for somebody's name servers,
   * nor tell who asks what names there are inside.
   * @returns the URL in the spelling in which it is called
   * @throws CALLBACK_NOT_ALLOWED
   */
  checkUrl(text: string): string {
    const url = text.length > maxUrlLength ? null : URL.parse(text);
    if (!url || url.href.length > maxUrlLength) {
      return refuse(`"${argument}" takes a URL like https://receiver.example/jobs of at most 2,048 characters.`);
    }
    if (url.protocol !== 'https:' && url.protocol !== 'http:') refuse(`"${argument}" takes an https URL.`);
    if (url.protocol === 'http:' && !this.#allowsAny) {
      refuse(`"${argument}" takes an https URL: over http, anybody on the way could read and change the call.`);
    }
    if (url.username !== '' || url.password !== '') {
      refuse(`"${argument}" takes no user name and password. Check the call’s signature instead.`);
    }
    if (url.port === '0') refuse(`"${argument}" takes a port from 1 to 65,535.`);
    const host = hostOf(url);
    const isForbidden = isIP(host) === 0 ? isOwnName(host) : !this.admits(host, url.protocol);
    if (isForbidden) {
      refuse(`"${argument}" leads to ${host}, which may not be called. Use a public address that speaks https.`);
    }
    url.hash = ''; // It never travels.
    return url.href;
  }
}

/** Names that stand for the calling machine wherever they are asked for (RFC 6761). */
const isOwnName = (host: string): boolean => /(^|\.)localhost\.?$/i.test(host);
