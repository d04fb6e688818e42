-- The dataset web_activity. Generated from its declaration.
CREATE TABLE app.web_activity (
  org_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT uuidv7(),
  batch_no bigint NOT NULL,
  "eventdate" timestamptz NOT NULL,
  "domain" text,
  "username" text,
  "action" text,
  "operation" text,
  "url" text,
  "status" integer,
  "response_ms" double precision,
  "ip" text,
  "user_agent" text,
  attributes jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (org_id, "eventdate", id)
) PARTITION BY RANGE ("eventdate");
CREATE INDEX ON app.web_activity USING brin (batch_no);
CREATE INDEX ON app.web_activity (org_id, "username", "eventdate" DESC);
ALTER TABLE app.web_activity ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.web_activity FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.web_activity
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
GRANT SELECT, INSERT, DELETE ON app.web_activity TO harborwatch_app;
GRANT SELECT ON app.web_activity TO harborwatch_query;
CREATE VIEW q."web_activity" WITH (security_invoker = true) AS
  SELECT "eventdate", "domain", "username", "action", "operation", "url", "status", "response_ms", "ip", "user_agent", "attributes" FROM app.web_activity;
GRANT SELECT ON q."web_activity" TO harborwatch_query;
CREATE VIEW qb."web_activity" WITH (security_invoker = true) AS
  SELECT "eventdate", "domain", "username", "action", "operation", "url", "status", "response_ms", "ip", "user_agent", "attributes" FROM app.web_activity
   WHERE batch_no = (SELECT nullif(current_setting('app.batch_no', true), '')::bigint);
GRANT SELECT ON qb."web_activity" TO harborwatch_query;
CREATE VIEW q."siem.logtrust.web.activity" WITH (security_invoker = true) AS
  SELECT "eventdate", "domain", "username", "action", "operation", "url", "status", "response_ms", "ip", "user_agent", "attributes" FROM app.web_activity;
GRANT SELECT ON q."siem.logtrust.web.activity" TO harborwatch_query;
CREATE VIEW qb."siem.logtrust.web.activity" WITH (security_invoker = true) AS
  SELECT "eventdate", "domain", "username", "action", "operation", "url", "status", "response_ms", "ip", "user_agent", "attributes" FROM app.web_activity
   WHERE batch_no = (SELECT nullif(current_setting('app.batch_no', true), '')::bigint);
GRANT SELECT ON qb."siem.logtrust.web.activity" TO harborwatch_query;
CREATE VIEW q."siem.logtrust.web.activityAll" WITH (security_invoker = true) AS
  SELECT "eventdate", "domain", "username", "action", "operation", "url", "status", "response_ms", "ip", "user_agent", "attributes" FROM app.web_activity;
GRANT SELECT ON q."siem.logtrust.web.activityAll" TO harborwatch_query;
CREATE VIEW qb."siem.logtrust.web.activityAll" WITH (security_invoker = true) AS
  SELECT "eventdate", "domain", "username", "action", "operation", "url", "status", "response_ms", "ip", "user_agent", "attributes" FROM app.web_activity
   WHERE batch_no = (SELECT nullif(current_setting('app.batch_no', true), '')::bigint);
GRANT SELECT ON qb."siem.logtrust.web.activityAll" TO harborwatch_query;
