-- Query jobs and their results. The job's row is the truth: the queue and the live topics only say "look again".

CREATE TYPE app.job_priority AS ENUM ('LOW', 'NORMAL', 'HIGH'); -- in the order of their worth
GRANT USAGE ON TYPE app.job_priority TO harborwatch_app, harborwatch_system;

CREATE TABLE app.jobs (
  org_id uuid NOT NULL REFERENCES app.orgs (id),
  id uuid NOT NULL DEFAULT uuidv7(),
  status text NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED')),
  language text NOT NULL CHECK (language IN ('SQL', 'KQL', 'LINQ', 'OPENSEARCH')),
  query text NOT NULL,
  priority app.job_priority NOT NULL,
  timeout_ms integer NOT NULL CHECK (timeout_ms BETWEEN 1 AND 3600000),
  metadata json, -- as it was sent: jsonb refuses some strings that JSON allows
  submitted_by uuid,
  idempotency_key text COLLATE "C" CHECK (length(idempotency_key) BETWEEN 1 AND 200),
  fingerprint bytea NOT NULL, -- tells two requests under one idempotency key apart
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(), -- the last change that a watcher can see; heartbeats leave it
  started_at timestamptz, -- of the latest attempt
  completed_at timestamptz,
  expires_at timestamptz, -- when the results go
  purged_at timestamptz,  -- when they went
  attempt integer NOT NULL DEFAULT 0, -- the fencing token: every write of a worker carries the attempt that it claimed
  worker_id text,
  lease_until timestamptz,
  percent smallint NOT NULL DEFAULT 0 CHECK (percent BETWEEN 0 AND 100),
  rows_fetched integer NOT NULL DEFAULT 0,
  columns jsonb,
  error jsonb,
  PRIMARY KEY (org_id, id),
  UNIQUE (org_id, idempotency_key),
  FOREIGN KEY (org_id, submitted_by) REFERENCES app.users (org_id, id),
  CHECK ((status = 'RUNNING') = (lease_until IS NOT NULL)),
  CHECK ((status IN ('COMPLETED', 'FAILED', 'CANCELLED')) = (completed_at IS NOT NULL)),
  CHECK ((status = 'FAILED') = (error IS NOT NULL)),
  CHECK (status <> 'COMPLETED' OR columns IS NOT NULL)
) WITH (fillfactor = 70); -- room for heartbeats to stay on their page
CREATE INDEX jobs_newest ON app.jobs (org_id, created_at DESC, id DESC);
CREATE INDEX jobs_newest_by_status ON app.jobs (org_id, status, created_at DESC, id DESC);
CREATE INDEX jobs_newest_by_user ON app.jobs (org_id, submitted_by, created_at DESC, id DESC);
CREATE INDEX jobs_pending ON app.jobs (priority DESC, created_at) WHERE status = 'PENDING';
CREATE INDEX jobs_running ON app.jobs (id) WHERE status = 'RUNNING';
CREATE INDEX jobs_expiring ON app.jobs (expires_at) WHERE purged_at IS NULL AND expires_at IS NOT NULL;
ALTER TABLE app.jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.jobs FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.jobs
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY system_all ON app.jobs TO harborwatch_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON app.jobs TO harborwatch_app;
-- The sweeper reads no texts and no results.
GRANT SELECT (org_id, id, status, priority, created_at, updated_at, attempt, lease_until, expires_at, purged_at),
      UPDATE (status, updated_at, completed_at, purged_at, worker_id, lease_until, percent, rows_fetched, error)
   ON app.jobs TO harborwatch_system;

-- Rows of one attempt, in chunks of gzipped JSON: an array of rows, each an array of values.
CREATE TABLE app.job_results (
  org_id uuid NOT NULL,
  job_id uuid NOT NULL,
  attempt integer NOT NULL,
  first_row integer NOT NULL, -- counted from 0
  row_count integer NOT NULL CHECK (row_count > 0),
  json_bytes integer NOT NULL, -- before compression
  data bytea NOT NULL,
  PRIMARY KEY (org_id, job_id, attempt, first_row),
  FOREIGN KEY (org_id, job_id) REFERENCES app.jobs (org_id, id) ON DELETE CASCADE
);
ALTER TABLE app.job_results ALTER COLUMN data SET STORAGE EXTERNAL; -- compressed already
ALTER TABLE app.job_results ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.job_results FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.job_results
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY system_all ON app.job_results TO harborwatch_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, DELETE ON app.job_results TO harborwatch_app;
GRANT SELECT (org_id, job_id), DELETE ON app.job_results TO harborwatch_system;
