-- What organisations use of their quotas (platform/quotas.ts), and what they were told about it.

ALTER TABLE app.change_feed ADD COLUMN bytes bigint NOT NULL DEFAULT 0; -- of the accepted items, as the JSON that came
-- With what is counted in it: where one organisation sends almost all, the primary key looks as good, and leads the others
-- over that one's rows.
CREATE INDEX change_feed_org ON app.change_feed (org_id, tx, seq) INCLUDE (committed_at, row_count, bytes);

-- Accepted events and entries by the UTC day of their acceptance, counted from the change feed.
CREATE TABLE app.org_usage (
  org_id uuid NOT NULL,
  day date NOT NULL,
  events bigint NOT NULL,
  bytes bigint NOT NULL,
  PRIMARY KEY (org_id, day)
);
ALTER TABLE app.org_usage ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.org_usage FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.org_usage
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY system_all ON app.org_usage TO harborwatch_system USING (true) WITH CHECK (true);
GRANT SELECT ON app.org_usage TO harborwatch_app;
GRANT SELECT, INSERT, UPDATE ON app.org_usage TO harborwatch_system;

-- All days together, and how far of the organisation's part of the feed is in both tables: what is behind (tx, seq) is not
-- counted yet, and what is before it never again. In one row, since every ingest reads it.
CREATE TABLE app.org_usage_totals (
  org_id uuid PRIMARY KEY,
  events bigint NOT NULL,
  bytes bigint NOT NULL,
  tx xid8 NOT NULL,
  seq bigint NOT NULL
);
ALTER TABLE app.org_usage_totals ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.org_usage_totals FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.org_usage_totals
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY system_all ON app.org_usage_totals TO harborwatch_system USING (true) WITH CHECK (true);
GRANT SELECT ON app.org_usage_totals TO harborwatch_app;
GRANT SELECT, INSERT, UPDATE ON app.org_usage_totals TO harborwatch_system;

-- Which entries about a quota there are already, so that each is written once a period.
CREATE TABLE app.quota_notices (
  org_id uuid NOT NULL,
  quota text NOT NULL,
  period date NOT NULL, -- the day of eventsPerDay, the first day of the month of all others
  threshold smallint NOT NULL, -- percent
  noticed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (org_id, period, quota, threshold)
);
ALTER TABLE app.quota_notices ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.quota_notices FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.quota_notices
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
GRANT SELECT, INSERT ON app.quota_notices TO harborwatch_app;

-- Job results: their size as JSON, before compression, for as long as they are kept.
ALTER TABLE app.jobs ADD COLUMN result_bytes bigint NOT NULL DEFAULT 0 CHECK (result_bytes >= 0);
-- The owner sees rows of organisations only while row security is not forced upon it.
ALTER TABLE app.jobs NO FORCE ROW LEVEL SECURITY;
ALTER TABLE app.job_results NO FORCE ROW LEVEL SECURITY;
UPDATE app.jobs j SET result_bytes = kept.bytes
  FROM (SELECT org_id, job_id, sum(json_bytes) AS bytes FROM app.job_results GROUP BY org_id, job_id) AS kept
 WHERE kept.org_id = j.org_id AND kept.job_id = j.id;
ALTER TABLE app.jobs FORCE ROW LEVEL SECURITY;
ALTER TABLE app.job_results FORCE ROW LEVEL SECURITY;
GRANT SELECT (result_bytes), UPDATE (result_bytes) ON app.jobs TO harborwatch_system;

CREATE INDEX jobs_kept ON app.jobs (org_id) INCLUDE (result_bytes) WHERE result_bytes > 0;
CREATE INDEX jobs_waiting ON app.jobs (org_id, priority DESC, created_at, id) WHERE status = 'PENDING';
DROP INDEX app.jobs_pending;
DROP INDEX app.jobs_running;
CREATE INDEX jobs_running ON app.jobs (org_id, id) WHERE status = 'RUNNING';
