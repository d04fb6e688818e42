/** Writes documents to OpenSearch until all are there: what it refuses for the moment is sent again. */
import { setTimeout as delay } from 'node:timers/promises';
import { fail, HarborwatchError } from '../../../platform/errors.js';
import type { Logger } from '../../../platform/logging.js';
import type { Search } from '../../../platform/search.js';
import type { EventDocument } from './documents.js';

export interface BulkOptions {
  /** The index or alias that a document goes to. */
  nameOf(document: EventDocument): string;
  /** Whether those are aliases: none is made by writing to it. */
  areAliases: boolean;
  /** Called before documents are sent again whose alias was not there. */
  onMissing?: () => Promise<void>;
  signal: AbortSignal;
  logger: Logger;
}

interface BulkAnswer {
  errors: boolean;
  items?: { index: { _id: string; status: number; error?: { type: string } } }[];
}

const minBackoffMs = 50;
const maxBackoffMs = 5_000;
/** For how long documents are sent again before the attempt is given up. */
const patienceMs = 60_000;
/** The document itself is at fault: it would be refused for ever. */
const isDead = (status: number): boolean => status === 400;

/**
 * Writes documents, each under its id, so that writing it again changes nothing.
 * @returns the ids of those that OpenSearch will never take; they are logged
 * @throws SERVICE_UNAVAILABLE where it does not take the others for a minute
 */
export async function writeDocuments(
  search: Search,
  documents: readonly EventDocument[],
  options: BulkOptions,
): Promise<string[]> {
  const { signal, logger } = options;
  const dead: string[] = [];
  const end = Date.now() + patienceMs;
  let waiting = documents;
  for (let backoffMs = minBackoffMs; ; backoffMs = Math.min(backoffMs * 2, maxBackoffMs)) {
    const items = await send(search, waiting, options);
    if (items === undefined) return dead;
    const again: EventDocument[] = [];
    let isMissing = false;
    for (const [at, { status, error }] of items.entries()) {
      const document = waiting[at]!;
      if (status < 300) continue;
      if (isDead(status)) {
        // The type alone: the reason may hold values of the event.
        logger.error({ eventId: document.id, month: document.month, error: error?.type }, 'an event cannot be indexed');
        dead.push(document.id);
      } else {
        again.push(document);
        isMissing ||= status === 404;
      }
    }
    if (again.length === 0) return dead;
    if (Date.now() > end) fail('SERVICE_UNAVAILABLE', 'OpenSearch does not take documents at the moment.');
    await delay(backoffMs, undefined, { signal });
    if (isMissing) await options.onMissing?.();
    waiting = again;
  }
}

/** What became of each document; undefined where all were taken. Those of a request that did not come through wait. */
async function send(
  search: Search,
  documents: readonly EventDocument[],
  { nameOf, areAliases, signal }: BulkOptions,
): Promise<{ status: number; error?: { type: string } }[] | undefined> {
  const lines = documents.map(
    (document) => `{"index":{"_index":"${nameOf(document)}","_id":"${document.id}"}}\n${document.json}\n`,
  );
  try {
    const { body } = await search.request<BulkAnswer>({
      method: 'POST',
      path: '/_bulk',
      query: { require_alias: areAliases, filter_path: 'errors,items.*.status,items.*.error.type' },
      body: lines.join(''),
      signal,
    });
    return body.errors ? body.items!.map(({ index }) => index) : undefined;
  } catch (error) {
    if (!(error instanceof HarborwatchError)) throw error;
    return documents.map(() => ({ status: 503 }));
  }
}
