-- What analytics keeps: events counted by minute, recomputed from the raw events whenever a minute was touched.

CREATE TABLE app.event_rollup_minute (
  org_id uuid NOT NULL,
  dataset text COLLATE "C" NOT NULL,
  minute timestamptz NOT NULL CHECK (minute = date_bin('1 minute', minute, '2000-01-01 00:00:00+00')),
  severity text COLLATE "C" NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info')),
  event_count bigint NOT NULL CHECK (event_count > 0),
  error_count bigint NOT NULL CHECK (error_count BETWEEN 0 AND event_count),
  PRIMARY KEY (org_id, dataset, minute, severity)
);
ALTER TABLE app.event_rollup_minute ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.event_rollup_minute FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.event_rollup_minute
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
GRANT SELECT, INSERT, DELETE ON app.event_rollup_minute TO harborwatch_app;

-- A widget tells how far its figures reach: it compares the organisation's part of the feed with the rollup's checkpoint.
GRANT SELECT ON app.checkpoints TO harborwatch_app;
