-- What a submission may ask for beside its query, what a run tells of itself while it goes on, and what a result was made
-- of, so that an equal query can be answered with it.
ALTER TABLE app.jobs
  ADD COLUMN callback_url text, -- who is told of the end
  ADD COLUMN result_ttl_seconds integer NOT NULL DEFAULT 86400 CHECK (result_ttl_seconds > 0), -- the results' life after completion
  ADD COLUMN cancel_unasked_seconds integer CHECK (cancel_unasked_seconds > 0), -- cancelled once nobody asked for that long
  ADD COLUMN asked_at timestamptz NOT NULL DEFAULT now(), -- when somebody last asked, where cancel_unasked_seconds is set
  ADD COLUMN phase text, -- what a running attempt does
  ADD COLUMN is_exact boolean NOT NULL DEFAULT false, -- whether percent is a measure, and no guess
  ADD COLUMN covered_since timestamptz, -- the rows so far are of all events at or after this moment
  ADD COLUMN revision integer NOT NULL DEFAULT 0, -- of the rows so far: grows when they are replaced, and not when rows are added
  ADD COLUMN is_partial boolean NOT NULL DEFAULT false, -- completed by finalizeJob, with what was found until then
  ADD COLUMN result_of uuid, -- the job whose rows are this one's result
  ADD COLUMN reuse_key bytea, -- equal for queries that one result answers
  ADD COLUMN reuse_seconds integer, -- for how long after completion it does
  ADD COLUMN reads_datasets text[], -- what the query reads
  ADD COLUMN reads_from timestamptz, -- and of which event times; null where it is open
  ADD COLUMN reads_to timestamptz,
  ADD COLUMN feed_horizon xid8, -- the attempt's claim sees all transactions below it
  ADD COLUMN plan json, -- how it ran, of slow ones
  ADD FOREIGN KEY (org_id, result_of) REFERENCES app.jobs (org_id, id);

-- Few jobs have a key: the index holds those alone, and nothing else can be looked up by its first column.
ALTER TABLE app.jobs DROP CONSTRAINT jobs_org_id_idempotency_key_key;
CREATE UNIQUE INDEX jobs_idempotency_key ON app.jobs (org_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- Which result answers a query: those of jobs that ran it themselves.
CREATE INDEX jobs_reusable ON app.jobs (org_id, reuse_key, completed_at DESC)
  WHERE status = 'COMPLETED' AND result_of IS NULL AND reuse_key IS NOT NULL;
-- Whose results are kept for others.
CREATE INDEX jobs_reusing ON app.jobs (org_id, result_of) WHERE result_of IS NOT NULL;
-- Few jobs have it, and their rows change each time that somebody asks.
CREATE INDEX jobs_unasked ON app.jobs (org_id, id)
  WHERE cancel_unasked_seconds IS NOT NULL AND status IN ('PENDING', 'RUNNING');
-- The orders of lists, both ways; what has no value yet is the least. Columns, because row security lets an index find by
-- leakproof operators alone: those of enums, COALESCE and the difference of moments are none.
ALTER TABLE app.jobs
  ADD COLUMN completion timestamptz NOT NULL
    GENERATED ALWAYS AS (coalesce(completed_at, '-infinity')) STORED,
  ADD COLUMN execution_us bigint NOT NULL
    GENERATED ALWAYS AS (coalesce((extract(epoch FROM completed_at - started_at) * 1000000)::bigint, -1)) STORED,
  ADD COLUMN priority_rank smallint NOT NULL
    GENERATED ALWAYS AS (CASE priority WHEN 'LOW' THEN 0 WHEN 'NORMAL' THEN 1 ELSE 2 END) STORED;
CREATE INDEX jobs_by_completion ON app.jobs (org_id, completion, id);
CREATE INDEX jobs_by_execution_time ON app.jobs (org_id, execution_us, id);
CREATE INDEX jobs_by_priority ON app.jobs (org_id, priority_rank, id);

GRANT SELECT (result_of, asked_at, cancel_unasked_seconds), UPDATE (phase) ON app.jobs TO harborwatch_system;
