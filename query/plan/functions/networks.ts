/** Functions of network addresses. A text that is no address gives null, or false where an address is searched. */
import type { FunctionSpec } from './signatures.js';
import { spec } from './spec.js';

const page = (name: string): string => `${name}-function`;
const search = (name: string, description: string): FunctionSpec =>
  spec(page(name), description, 'string, string -> bool');
const searchAny = (name: string, description: string): FunctionSpec =>
  spec(page(name), description, 'string, string|dynamic... -> bool');

export const networks = {
  ipv4_is_private: spec(
    page('ipv4-is-private'),
    'Whether the address is in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16.',
    'string -> bool',
  ),
  ipv4_is_match: spec(
    page('ipv4-is-match'),
    'Whether both addresses are the same under the shortest of their prefixes.',
    'string, string, long? -> bool',
  ),
  ipv4_compare: spec(
    page('ipv4-compare'),
    '-1, 0 or 1 as the first address is below, the same as or above the second under the shortest prefix.',
    'string, string, long? -> long',
  ),
  ipv4_is_in_range: spec(page('ipv4-is-in-range'), 'Whether the address is in the network.', 'string, string -> bool'),
  ipv4_is_in_any_range: spec(
    page('ipv4-is-in-any-range'),
    'Whether the address is in one of the networks.',
    'string, string|dynamic... -> bool',
  ),
  ipv4_netmask_suffix: spec(
    page('ipv4-netmask-suffix'),
    'The length of the address’s prefix; 32 where it has none.',
    'string -> long',
  ),
  ipv6_is_match: spec(
    page('ipv6-is-match'),
    'As `ipv4_is_match`, of addresses of both kinds.',
    'string, string, long? -> bool',
  ),
  ipv6_compare: spec(
    page('ipv6-compare'),
    'As `ipv4_compare`, of addresses of both kinds.',
    'string, string, long? -> long',
  ),
  ipv6_is_in_range: spec(
    page('ipv6-is-in-range'),
    'As `ipv4_is_in_range`, of addresses of both kinds.',
    'string, string -> bool',
  ),
  ipv6_is_in_any_range: spec(
    page('ipv6-is-in-any-range'),
    'As `ipv4_is_in_any_range`, of addresses of both kinds.',
    'string, string|dynamic... -> bool',
  ),
  parse_ipv4: spec(page('parse-ipv4'), 'The address, under its prefix, as a number.', 'string -> long'),
  parse_ipv4_mask: spec(
    page('parse-ipv4-mask'),
    'The address under a prefix of that length, as a number.',
    'string, long -> long',
  ),
  parse_ipv6: spec(
    page('parse-ipv6'),
    'The address written out in full; IPv4 as IPv6. Empty where it is none.',
    'string -> string',
  ),
  format_ipv4: spec(
    page('format-ipv4'),
    'The address under a prefix; empty where it is none.',
    'string|long, long? -> string',
  ),
  format_ipv4_mask: spec(
    page('format-ipv4-mask'),
    'The address under a prefix, and the prefix; empty where it is none.',
    'string|long, long? -> string',
  ),
  has_ipv4: search('has-ipv4', 'Whether the text holds the address, between characters that are no letters or digits.'),
  has_ipv4_prefix: search(
    'has-ipv4-prefix',
    'Whether the text holds an address that begins with the prefix, which ends with a dot.',
  ),
  has_any_ipv4: searchAny('has-any-ipv4', 'Whether the text holds one of the addresses.'),
  has_any_ipv4_prefix: searchAny(
    'has-any-ipv4-prefix',
    'Whether the text holds an address that begins with one of the prefixes.',
  ),
} satisfies Record<string, FunctionSpec>;
