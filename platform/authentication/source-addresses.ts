/**
 * Who comes without a token from an address that an operator opened debug logs to (DEBUG_LOG_SOURCES). Such a caller has
 * not signed in, and may read debug entries alone.
 */
import { BlockList, isIP } from 'node:net';
import type { Capability } from '../identity.js';
import type { Logger } from '../logging.js';
import type { Postgres } from '../postgres/postgres.js';
import type { DebugLogSource } from '../setting-kinds.js';
import { findOrgs } from '../system/org-slugs.js';
import { inTime } from '../within.js';
import { type Access, lookUpMs } from './refusals.js';

/** How long an organisation's id and tier are remembered. */
const rememberMs = 60_000;

type Orgs = Awaited<ReturnType<typeof findOrgs>>;

export class SourceAddresses {
  readonly #postgres: Postgres;
  readonly #opened: { source: DebugLogSource; range: BlockList }[];
  #known: { orgs: Orgs; untilMs: number } | undefined;
  #reading: Promise<Orgs> | undefined;

  constructor(sources: readonly DebugLogSource[], postgres: Postgres) {
    this.#postgres = postgres;
    this.#opened = sources.map((source) => {
      const range = new BlockList();
      range.addSubnet(source.address, source.bits, source.family);
      return { source, range };
    });
  }

  /** Tells operators what is open, and which organisations there are not. */
  async announce(logger: Logger): Promise<void> {
    if (this.#opened.length === 0) return;
    const orgs = await this.#orgs();
    for (const { orgSlug, range, app } of this.#opened.map(({ source }) => source)) {
      if (orgs.has(orgSlug)) logger.info({ orgSlug, range, app }, 'debug logs are open to addresses without a token');
      else logger.warn({ orgSlug, range }, 'DEBUG_LOG_SOURCES names an organisation that there is not');
    }
  }

  /** @returns undefined where nothing was opened to the address */
  accessOf(remoteIp: string | null): Promise<Access | undefined> | undefined {
    const address = remoteIp?.replace(/%.*$/, '') ?? '';
    const family = isIP(address);
    if (family === 0) return undefined;
    // An IPv4 address in IPv6 clothes is found in IPv4 ranges as well.
    const matching = this.#opened.filter(({ range }) => range.check(address, `ipv${family as 4 | 6}`));
    return matching.length === 0 ? undefined : this.#accessBy(matching.map(({ source }) => source));
  }

  /** @param sources of one organisation: ranges of two do not overlap */
  async #accessBy(sources: readonly DebugLogSource[]): Promise<Access | undefined> {
    const org = (await this.#orgs()).get(sources[0]!.orgSlug);
    return (
      org && {
        ...org,
        subject: { kind: 'ADDRESS', id: [...new Set(sources.map(({ range }) => range))].join(' ') },
        capabilities: sources.map(
          ({ app }): Capability => ({ action: 'debug:read', ...(app === undefined ? {} : { app }) }),
        ),
      }
    );
  }

  /** As last known while the database is away. @throws SERVICE_UNAVAILABLE where nothing is known yet */
  async #orgs(): Promise<Orgs> {
    if (this.#known && performance.now() < this.#known.untilMs) return this.#known.orgs;
    this.#reading ??= inTime(lookUpMs, this.#readOrgs()).finally(() => {
      this.#reading = undefined;
    });
    return this.#reading.catch((error: unknown) => {
      if (this.#known) return this.#known.orgs;
      throw error;
    });
  }

  async #readOrgs(): Promise<Orgs> {
    const orgs = await findOrgs(this.#postgres, [...new Set(this.#opened.map(({ source }) => source.orgSlug))]);
    this.#known = { orgs, untilMs: performance.now() + rememberMs };
    return orgs;
  }
}
