/** The life of a collection as a total table; SPEC.md tells it in words. A missing cell does not compile. */

export type CollectionStatus = 'CREATED' | 'RUNNING' | 'COMPLETED' | 'STOPPED' | 'RECONNECTING' | 'PAUSED' | 'REMOVED';

/** What happens to a collection. The first three come from users, the others from the worker. */
export type Step =
  /** Somebody wants it kept up. */
  | 'start'
  /** Somebody wants it left as it is. */
  | 'stop'
  /** Somebody wants it gone. */
  | 'remove'
  /** Everything of its history is in Redis. */
  | 'filled'
  /** Redis does not answer, or no longer holds what was put there. */
  | 'lost'
  /** Its query failed on an event. */
  | 'failed'
  /** Its query has an end, and that has passed. */
  | 'ended';

/** Where a step leads. The status itself: nothing changes. REFUSED: the user is told that it cannot be. */
export const transitions: Record<CollectionStatus, Record<Step, CollectionStatus | 'REFUSED'>> = {
  CREATED: {
    start: 'CREATED',
    stop: 'STOPPED',
    remove: 'REMOVED',
    filled: 'RUNNING',
    lost: 'CREATED',
    failed: 'PAUSED',
    ended: 'COMPLETED',
  },
  RUNNING: {
    start: 'RUNNING',
    stop: 'STOPPED',
    remove: 'REMOVED',
    filled: 'RUNNING',
    lost: 'RECONNECTING',
    failed: 'PAUSED',
    ended: 'COMPLETED',
  },
  RECONNECTING: {
    start: 'RECONNECTING',
    stop: 'STOPPED',
    remove: 'REMOVED',
    filled: 'RUNNING',
    lost: 'RECONNECTING',
    failed: 'PAUSED',
    ended: 'COMPLETED',
  },
  PAUSED: {
    start: 'RECONNECTING',
    stop: 'STOPPED',
    remove: 'REMOVED',
    filled: 'PAUSED',
    lost: 'PAUSED',
    failed: 'PAUSED',
    ended: 'PAUSED',
  },
  STOPPED: {
    start: 'RECONNECTING',
    stop: 'STOPPED',
    remove: 'REMOVED',
    filled: 'STOPPED',
    lost: 'STOPPED',
    failed: 'STOPPED',
    ended: 'STOPPED',
  },
  COMPLETED: {
    start: 'REFUSED',
    stop: 'REFUSED',
    remove: 'REMOVED',
    filled: 'COMPLETED',
    lost: 'COMPLETED',
    failed: 'COMPLETED',
    ended: 'COMPLETED',
  },
  REMOVED: {
    start: 'REFUSED',
    stop: 'REFUSED',
    remove: 'REMOVED',
    filled: 'REMOVED',
    lost: 'REMOVED',
    failed: 'REMOVED',
    ended: 'REMOVED',
  },
};

/** Whether nothing happens to it any more: `collectionProgress` ends. A stopped or paused one can be started again. */
export const isTerminal = (status: CollectionStatus): boolean => status === 'COMPLETED' || status === 'REMOVED';

/** Whether a change of status begins another fill from history, and so another run. */
export const beginsRun = (from: CollectionStatus, to: CollectionStatus): boolean =>
  to === 'RECONNECTING' && from !== to;

/** Whether the worker fills it from history at present. */
export const isFilling = (status: CollectionStatus): boolean => status === 'CREATED' || status === 'RECONNECTING';
