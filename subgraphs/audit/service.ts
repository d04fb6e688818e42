/** The rules of the audit log: what is stored, who sees what, and how a timeline is walked. */
import { auditScopes, hasCapability } from '../../platform/capabilities.js';
import type { Clock } from '../../platform/clock.js';
import type { Config } from '../../platform/config.js';
import type { Cursors, Position } from '../../platform/cursor.js';
import { fail, HarborwatchError } from '../../platform/errors.js';
import { type Identity, systemIdentity } from '../../platform/identity.js';
import { BatchWriter, type Receipt, type RejectedItem } from '../../platform/ingest.js';
import type { Logger } from '../../platform/logging.js';
import type { DomainEvent } from '../../platform/outbox.js';
import {
  type CappedCount,
  type Page,
  type PageArguments,
  pageLimits,
  toPage,
  toPageRequest,
} from '../../platform/paging.js';
import { recordAct } from '../../platform/self-audit.js';
import { isStorableText } from '../../platform/storable.js';
import type { Entry } from './entry.js';
import { ownApp, toOwnEntry } from './own-entry.js';
import type { ActorSpan, AppNames, AuditStore, LogName, ReadOptions, TimelineFilter, Walk } from './store.js';
import { type ParsedEntry, parseEntry, textLimits } from './wire.js';

export type { TimelineFilter } from './store.js';

/** Who reads, and from where. */
export interface Reader {
  identity: Identity;
  /** Null where the request did not come over a network. */
  remoteIp: string | null;
}

export interface Timeline {
  page: Page<Entry>;
  /** Counts the whole list, as it was when the walk began. */
  totalCount: () => Promise<CappedCount>;
}

/** Entries in one call. */
export const maxEntries = 1_000;
export const maxDays = 3_650;
const dayMs = 86_400_000;

export class AuditService {
  readonly #batches: BatchWriter;

  constructor(
    private readonly store: AuditStore,
    private readonly cursors: Cursors,
    private readonly clock: Clock,
    private readonly config: Pick<Config, 'eventBytes'>,
    private readonly logger: Logger,
  ) {
    this.#batches = new BatchWriter(store.postgres, 'audit');
  }

  /**
   * Stores the entries that fit; a batch whose id was stored before answers its first receipt and changes nothing.
   * @throws BAD_USER_INPUT, PAYLOAD_TOO_LARGE, QUOTA_EXCEEDED; nothing is stored then
   */
  async write(
    identity: Identity,
    input: { app?: string | null | undefined; entries: readonly unknown[]; batchId?: string | null | undefined },
  ): Promise<Receipt> {
    const { entries } = input;
    if (entries.length < 1)
      fail('BAD_USER_INPUT', `"input.entries" takes 1 to ${maxEntries} entries.`, { argument: 'input.entries' });
    if (entries.length > maxEntries) {
      const argument = 'input.entries';
      fail('PAYLOAD_TOO_LARGE', `"${argument}" has ${entries.length} entries; one call takes ${maxEntries}.`, {
        argument,
        limit: maxEntries,
      });
    }
    const batchId = checkText(input.batchId ?? crypto.randomUUID(), 200, 'input.batchId');
    const app = input.app == null ? undefined : checkText(input.app, textLimits.app, 'input.app');
    const accepted: ParsedEntry[] = [];
    const rejected: RejectedItem[] = [];
    entries.forEach((raw, index) => {
      try {
        const entry = parseEntry(raw, { app, nowMs: this.clock.now(), maxBytes: this.config.eventBytes });
        checkMayWrite(identity, entry);
        accepted.push(entry);
      } catch (error) {
        if (!(error instanceof HarborwatchError)) throw error;
        const { argument: field } = error.details;
        rejected.push({ index, code: error.code, message: error.message, ...(field === undefined ? {} : { field }) });
      }
    });
    return this.#store(identity, batchId, accepted, rejected);
  }

  #store(identity: Identity, batchId: string, accepted: ParsedEntry[], rejected: RejectedItem[]): Promise<Receipt> {
    const timesMs = accepted.map(({ whenNs }) => Number(BigInt(whenNs) / 1_000_000n));
    const bytes = accepted.reduce((total, entry) => total + entry.bytes, 0);
    return this.#batches.store(identity, { dataset: 'audit_log', batchId, timesMs, bytes, rejected }, (tx, batchNo) =>
      this.store.insertEntries(tx, identity.orgId, batchNo, accepted),
    );
  }

  /** Writes what Harborwatch tells of itself. The event's place in the outbox is the batch id, so a repeat changes nothing. */
  async recordSelf({ orgId, tx, seq, payload }: DomainEvent<'audit.entry'>): Promise<void> {
    const batchId = `audit.entry-${tx}-${seq}`;
    await this.#store(systemIdentity(orgId, 'audit'), batchId, [toOwnEntry(batchId, payload, this.clock.now())], []);
  }

  /** The apps of which the caller may see an entry. */
  async apps(identity: Identity, names?: readonly string[]): Promise<AppNames[]> {
    return this.store.read(identity, (tx) => this.store.findApps(tx, names));
  }

  async countApp(identity: Identity, app: string): Promise<CappedCount> {
    return this.store.read(identity, (tx) => this.store.countApp(tx, app));
  }

  /** When actors were first and last seen, in their order; null for one of whom the caller sees no entry. */
  async actorSpans(identity: Identity, actors: readonly { app: string; who: string }[]): Promise<(ActorSpan | null)[]> {
    return this.store.read(identity, (tx) => this.store.findActorSpans(tx, actors));
  }

  /**
   * A page of a timeline, newest first.
   *
   * A walk keeps its snapshot and its window from page to page (the cursor carries them), so that entries that come
   * meanwhile, however late they commit and whatever their time, neither shift it nor show up in it. Its beginning is
   * written down, see #recordRead, and nobody else goes on with it.
   * @param days how far back it goes; to the first entry where it is absent
   * @throws NOT_FOUND for an app of which the caller sees no entry at all
   */
  async timeline(
    { identity, remoteIp }: Reader,
    filter: TimelineFilter,
    days: number | null,
    args: PageArguments,
  ): Promise<Timeline> {
    if (days !== null && (days < 1 || days > maxDays))
      fail('BAD_USER_INPUT', `"days" is ${days}; it takes 1 to ${maxDays}.`, { argument: 'days', limit: maxDays });
    const { log, ...values } = filter;
    // In one order, so that equal filters are one to a cursor.
    const given = Object.entries({ ...values, days })
      .filter(([, value]) => value != null)
      .sort();
    for (const [argument, value] of given) if (typeof value === 'string') checkText(value, textLimits.who, argument);
    const reader = identity.subject.userId ?? identity.subject.id;
    const filters = { ...Object.fromEntries(given), scopes: scopesKey(identity), reader };
    const context = { cursors: this.cursors, binding: { orgId: identity.orgId, list: log, filters } };
    const request = toPageRequest(args, pageLimits, context);
    const from = request.position && { whenNs: String(request.position[0]), id: String(request.position[1]) };
    const towards = request.direction === 'FORWARD' ? 'OLDER' : 'NEWER';
    const { walk, entries } = await this.store.read(identity, async (tx) => {
      const began = request.position
        ? toWalk(request.position, await this.store.cluster(tx), args)
        : await this.store.beginWalk(tx, days === null ? 0 : this.clock.now() - days * dayMs);
      const read = await this.store.readTimeline(tx, filter, began, { towards, from, limit: request.limit + 1 });
      if (read.length === 0 && !from && !(await this.store.seesApp(tx, filter.app))) {
        fail(
          'NOT_FOUND',
          `There is no app "${filter.app.slice(0, 80)}" with entries for you. \`apps { name }\` lists those that there are.`,
          { argument: 'app' },
        );
      }
      return { walk: began, entries: read };
    });
    if (!from) await this.#recordRead({ identity, remoteIp }, log, Object.fromEntries(given));
    const exists = async (position: Position): Promise<boolean> => {
      // With nothing on the page, the row at the cursor is itself behind it.
      const inclusive = position === request.position;
      const place = { whenNs: String(position[0]), id: String(position[1]) };
      const back: ReadOptions = { towards: towards === 'OLDER' ? 'NEWER' : 'OLDER', from: place, inclusive, limit: 1 };
      return (await this.store.read(identity, (tx) => this.store.readTimeline(tx, filter, walk, back))).length > 0;
    };
    const positionOf = (entry: Entry): Position => [entry.whenNs, entry.id, walk.asOf, walk.sinceMs, walk.cluster];
    return {
      page: await toPage(request, entries, positionOf, exists, context),
      totalCount: () => this.store.read(identity, (tx) => this.store.countTimeline(tx, filter, walk)),
    };
  }

  /**
   * Writes down that somebody read a log: once a walk, at its beginning. A read that cannot be written down is refused,
   * since whoever could keep the entry from being written would read unseen.
   * @throws SERVICE_UNAVAILABLE
   */
  async #recordRead({ identity, remoteIp }: Reader, log: LogName, filters: Record<string, unknown>): Promise<void> {
    const app = String(filters.app);
    const act = {
      op: 'audit.read',
      module: 'audit',
      class: 'app',
      instanceId: app,
      message: `Read the ${log === 'debugLog' ? 'debug log' : 'activity log'} of ${app}.`,
      remoteIp,
      data: { log, ...filters },
    };
    try {
      await this.store.write(identity, (tx) => recordAct(tx, identity, act));
    } catch (error) {
      this.logger.error(
        { err: error, requestId: identity.requestId },
        'a read of an audit log could not be written down',
      );
      fail(
        'SERVICE_UNAVAILABLE',
        'Reads of audit logs are written down, which failed at the moment. Try again in a few seconds.',
      );
    }
  }
}

/** @throws FORBIDDEN for an entry outside of the writer's scope, or in Harborwatch's own name */
function checkMayWrite(identity: Identity, entry: Entry): void {
  if (entry.app === ownApp && identity.subject.kind !== 'SYSTEM') {
    fail('FORBIDDEN', `The app "${ownApp}" is Harborwatch itself: choose another name.`, { argument: 'app' });
  }
  const scope = { app: entry.app, ...(entry.class === null ? {} : { class: entry.class }) };
  if (hasCapability(identity, 'audit:write', scope)) return;
  const about = entry.class === null ? '' : ` and the class "${entry.class}"`;
  fail('FORBIDDEN', `You may not write entries for the app "${entry.app}"${about}.`, { argument: 'app' });
}

/** The caller's reading scope in one order: a cursor is good only for who sees the same entries. */
const scopesKey = (identity: Identity): string[] =>
  [
    ...new Set(
      auditScopes(identity).map((scope) =>
        JSON.stringify([scope.app ?? null, scope.class ?? null, scope.debugOnly ?? false]),
      ),
    ),
  ].sort();

/** The walk that a cursor goes on with. @throws INVALID_CURSOR for one from before the database was moved */
function toWalk(position: Position, cluster: string, args: PageArguments): Walk {
  const [, , asOf, sinceMs, from] = position;
  if (from !== cluster) {
    const argument = args.before == null ? 'after' : 'before';
    fail(
      'INVALID_CURSOR',
      `The cursor in "${argument}" is from before the database was restored. Start again without it.`,
      { argument },
    );
  }
  return { asOf: String(asOf), sinceMs: Number(sinceMs), cluster };
}

function checkText(text: string, maxBytes: number, argument: string): string {
  if (text.length < 1 || Buffer.byteLength(text) > maxBytes || !isStorableText(text)) {
    fail('BAD_USER_INPUT', `"${argument}" takes 1 to ${maxBytes} bytes of text.`, { argument });
  }
  return text;
}
