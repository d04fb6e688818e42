-- The dataset security_events. Generated from its declaration.
CREATE TABLE app.security_events (
  org_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT uuidv7(),
  batch_no bigint NOT NULL,
  "TimeGenerated" timestamptz NOT NULL,
  "EventID" integer,
  "Account" text,
  "Computer" text,
  "Channel" text,
  "Provider" text,
  "Level" text,
  "Task" text,
  "Process" text,
  "ProcessId" text,
  "ParentProcessName" text,
  "CommandLine" text,
  "LogonType" integer,
  "IpAddress" text,
  "SubjectUserName" text,
  "SubjectDomainName" text,
  "TargetUserName" text,
  "TargetDomainName" text,
  "WorkstationName" text,
  "Message" text,
  attributes jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (org_id, "TimeGenerated", id)
) PARTITION BY RANGE ("TimeGenerated");
CREATE INDEX ON app.security_events USING brin (batch_no);
CREATE INDEX ON app.security_events (org_id, "EventID", "TimeGenerated" DESC);
CREATE INDEX ON app.security_events (org_id, "Account", "TimeGenerated" DESC);
CREATE INDEX ON app.security_events (org_id, "Computer", "TimeGenerated" DESC);
CREATE INDEX ON app.security_events (org_id, "IpAddress", "TimeGenerated" DESC);
ALTER TABLE app.security_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.security_events FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.security_events
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
GRANT SELECT, INSERT, DELETE ON app.security_events TO harborwatch_app;
GRANT SELECT ON app.security_events TO harborwatch_query;
CREATE VIEW q."security_events" WITH (security_invoker = true) AS
  SELECT "TimeGenerated", "EventID", "Account", "Computer", "Channel", "Provider", "Level", "Task", "Process", "ProcessId", "ParentProcessName", "CommandLine", "LogonType", "IpAddress", "SubjectUserName", "SubjectDomainName", "TargetUserName", "TargetDomainName", "WorkstationName", "Message", "attributes" FROM app.security_events;
GRANT SELECT ON q."security_events" TO harborwatch_query;
CREATE VIEW qb."security_events" WITH (security_invoker = true) AS
  SELECT "TimeGenerated", "EventID", "Account", "Computer", "Channel", "Provider", "Level", "Task", "Process", "ProcessId", "ParentProcessName", "CommandLine", "LogonType", "IpAddress", "SubjectUserName", "SubjectDomainName", "TargetUserName", "TargetDomainName", "WorkstationName", "Message", "attributes" FROM app.security_events
   WHERE batch_no = (SELECT nullif(current_setting('app.batch_no', true), '')::bigint);
GRANT SELECT ON qb."security_events" TO harborwatch_query;
CREATE VIEW q."SecurityEvent" WITH (security_invoker = true) AS
  SELECT "TimeGenerated", "EventID", "Account", "Computer", "Channel", "Provider", "Level", "Task", "Process", "ProcessId", "ParentProcessName", "CommandLine", "LogonType", "IpAddress", "SubjectUserName", "SubjectDomainName", "TargetUserName", "TargetDomainName", "WorkstationName", "Message", "attributes" FROM app.security_events;
GRANT SELECT ON q."SecurityEvent" TO harborwatch_query;
CREATE VIEW qb."SecurityEvent" WITH (security_invoker = true) AS
  SELECT "TimeGenerated", "EventID", "Account", "Computer", "Channel", "Provider", "Level", "Task", "Process", "ProcessId", "ParentProcessName", "CommandLine", "LogonType", "IpAddress", "SubjectUserName", "SubjectDomainName", "TargetUserName", "TargetDomainName", "WorkstationName", "Message", "attributes" FROM app.security_events
   WHERE batch_no = (SELECT nullif(current_setting('app.batch_no', true), '')::bigint);
GRANT SELECT ON qb."SecurityEvent" TO harborwatch_query;
