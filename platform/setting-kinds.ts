/** The kinds of settings: what text each takes, and how it is read. */
import { BlockList, isIP } from 'node:net';

/** A setting that is wrong. The process prints the message and exits with status 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

export interface Setting<T> {
  /** The environment variable. */
  env: string;
  description: string;
  /** What values are right, for the error message. */
  allowed: string;
  /** Undefined where the setting may be left out. */
  fallback: T;
  /** Answers undefined for a value that is not allowed. */
  parse: (text: string) => T | undefined;
  /** True for passwords and keys: never printed. */
  secret?: boolean;
}

export const text = (env: string, description: string, allowed = 'any text'): Setting<string | undefined> => ({
  env,
  description,
  allowed,
  fallback: undefined,
  parse: (value) => value,
});

export const secret = (env: string, description: string, allowed: string): Setting<string | undefined> => ({
  ...text(env, description, allowed),
  secret: true,
});

export const integer = (
  env: string,
  fallback: number,
  min: number,
  max: number,
  description: string,
): Setting<number> => ({
  env,
  description,
  allowed: `a whole number from ${min} to ${max}`,
  fallback,
  parse: (value) => (/^\d+$/.test(value) && Number(value) >= min && Number(value) <= max ? Number(value) : undefined),
});

export const choice = <T extends string>(
  env: string,
  fallback: T,
  values: readonly T[],
  description: string,
): Setting<T> => ({
  env,
  description,
  allowed: `one of ${values.join(', ')}`,
  fallback,
  parse: (value) => values.find((candidate) => candidate === value),
});

export const url = (env: string, protocols: string[], description: string): Setting<string | undefined> => ({
  env,
  description,
  allowed: `a URL that starts with ${protocols.map((p) => `${p}//`).join(' or ')}`,
  fallback: undefined,
  parse: (value) => (URL.canParse(value) && protocols.includes(new URL(value).protocol) ? value : undefined),
  secret: true,
});

export const postgresUrl = (env: string, description: string) => url(env, ['postgres:', 'postgresql:'], description);

/** An http(s) address that may be shown. */
export const webAddress = (env: string, description: string): Setting<string | undefined> => ({
  ...url(env, ['https:', 'http:'], description),
  secret: false,
});

/** Addresses and ranges of addresses, with commas between them. */
export const addressRanges = (env: string, description: string): Setting<readonly string[]> => ({
  env,
  description,
  allowed: 'addresses and ranges like 10.0.0.0/8,2001:db8::7 with commas between them',
  fallback: [],
  parse: (value) => {
    const ranges = value.split(',').map((range) => range.trim());
    return ranges.every(isAddressRange) ? ranges : undefined;
  },
});

/** Addresses from which an organisation's debug logs are read without a token. */
export interface DebugLogSource {
  orgSlug: string;
  /** As `address/bits`. */
  range: string;
  address: string;
  bits: number;
  family: 'ipv4' | 'ipv6';
  /** The one app that is opened; all of the organisation's where it is absent. */
  app?: string;
}

export const debugLogSources = (env: string, description: string): Setting<readonly DebugLogSource[]> => ({
  env,
  description,
  allowed:
    'ORG=ADDRESS, ORG=ADDRESS/BITS or ORG=ADDRESS/BITS/APP with commas between them (a comma or % in an app’s name percent-encoded); ranges of two organisations must not overlap',
  fallback: [],
  parse: (value) => {
    const sources = value.split(',').map((item) => parseDebugLogSource(item.trim()));
    return sources.every((source) => source !== undefined) && !overlap(sources) ? sources : undefined;
  },
});

function parseDebugLogSource(text: string): DebugLogSource | undefined {
  const parts = /^([a-z][a-z0-9-]{1,62})=([^/]+)(?:\/(\d{1,3})(?:\/(.+))?)?$/.exec(text);
  const [, orgSlug = '', address = '', given, app] = parts ?? [];
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
  const bits = Number(given ?? (family === 'ipv4' ? 32 : 128));
  const range = `${address}/${bits}`;
  if (!parts || !isAddressRange(range)) return undefined;
  try {
    return { orgSlug, range, address, bits, family, ...(app === undefined ? {} : { app: decodeURIComponent(app) }) };
  } catch {
    return undefined;
  }
}

/** Whether two organisations would share an address: nobody could tell whose debug logs it may read. */
function overlap(sources: readonly DebugLogSource[]): boolean {
  return sources.some(({ orgSlug, address, bits, family }) => {
    const range = new BlockList();
    range.addSubnet(address, bits, family);
    return sources.some((other) => other.orgSlug !== orgSlug && range.check(other.address, other.family));
  });
}

function isAddressRange(range: string): boolean {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(range) ?? [];
  const version = isIP(address);
  return version !== 0 && Number(bits ?? 0) <= (version === 4 ? 32 : 128);
}

export const ed25519Key = (env: string, part: 'd' | 'x', description: string): Setting<string | undefined> => ({
  ...secret(env, description, `a ${part === 'd' ? 'private' : 'public'} Ed25519 JWK as JSON`),
  parse: (value) => (isEd25519(value, part) ? value : undefined),
});

function isEd25519(text: string, part: 'd' | 'x'): boolean {
  try {
    const { crv, [part]: key } = JSON.parse(text) as Record<string, unknown>;
    return crv === 'Ed25519' && typeof key === 'string';
  } catch {
    return false;
  }
}

/**
 * Reads `NAME=URL` pairs with commas between them, such as `jobs=http://127.0.0.1:4101/jobs`.
 * @returns undefined for text that is something else, or names a subgraph twice
 */
export function parseSubgraphUrls(value: string): ReadonlyMap<string, string> | undefined {
  const urls = new Map<string, string>();
  for (const pair of value.split(',')) {
    const [, name, address] = /^\s*([A-Za-z_]\w*)=(\S+)\s*$/.exec(pair) ?? [];
    if (name === undefined || urls.has(name) || !/^https?:$/.test(URL.parse(address!)?.protocol ?? ''))
      return undefined;
    urls.set(name, address!);
  }
  return urls;
}

/** What belongs to one connection or body (RFC 9110, 7.6.1), or is ours to set. */
const ownHeaders = new Set(
  'accept,accept-encoding,connection,content-encoding,content-length,content-type,expect,host,keep-alive,proxy-authenticate,proxy-authorization,te,trailer,transfer-encoding,upgrade,x-request-id'.split(
    ',',
  ),
);

export function parseHeaderNames(value: string): readonly string[] | undefined {
  const names = value.split(',').map((name) => name.trim().toLowerCase());
  return names.every((name) => /^[\w!#$%&'*+.^`|~-]+$/.test(name) && !ownHeaders.has(name)) ? names : undefined;
}

/** How many processes run: always as many as the first number, and up to the second. */
export interface ProcessCounts {
  min: number;
  max: number;
}

/** The most processes of a kind that one supervisor keeps. */
const mostProcesses = 64;

/** `2`, or `1-4`; undefined for anything else. */
export function parseProcesses(value: string): ProcessCounts | undefined {
  const [, first, second = first] = /^(\d{1,3})(?:-(\d{1,3}))?$/.exec(value) ?? [];
  const [min, max] = [Number(first), Number(second)];
  return first !== undefined && min >= 1 && min <= max && max <= mostProcesses ? { min, max } : undefined;
}

/** `*` alone, or origins as a browser sends them; undefined for anything else. */
export function parseOrigins(value: string): readonly string[] | undefined {
  const origins = value.split(',').map((origin) => origin.trim());
  const isExact = (origin: string) => !origin.includes('*') && URL.parse(origin)?.origin === origin;
  return value === '*' || origins.every(isExact) ? origins : undefined;
}
