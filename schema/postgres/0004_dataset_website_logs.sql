-- The dataset website_logs. Generated from its declaration.
CREATE TABLE app.website_logs (
  org_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT uuidv7(),
  batch_no bigint NOT NULL,
  "request_timestamp" timestamptz NOT NULL,
  "ip_address" text,
  "user_agent" text,
  "url" text,
  "http_method" text,
  "status_code" integer,
  "response_time" integer,
  "referrer" text,
  "user_id" text,
  "username" text,
  "user_action" text,
  "security_level" text,
  attributes jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (org_id, "request_timestamp", id)
) PARTITION BY RANGE ("request_timestamp");
CREATE INDEX ON app.website_logs USING brin (batch_no);
CREATE INDEX ON app.website_logs (org_id, "ip_address", "request_timestamp" DESC);
CREATE INDEX ON app.website_logs (org_id, "status_code", "request_timestamp" DESC);
CREATE INDEX ON app.website_logs (org_id, "username", "request_timestamp" DESC);
ALTER TABLE app.website_logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.website_logs FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.website_logs
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
GRANT SELECT, INSERT, DELETE ON app.website_logs TO harborwatch_app;
GRANT SELECT ON app.website_logs TO harborwatch_query;
CREATE VIEW q."website_logs" WITH (security_invoker = true) AS
  SELECT "request_timestamp", "ip_address", "user_agent", "url", "http_method", "status_code", "response_time", "referrer", "user_id", "username", "user_action", "security_level", "attributes" FROM app.website_logs;
GRANT SELECT ON q."website_logs" TO harborwatch_query;
CREATE VIEW qb."website_logs" WITH (security_invoker = true) AS
  SELECT "request_timestamp", "ip_address", "user_agent", "url", "http_method", "status_code", "response_time", "referrer", "user_id", "username", "user_action", "security_level", "attributes" FROM app.website_logs
   WHERE batch_no = (SELECT nullif(current_setting('app.batch_no', true), '')::bigint);
GRANT SELECT ON qb."website_logs" TO harborwatch_query;
CREATE VIEW q."website_logs_source" WITH (security_invoker = true) AS
  SELECT "request_timestamp", "ip_address", "user_agent", "url", "http_method", "status_code", "response_time", "referrer", "user_id", "username", "user_action", "security_level", "attributes" FROM app.website_logs;
GRANT SELECT ON q."website_logs_source" TO harborwatch_query;
CREATE VIEW qb."website_logs_source" WITH (security_invoker = true) AS
  SELECT "request_timestamp", "ip_address", "user_agent", "url", "http_method", "status_code", "response_time", "referrer", "user_id", "username", "user_action", "security_level", "attributes" FROM app.website_logs
   WHERE batch_no = (SELECT nullif(current_setting('app.batch_no', true), '')::bigint);
GRANT SELECT ON qb."website_logs_source" TO harborwatch_query;
