-- Who runs jobs, and whose turn it is.
ALTER TABLE app.orgs ADD COLUMN worker_pool text -- the pool that runs its jobs; null for the shared one
  CHECK (worker_pool ~ '^[a-z][a-z0-9-]{0,62}$' AND worker_pool <> 'shared');

-- Worker processes, as they say of themselves every few seconds. Holds nothing of any organisation.
CREATE TABLE app.job_workers (
  worker_id text PRIMARY KEY,
  pool text NOT NULL,
  concurrency integer NOT NULL,
  running integer NOT NULL DEFAULT 0,
  started_at timestamptz NOT NULL DEFAULT now(),
  seen_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE, DELETE ON app.job_workers TO harborwatch_system;

-- How much of its share each organisation has had: start-time fair queueing, see subgraphs/jobs/SPEC.md.
CREATE TABLE app.job_turns (
  org_id uuid PRIMARY KEY REFERENCES app.orgs (id),
  pool text NOT NULL, -- whose time it is; another pool's says nothing here
  virtual_time double precision NOT NULL -- when its next job may start: grows with each start by 1 over its weight
);
ALTER TABLE app.job_turns ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.job_turns FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.job_turns
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY system_all ON app.job_turns TO harborwatch_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON app.job_turns TO harborwatch_system;

-- The virtual time of each pool: the start of the latest job. Holds nothing of any organisation.
CREATE TABLE app.job_clocks (
  pool text PRIMARY KEY,
  virtual_time double precision NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON app.job_clocks TO harborwatch_system;

-- Workers claim and end jobs of all organisations, many at a time.
GRANT SELECT (language, query, dataset, range_from, range_to, timeout_ms, result_ttl_seconds, worker_id),
      UPDATE (attempt, started_at, phase, is_exact, covered_since, revision, columns, feed_horizon, expires_at, render, search)
   ON app.jobs TO harborwatch_system;
GRANT INSERT, SELECT (attempt) ON app.job_results TO harborwatch_system;
