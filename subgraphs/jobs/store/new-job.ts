/** A submission that was checked, as it is stored. */
import type { TimeRange } from '../../../query/index.js';
import type { JobLanguage, JobPriority } from './jobs.js';
import type { Reuse } from './reuse.js';

export interface NewJob {
  language: JobLanguage;
  query: string;
  dataset: string | null;
  range: TimeRange;
  priority: JobPriority;
  timeoutMs: number;
  metadata: unknown;
  callbackUrl: string | null;
  resultTtlSeconds: number;
  cancelUnaskedSeconds: number | null;
  submittedBy: string | null;
  idempotencyKey: string | null;
  /** Equal for equal requests. */
  fingerprint: Buffer;
  /** Undefined where no result answers another query. */
  reuse: Reuse | undefined;
  /** How old the result of another job may be that answers this one: 0 for none, null for as old as its kind allows. */
  maxResultAgeSeconds: number | null;
}
