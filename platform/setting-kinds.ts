/** The kinds of settings: what text each takes, and how it is read. */

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

/** `*` alone, or origins as a browser sends them; undefined for anything else. */
export function parseOrigins(value: string): readonly string[] | undefined {
  const origins = value.split(',').map((origin) => origin.trim());
  const isExact = (origin: string) => !origin.includes('*') && URL.parse(origin)?.origin === origin;
  return value === '*' || origins.every(isExact) ? origins : undefined;
}
