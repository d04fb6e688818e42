-- The dataset logs. Generated from its declaration.
CREATE TABLE app.logs (
  org_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT uuidv7(),
  batch_no bigint NOT NULL,
  "timestamp" timestamptz NOT NULL,
  "severity" text,
  "event_type" text,
  "source_id" text,
  "source_type" text,
  "source_ip" inet,
  "source_port" integer,
  "destination_ip" inet,
  "destination_port" integer,
  "protocol" text,
  "bytes_in" bigint,
  "bytes_out" bigint,
  "user_name" text,
  "host" text,
  "message" text,
  attributes jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (org_id, "timestamp", id)
) PARTITION BY RANGE ("timestamp");
CREATE INDEX ON app.logs USING brin (batch_no);
CREATE INDEX ON app.logs (org_id, "severity", "timestamp" DESC);
CREATE INDEX ON app.logs (org_id, "event_type", "timestamp" DESC);
CREATE INDEX ON app.logs (org_id, "source_id", "timestamp" DESC);
CREATE INDEX ON app.logs (org_id, "source_ip", "timestamp" DESC);
CREATE INDEX ON app.logs (org_id, "destination_ip", "timestamp" DESC);
CREATE INDEX ON app.logs (org_id, "user_name", "timestamp" DESC);
CREATE INDEX ON app.logs (org_id, "host", "timestamp" DESC);
ALTER TABLE app.logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.logs FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.logs
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
GRANT SELECT, INSERT, DELETE ON app.logs TO harborwatch_app;
GRANT SELECT ON app.logs TO harborwatch_query;
CREATE VIEW q."logs" WITH (security_invoker = true) AS
  SELECT "timestamp", "severity", "event_type", "source_id", "source_type", "source_ip", "source_port", "destination_ip", "destination_port", "protocol", "bytes_in", "bytes_out", "user_name", "host", "message", "attributes" FROM app.logs;
GRANT SELECT ON q."logs" TO harborwatch_query;
CREATE VIEW qb."logs" WITH (security_invoker = true) AS
  SELECT "timestamp", "severity", "event_type", "source_id", "source_type", "source_ip", "source_port", "destination_ip", "destination_port", "protocol", "bytes_in", "bytes_out", "user_name", "host", "message", "attributes" FROM app.logs
   WHERE batch_no = (SELECT nullif(current_setting('app.batch_no', true), '')::bigint);
GRANT SELECT ON qb."logs" TO harborwatch_query;
CREATE VIEW q."securewatch-logs-*" WITH (security_invoker = true) AS
  SELECT "timestamp", "severity", "event_type", "source_id", "source_type", "source_ip", "source_port", "destination_ip", "destination_port", "protocol", "bytes_in", "bytes_out", "user_name", "host", "message", "attributes" FROM app.logs;
GRANT SELECT ON q."securewatch-logs-*" TO harborwatch_query;
CREATE VIEW qb."securewatch-logs-*" WITH (security_invoker = true) AS
  SELECT "timestamp", "severity", "event_type", "source_id", "source_type", "source_ip", "source_port", "destination_ip", "destination_port", "protocol", "bytes_in", "bytes_out", "user_name", "host", "message", "attributes" FROM app.logs
   WHERE batch_no = (SELECT nullif(current_setting('app.batch_no', true), '')::bigint);
GRANT SELECT ON qb."securewatch-logs-*" TO harborwatch_query;
