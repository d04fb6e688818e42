/**
 * Reads of many readers that go to PostgreSQL together: one at a time for each organisation, and whatever is asked for while
 * it is under way goes with the next. So a read never answers what was there before it was asked for, costs nothing while
 * it is alone, and thousands of readers are a few statements.
 */
import DataLoader from 'dataloader';
import { LRUCache } from 'lru-cache';
import type { Identity } from './identity.js';

/** Answers for keys of one organisation; what depends on more than the organisation must not be read so. */
type Read<Value> = (identity: Identity, keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>;

const maxOrgs = 10_000;
const maxKeysPerRead = 1_000;

/** @returns a read of one key; undefined where nothing is there */
export function gatherReads<Value>(read: Read<Value>): (identity: Identity, key: string) => Promise<Value | undefined> {
  const readers = new LRUCache<string, DataLoader<string, Value | undefined>>({ max: maxOrgs });
  const open = (identity: Identity) => {
    let previous: Promise<unknown> = Promise.resolve();
    return new DataLoader<string, Value | undefined>(
      (keys) => {
        const found = read(identity, [...new Set(keys)]);
        previous = found.catch(() => {});
        return found.then((values) => keys.map((key) => values.get(key)));
      },
      {
        cache: false,
        maxBatchSize: maxKeysPerRead,
        // A turn of the event loop later: timers and messages of one turn ask together.
        batchScheduleFn: (dispatch) => void previous.then(() => setImmediate(dispatch)),
      },
    );
  };
  return (identity, key) => {
    let reader = readers.get(identity.orgId);
    if (!reader) {
      reader = open(identity);
      readers.set(identity.orgId, reader);
    }
    return reader.load(key);
  };
}
