-- What is counted and looked up over an organisation's ended jobs.

ALTER TABLE app.jobs ADD COLUMN first_started_at timestamptz; -- started_at is of the latest attempt

-- Whichever statement claims the job: what a priority promises is measured from submission to the first start.
CREATE FUNCTION app.note_first_start() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  NEW.first_started_at := NEW.started_at;
  RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION app.note_first_start() FROM PUBLIC;
CREATE TRIGGER note_first_start BEFORE UPDATE OF started_at ON app.jobs FOR EACH ROW
  WHEN (OLD.first_started_at IS NULL AND NEW.started_at IS NOT NULL)
  EXECUTE FUNCTION app.note_first_start();

-- What figures are made of: a narrow row for each end of a job, never changed. Figures of a day read it from the index;
-- over the jobs themselves, which are wide and change all the time, they would take ten times as long.
CREATE TABLE app.job_ends (
  org_id uuid NOT NULL,
  completed_at timestamptz NOT NULL,
  status text NOT NULL,
  priority app.job_priority NOT NULL,
  execution_us bigint, -- of the attempt that ended it; null where none did: cancelled, or answered with an older result
  start_delay_us bigint, -- from submission to the first start; null where it never began
  row_count integer NOT NULL, -- of the result
  is_cache_hit boolean NOT NULL,
  tx xid8 NOT NULL DEFAULT pg_current_xact_id() -- counters read on from the last transaction that they have seen
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02); -- pages that are known to be visible are not read
CREATE INDEX job_ends_newest ON app.job_ends (org_id, completed_at)
  INCLUDE (status, priority, execution_us, start_delay_us, row_count, is_cache_hit);
CREATE INDEX job_ends_tx ON app.job_ends (tx);
ALTER TABLE app.job_ends ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.job_ends FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.job_ends
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY system_all ON app.job_ends TO harborwatch_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON app.job_ends TO harborwatch_app, harborwatch_system;

-- In the transaction that ends the job, whichever role and statement does it. Terminal statuses are never left, so each
-- job has one row.
CREATE FUNCTION app.note_job_end() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO app.job_ends (org_id, completed_at, status, priority, execution_us, start_delay_us, row_count, is_cache_hit)
  VALUES (NEW.org_id, NEW.completed_at, NEW.status, NEW.priority,
          CASE WHEN NEW.status <> 'CANCELLED' AND NEW.result_of IS NULL
               THEN (extract(epoch FROM NEW.completed_at - NEW.started_at) * 1000000)::bigint END,
          (extract(epoch FROM NEW.first_started_at - NEW.created_at) * 1000000)::bigint,
          CASE NEW.status WHEN 'COMPLETED' THEN NEW.rows_fetched ELSE 0 END, NEW.result_of IS NOT NULL);
  RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION app.note_job_end() FROM PUBLIC;
CREATE TRIGGER note_job_end AFTER UPDATE OF status ON app.jobs FOR EACH ROW
  WHEN (NEW.status IN ('COMPLETED', 'FAILED', 'CANCELLED') AND OLD.status <> NEW.status)
  EXECUTE FUNCTION app.note_job_end();
CREATE TRIGGER note_job_born_ended AFTER INSERT ON app.jobs FOR EACH ROW -- answered with a result that was there already
  WHEN (NEW.status IN ('COMPLETED', 'FAILED', 'CANCELLED'))
  EXECUTE FUNCTION app.note_job_end();

-- Jobs of older versions. The owner sees rows of organisations only while row security is not forced upon it.
ALTER TABLE app.jobs NO FORCE ROW LEVEL SECURITY;
ALTER TABLE app.job_ends NO FORCE ROW LEVEL SECURITY;
UPDATE app.jobs SET first_started_at = started_at WHERE attempt = 1;
INSERT INTO app.job_ends (org_id, completed_at, status, priority, execution_us, start_delay_us, row_count, is_cache_hit)
SELECT org_id, completed_at, status, priority,
       CASE WHEN status <> 'CANCELLED' THEN (extract(epoch FROM completed_at - started_at) * 1000000)::bigint END,
       (extract(epoch FROM first_started_at - created_at) * 1000000)::bigint,
       CASE status WHEN 'COMPLETED' THEN rows_fetched ELSE 0 END, false
  FROM app.jobs WHERE completed_at IS NOT NULL ORDER BY completed_at;
ALTER TABLE app.jobs FORCE ROW LEVEL SECURITY;
ALTER TABLE app.job_ends FORCE ROW LEVEL SECURITY;

-- The log of slow queries, newest first: those whose plan was kept, and those of any length that a setting may call slow.
CREATE INDEX jobs_slow ON app.jobs (org_id, completed_at DESC, id DESC)
  WHERE completed_at IS NOT NULL AND (plan IS NOT NULL OR completed_at - started_at >= interval '100 milliseconds');

-- Alerts about an organisation's queue that are on, so that each is told once when it begins and once when it ends.
CREATE TABLE app.queue_alerts (
  org_id uuid NOT NULL,
  kind text NOT NULL,
  since timestamptz NOT NULL DEFAULT now(),
  quiet_since timestamptz, -- all is well since then, but not for long enough to say so
  PRIMARY KEY (org_id, kind)
);
ALTER TABLE app.queue_alerts ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.queue_alerts FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.queue_alerts
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY system_read ON app.queue_alerts FOR SELECT TO harborwatch_system USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON app.queue_alerts TO harborwatch_app;
GRANT SELECT ON app.queue_alerts TO harborwatch_system;

GRANT SELECT (first_started_at) ON app.jobs TO harborwatch_system;
GRANT SELECT (died_at) ON app.job_callbacks TO harborwatch_system;
