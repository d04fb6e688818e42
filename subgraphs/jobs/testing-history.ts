/** For tests: jobs that ran in the past, or wait and run now, stored as the product's own statements leave them. */
import fc from 'fast-check';
import type { Identity } from '../../platform/identity.js';
import type { TestPlatform } from '../../tests/setup/database.js';
import type { JobStatus } from './states.js';
import type { JobPriority } from './store/jobs.js';

export interface PastJob {
  status: JobStatus;
  priority: JobPriority;
  /** Of the latest attempt. */
  executionUs: number;
  /** From submission to the first start. */
  delayUs: number;
  /** Null where it has not ended. */
  endedAgoUs: number | null;
  hasBegun: boolean;
  /** An older result answered it. */
  isReuse: boolean;
  /** Of jobs that have not ended: since when. */
  waitsUs: number;
  rows: number;
}

const minuteUs = 60e6;
/** Ends well off the borders of the periods that are asked for. */
const endedAgoUs = fc
  .oneof(fc.integer({ min: 2, max: 55 }), fc.integer({ min: 65, max: 1_400 }), fc.integer({ min: 1_500, max: 4_000 }))
  .map((minutes) => minutes * minuteUs);

const pastJob: fc.Arbitrary<PastJob> = fc
  .record({
    status: fc.constantFrom<JobStatus>(
      'PENDING',
      'RUNNING',
      'COMPLETED',
      'COMPLETED',
      'COMPLETED',
      'FAILED',
      'CANCELLED',
    ),
    priority: fc.constantFrom<JobPriority>('HIGH', 'NORMAL', 'LOW'),
    executionUs: fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 3_600e6 })),
    delayUs: fc.oneof(fc.constantFrom(0, 10e6, 60e6, 300e6), fc.integer({ min: 0, max: 600e6 })),
    endedAgoUs,
    hasBegun: fc.boolean(),
    isReuse: fc.boolean(),
    waitsUs: fc.constantFrom(1e6, 30e6, 200e6, 1_000e6),
    rows: fc.nat(1_000),
  })
  .map((job) => {
    const isOver = job.status !== 'PENDING' && job.status !== 'RUNNING';
    const isReuse = job.isReuse && job.status === 'COMPLETED';
    const mayHaveWaited = job.status === 'PENDING' || job.status === 'CANCELLED';
    return {
      ...job,
      isReuse,
      endedAgoUs: isOver ? job.endedAgoUs : null,
      hasBegun: !isReuse && (!mayHaveWaited || job.hasBegun),
    };
  });

/** What is reused is there: the first job is none that was answered by another one. */
export const history = fc
  .array(pastJob, { maxLength: 60 })
  .map(([first, ...rest]) =>
    first ? [{ ...first, isReuse: false, hasBegun: first.hasBegun || first.isReuse }, ...rest] : [],
  );

/** Stores the jobs, step by step as their lives went; beside them, of reuse, the job that has the result. */
export async function storeHistory(
  { database }: Pick<TestPlatform, 'database'>,
  { orgId }: Identity,
  jobs: readonly PastJob[],
): Promise<void> {
  const us = (value: string) => `${value} * interval '1 microsecond'`;
  const given = `json_to_recordset($2) AS job (n int, status text, priority app.job_priority, "executionUs" float8, "delayUs" float8,
    "endedAgoUs" float8, "hasBegun" boolean, "isReuse" boolean, "waitsUs" float8, rows int)`;
  // What a job that waits or runs began with lies as far back as it has waited.
  const created = `now() - CASE WHEN job."endedAgoUs" IS NULL THEN ${us('job."waitsUs"')} + CASE WHEN job."hasBegun" THEN ${us('job."delayUs"')} ELSE '0' END
    WHEN job."isReuse" THEN ${us('job."endedAgoUs"')} ELSE ${us('(job."endedAgoUs" + job."executionUs" + job."delayUs")')} END`;
  const tag = crypto.randomUUID();
  const parameters = [orgId, JSON.stringify(jobs.map((job, n) => ({ n, ...job }))), tag];
  const mine = `org_id = $1 AND j.query = $3::text || job.n`;
  const statements = [
    `INSERT INTO app.jobs (org_id, language, query, priority, timeout_ms, fingerprint, created_at)
     SELECT $1, 'SQL', $3::text || n, priority, 1000, '', ${created} FROM ${given} WHERE NOT "isReuse"`,
    `INSERT INTO app.jobs (org_id, language, query, priority, timeout_ms, fingerprint, created_at, status, started_at, completed_at, columns, rows_fetched, result_of)
     SELECT $1, 'SQL', $3::text || n, priority, 1000, '', ${created}, 'COMPLETED', ${created}, ${created}, '[]', rows,
            (SELECT id FROM app.jobs WHERE org_id = $1 LIMIT 1) FROM ${given}
      WHERE "isReuse"`,
    `UPDATE app.jobs j SET status = 'RUNNING', attempt = 1, lease_until = now() + interval '1 day',
            started_at = j.created_at + ${us('job."delayUs"')} FROM ${given} WHERE ${mine} AND job."hasBegun"`,
    // Every second one had another attempt before its last: the first start counts.
    `UPDATE app.jobs j SET attempt = 2, started_at = j.started_at + interval '1 microsecond' FROM ${given}
      WHERE ${mine} AND job."hasBegun" AND job."executionUs" >= 1 AND job.n % 2 = 1`,
    `UPDATE app.jobs j SET status = 'PENDING', lease_until = NULL FROM ${given} WHERE ${mine} AND job."hasBegun" AND job.status = 'PENDING'`,
    `UPDATE app.jobs j SET status = job.status, lease_until = NULL, columns = '[]', rows_fetched = job.rows,
            error = CASE job.status WHEN 'FAILED' THEN '{"code": "QUERY_FAILED", "message": "no"}'::jsonb END,
            completed_at = CASE WHEN job."hasBegun" THEN j.started_at + ${us('job."executionUs"')} ELSE now() - ${us('job."endedAgoUs"')} END
       FROM ${given} WHERE ${mine} AND NOT job."isReuse" AND job."endedAgoUs" IS NOT NULL`,
  ];
  for (const statement of statements) await database.asSuperuser(statement, parameters);
}
