-- What happened to jobs, in commit order: one row for each change of status, written with it.

CREATE TABLE app.job_events (
  tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
  seq bigint GENERATED ALWAYS AS IDENTITY,
  org_id uuid NOT NULL,
  job_id uuid NOT NULL,
  type text NOT NULL CHECK (type IN ('SUBMITTED', 'STARTED', 'RETURNED', 'COMPLETED', 'FAILED', 'CANCELLED')),
  attempt integer NOT NULL,
  percent smallint NOT NULL,
  row_count integer, -- of COMPLETED
  is_partial boolean NOT NULL,
  error jsonb,       -- of FAILED
  occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tx, seq) -- also the order in which retention deletes
);
CREATE INDEX ON app.job_events (org_id, tx, seq);
ALTER TABLE app.job_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.job_events FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.job_events
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY system_all ON app.job_events TO harborwatch_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON app.job_events TO harborwatch_app;
GRANT SELECT (tx, seq, occurred_at), INSERT, DELETE ON app.job_events TO harborwatch_system;

-- Of statements, not of rows: a batch of jobs costs one INSERT. No NOTIFY: commits that notify wait for each other.
CREATE FUNCTION app.write_events_of_new_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO app.job_events (org_id, job_id, type, attempt, percent, row_count, is_partial, error)
  SELECT org_id, id, CASE status WHEN 'PENDING' THEN 'SUBMITTED' ELSE status END, attempt, percent,
         CASE status WHEN 'COMPLETED' THEN rows_fetched END, is_partial, error
    FROM new_jobs;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION app.write_events_of_new_jobs() FROM PUBLIC;

-- A FULL JOIN is never a nested loop: the session keeps the plan, and may have made it for a single job. Nothing is left
-- unmatched, so it is the inner join; IS DISTINCT FROM keeps the planner from knowing that.
CREATE FUNCTION app.write_events_of_changed_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO app.job_events (org_id, job_id, type, attempt, percent, row_count, is_partial, error)
  SELECT job.org_id, job.id, CASE job.status WHEN 'PENDING' THEN 'RETURNED' WHEN 'RUNNING' THEN 'STARTED' ELSE job.status END,
         job.attempt, job.percent, CASE job.status WHEN 'COMPLETED' THEN job.rows_fetched END, job.is_partial, job.error
    FROM new_jobs AS job FULL JOIN old_jobs AS before ON before.org_id = job.org_id AND before.id = job.id
   WHERE job.status IS DISTINCT FROM before.status;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION app.write_events_of_changed_jobs() FROM PUBLIC;

CREATE TRIGGER new_jobs_have_events AFTER INSERT ON app.jobs REFERENCING NEW TABLE AS new_jobs
  FOR EACH STATEMENT EXECUTE FUNCTION app.write_events_of_new_jobs();
CREATE TRIGGER changed_jobs_have_events AFTER UPDATE ON app.jobs REFERENCING OLD TABLE AS old_jobs NEW TABLE AS new_jobs
  FOR EACH STATEMENT EXECUTE FUNCTION app.write_events_of_changed_jobs();
