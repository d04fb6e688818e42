/**
 * Old results that answer equal queries.
 *
 * A result is as good as a new one while nothing was taken in since that the query reads. A run sees every transaction
 * below its claim's horizon (`feed_horizon`: the oldest one that ran then), so only batches at or above it can be missing:
 * those that were open at the claim, and all later ones. Whichever of them is visible and touches the times that the query
 * reads ends the reuse; that is checked in the statement that stores the new job. A batch that commits after that
 * statement's snapshot is missing in a new run of the same moment too. In OpenSearch a run waits for what was committed
 * before it began (query/engines/opensearch/freshness.ts), so all of this holds there as well.
 */
import type { TimeRange } from '../../../query/index.js';

/** What makes a job's result reusable. */
export interface Reuse {
  /** Equal for queries that one result answers. */
  key: Buffer;
  /** For how long after its completion. */
  seconds: number;
  /** What the query reads. */
  datasets: string[];
  range: TimeRange;
}

/**
 * The newest job of the organisation whose result answers a query, as a SELECT of `columns`. Its own rows are its result:
 * a job that was answered by another one is none.
 * @param key SQL of the key
 * @param maxAgeSeconds SQL of the age that the caller allows; null for any
 */
export const reusableResult = (columns: string, key: string, maxAgeSeconds: string): string => `
  SELECT ${columns} FROM jobs old
   WHERE reuse_key = ${key} AND status = 'COMPLETED' AND result_of IS NULL AND NOT is_partial AND expires_at > now()
     AND completed_at > now() - least(reuse_seconds, ${maxAgeSeconds}) * interval '1 second'
     AND NOT EXISTS (
       SELECT FROM change_feed fed
        WHERE fed.org_id = old.org_id AND fed.dataset = ANY (old.reads_datasets) AND fed.tx >= old.feed_horizon
          AND (old.reads_from IS NULL OR fed.max_time >= old.reads_from)
          AND (old.reads_to IS NULL OR fed.min_time < old.reads_to))
     AND feed_horizon IS NOT NULL
   ORDER BY completed_at DESC LIMIT 1`;
