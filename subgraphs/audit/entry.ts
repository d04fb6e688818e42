/** What an audit entry is, once it has been read from the wire. */

/** Lowest first; an entry's priority is kept as the place in this list. */
export const priorities = ['DEBUG2', 'DEBUG1', 'DEBUG0', 'INFO', 'WARN', 'ERR', 'CRIT', 'SEC'] as const;
export type PriorityName = (typeof priorities)[number];

/** Activity, data change, debug, unknown. */
export type EntryType = 'A' | 'C' | 'D' | 'U';
export type OutcomeName = 'SUCCESS' | 'FAILURE';

/** One entry. Its `data` is the inner object of its type: a change's {entity, op, changes}, a debug entry's {pid, ...}. */
export interface Entry {
  id: string;
  app: string;
  system: string | null;
  module: string | null;
  type: EntryType;
  pri: number;
  /** Nanoseconds since 1970, in decimal. */
  whenNs: string;
  who: string | null;
  op: string | null;
  class: string | null;
  instanceId: string | null;
  status: OutcomeName | null;
  error: string | null;
  /** As it was sent, such as LOCAL. */
  remote: string | null;
  /** Null where `remote` is no address. */
  remoteIp: string | null;
  msg: string;
  data: unknown;
  traceId: string | null;
  spanId: string | null;
}

/** The inner object of a data change; what else was sent in it is kept. */
export interface ChangeData {
  entity: string;
  op?: string;
  changes: { field: string; old_value?: unknown; new_value?: unknown }[];
}

/** The inner object of a debug entry. */
export interface DebugData {
  pid?: number;
  runtime?: string;
  file?: string;
  line?: number;
  func?: string;
  stackTrace?: string;
  data?: unknown;
}
