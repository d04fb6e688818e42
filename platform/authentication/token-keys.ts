/**
 * The keys of access tokens: the first private one signs, all of them verify, each chosen by its `kid`, the thumbprint of
 * RFC 7638. They stand in a setting, or in a file that is read again when it changes: to write the file is all of a
 * rotation, and no request is refused meanwhile.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, type KeyObject } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type Config, ConfigError, requireSetting } from '../config.js';
import { fail } from '../errors.js';
import type { Logger } from '../logging.js';
import { writePrivateFile } from '../private-file.js';

/** How often the file is looked at. Polled, since replaced links and network volumes send no events. */
const checkEveryMs = 1_000;
/** Tokens that name an unknown key have the file read at once, and no more often than this, whoever sends them. */
const rereadEveryMs = 200;
/** No access token lives longer: ACCESS_TOKEN_SECONDS takes no more. */
export const maxTokenLifeSeconds = 86_400;
/** After a rotation, for how long some process may still sign with the key before. */
const rotationSlackSeconds = 60;

/** A public Ed25519 key as others read it. */
interface PublicJwk {
  kty: 'OKP';
  crv: 'Ed25519';
  x: string;
  kid: string;
  alg: 'EdDSA';
  use: 'sig';
}

interface StoredJwk extends Partial<PublicJwk> {
  d?: string;
  /** When the last of its tokens has ended, in seconds since the epoch; of keys that were rotated out. */
  exp?: number;
}

interface TokenKey {
  publicJwk: PublicJwk;
  verifying: KeyObject;
  signing: KeyObject | undefined;
  endsAtMs: number;
}

/** A new private signing key as JSON. */
export async function generateSigningKey(): Promise<string> {
  return JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }));
}

export class TokenKeys {
  readonly #file: string | undefined;
  readonly #logger: Logger | undefined;
  #text: string;
  #keys: ReadonlyMap<string, TokenKey>;
  #readAtMs = 0;
  #waiting: Promise<void> | undefined;
  readonly #changed = () => void this.#read();

  /** The keys that the settings hold or name. @throws ConfigError */
  static fromConfig(config: Pick<Config, 'tokenSigningKey' | 'tokenSigningKeyFile'>, logger: Logger): TokenKeys {
    const { tokenSigningKey, tokenSigningKeyFile: file } = config;
    if (file === undefined) return TokenKeys.fromText(requireSetting(config, 'tokenSigningKey'));
    if (tokenSigningKey === undefined) return TokenKeys.fromFile(file, logger);
    throw new ConfigError('TOKEN_SIGNING_KEY and TOKEN_SIGNING_KEY_FILE are both set: set one of them.');
  }

  /** @param text a private Ed25519 JWK, or a JWK set. @throws ConfigError */
  static fromText(text: string): TokenKeys {
    return new TokenKeys(text, 'TOKEN_SIGNING_KEY');
  }

  /** Reads the file and follows it. @throws ConfigError that names it and what is wrong with it */
  static fromFile(file: string, logger: Logger): TokenKeys {
    try {
      return new TokenKeys(readFileSync(file, 'utf8'), 'The file', file, logger);
    } catch (error) {
      throw new ConfigError(`TOKEN_SIGNING_KEY_FILE ${file} cannot be used: ${(error as Error).message}`);
    }
  }

  private constructor(text: string, name: string, file?: string, logger?: Logger) {
    this.#text = text;
    this.#keys = parseKeys(text, name);
    this.#file = file;
    this.#logger = logger;
    if (file !== undefined) watchFile(file, { interval: checkEveryMs, persistent: false }, this.#changed);
  }

  /** The key that signs. @throws SERVICE_UNAVAILABLE where this process was given public keys alone */
  get signer(): { kid: string; key: KeyObject } {
    for (const [kid, { signing }] of this.#keys) if (signing) return { kid, key: signing };
    return fail('SERVICE_UNAVAILABLE', 'This process signs no access tokens: TOKEN_SIGNING_KEY holds no private key.');
  }

  /** The public parts, for whoever checks our tokens. */
  get published(): { keys: PublicJwk[] } {
    return { keys: [...this.#keys.keys()].filter((kid) => this.has(kid)).map((kid) => this.#keys.get(kid)!.publicJwk) };
  }

  /** Whether the key verifies. */
  has(kid: string): boolean {
    const key = this.#keys.get(kid);
    return key !== undefined && key.endsAtMs > Date.now();
  }

  /** What a token of this key is checked with. Of an unknown one, the file may just have been written. */
  async find(kid: string): Promise<KeyObject | undefined> {
    if (!this.has(kid) && this.#file !== undefined) await this.#readSoon();
    return this.has(kid) ? this.#keys.get(kid)!.verifying : undefined;
  }

  close(): void {
    if (this.#file !== undefined) unwatchFile(this.#file, this.#changed);
  }

  /** Reads the file, later where that was done a moment ago: whoever asks meanwhile waits for the same reading. */
  #readSoon(): Promise<void> {
    this.#waiting ??= (async () => {
      await delay(Math.max(0, this.#readAtMs + rereadEveryMs - Date.now()));
      // From here on the file may be written after it was read: the next to ask waits for the next reading.
      this.#waiting = undefined;
      await this.#read();
    })();
    return this.#waiting;
  }

  async #read(): Promise<void> {
    this.#readAtMs = Date.now();
    try {
      const text = await readFile(this.#file!, 'utf8');
      if (text === this.#text) return;
      this.#keys = parseKeys(text, 'The file');
      this.#text = text;
      this.#logger?.info(
        { file: this.#file, kids: [...this.#keys.keys()] },
        'the keys of access tokens were read again',
      );
    } catch (error) {
      this.#logger?.warn(
        { file: this.#file, reason: (error as Error).message },
        'the changed keys of access tokens are not used',
      );
    }
  }
}

/** @throws ConfigError that tells what is wrong, and nothing of the keys */
function parseKeys(text: string, name: string): Map<string, TokenKey> {
  const keys = new Map<string, TokenKey>();
  for (const jwk of jwksIn(text, name)) {
    try {
      const { publicJwk, exp } = publicPartOf(jwk);
      keys.set(publicJwk.kid, {
        publicJwk,
        verifying: createPublicKey({ key: { ...publicJwk }, format: 'jwk' }),
        signing: jwk.d === undefined ? undefined : createPrivateKey({ key: { ...jwk }, format: 'jwk' }),
        endsAtMs: exp === undefined ? Number.POSITIVE_INFINITY : exp * 1_000,
      });
    } catch {
      throw new ConfigError(`${name} holds a key that is no Ed25519 JWK.`);
    }
  }
  if (keys.size === 0) throw new ConfigError(`${name} holds no key.`);
  return keys;
}

function jwksIn(text: string, name: string): StoredJwk[] {
  try {
    const json = JSON.parse(text) as StoredJwk & { keys?: StoredJwk[] };
    return Array.isArray(json.keys) ? json.keys : [json];
  } catch {
    throw new ConfigError(`${name} is no JSON: it takes a private Ed25519 JWK, or a JWK set.`);
  }
}

function publicPartOf({ kty, crv, x, exp }: StoredJwk): { publicJwk: PublicJwk; exp: number | undefined } {
  if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string') throw new Error('not Ed25519');
  const kid = hash('sha256', JSON.stringify({ crv, kty, x }), 'base64url');
  return { publicJwk: { kty, crv, x, kid, alg: 'EdDSA', use: 'sig' }, exp };
}

export interface Rotation {
  /** The key that signs from now on. */
  kid: string;
  /** The public keys that verify until the last of their tokens has ended. */
  kept: string[];
}

/**
 * Puts a new key in front of those of a file, which is made where it is missing. Of the others the public parts stay as
 * long as their tokens may live.
 * @param discard lets none of the others stay, for a key that got into wrong hands: all access tokens end at once
 * @throws ConfigError for a file that holds something else
 */
export async function rotateTokenKeys(file: string, nowMs: number, discard = false): Promise<Rotation> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new ConfigError(`${file} cannot be read: ${error.message}.`);
  });
  const nowSeconds = Math.floor(nowMs / 1_000);
  const endsAt = nowSeconds + maxTokenLifeSeconds + rotationSlackSeconds;
  const known = text === undefined ? [] : [...parseKeys(text, file).values()];
  const kept = known
    .map(({ publicJwk, endsAtMs }) => ({ ...publicJwk, exp: Math.min(endsAt, endsAtMs / 1_000) }))
    .filter(({ exp }) => !discard && exp > nowSeconds);
  const made = JSON.parse(await generateSigningKey()) as StoredJwk;
  const { kid } = publicPartOf(made).publicJwk;
  await writePrivateFile(file, `${JSON.stringify({ keys: [{ ...made, kid }, ...kept] }, null, 2)}\n`).catch(
    (error: Error) => {
      throw new ConfigError(`${file} cannot be written: ${error.message}.`);
    },
  );
  return { kid, kept: kept.map((key) => key.kid) };
}
