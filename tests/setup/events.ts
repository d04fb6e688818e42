/** Events for tests, stored the way the product stores them. */
import type { Identity } from '../../platform/identity.js';
import type { Receipt } from '../../platform/ingest.js';
import type { Platform } from '../../platform/platform.js';
import { EventsService } from '../../subgraphs/events/service.js';
import { EventsStore } from '../../subgraphs/events/store.js';

/** Ingests a batch through the events service. */
export async function ingest(
  platform: Platform,
  identity: Identity,
  dataset: string,
  events: unknown[],
  batchId?: string,
): Promise<Receipt> {
  return new EventsService(new EventsStore(platform.postgres), platform.config).ingest(identity, {
    dataset,
    events,
    batchId,
  });
}
