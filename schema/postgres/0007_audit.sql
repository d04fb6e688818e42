-- The audit log: activity, data-change and debug entries of applications, and what was seen in them.
-- Append-only: no role but the owner may change or delete an entry.

-- What of the audit log the transaction may read, as withOrg set it: one row per scope, null for "every". Nothing set, nothing read.
CREATE FUNCTION app.audit_scopes() RETURNS TABLE (app text, class text)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT s.app, s.class
    FROM jsonb_to_recordset(coalesce(nullif(current_setting('app.audit_scopes', true), ''), '[]')::jsonb) AS s (app text, class text)
$$;
REVOKE ALL ON FUNCTION app.audit_scopes() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.audit_scopes() TO harborwatch_app;

CREATE TABLE app.audit_log (
  org_id uuid NOT NULL,
  id text COLLATE "C" NOT NULL,
  batch_no bigint NOT NULL,
  app text NOT NULL,
  system text,
  module text,
  type text NOT NULL CHECK (type IN ('A', 'C', 'D', 'U')), -- activity, change, debug, unknown
  pri smallint NOT NULL CHECK (pri BETWEEN 0 AND 7),       -- Debug2 Debug1 Debug0 Info Warn Err Crit Sec
  event_time timestamptz NOT NULL,
  when_ns bigint NOT NULL,                                 -- the same moment in nanoseconds since 1970
  who text,
  op text,
  class text,
  instance_id text,
  status text CHECK (status IN ('SUCCESS', 'FAILURE')),
  error text,
  remote text,                                             -- as it was sent, such as LOCAL
  remote_ip inet,                                          -- null where `remote` is no address
  msg text NOT NULL,
  data jsonb,
  trace_id text,
  span_id text,
  attributes jsonb NOT NULL DEFAULT '{}',                  -- fields that no column declares
  tx xid8 NOT NULL DEFAULT pg_current_xact_id(),           -- who reads page by page sees the same transactions to the end
  -- Pages are ordered by (event_time, when_ns, id), which is the order of (when_ns, id): the partition column in front
  -- lets PostgreSQL read partition after partition instead of merging them all.
  PRIMARY KEY (org_id, app, event_time, when_ns, id),
  CONSTRAINT one_moment CHECK (when_ns >= 0 AND when_ns / 1000 = extract(epoch FROM event_time) * 1000000)
) PARTITION BY RANGE (event_time);
-- Timelines leave out debug entries, which often outnumber all others.
CREATE INDEX ON app.audit_log (org_id, app, event_time DESC, when_ns DESC, id DESC) WHERE type <> 'D';
CREATE INDEX ON app.audit_log (org_id, app, who, event_time DESC, when_ns DESC, id DESC);
CREATE INDEX ON app.audit_log (org_id, app, class, instance_id, event_time DESC, when_ns DESC, id DESC) WHERE type <> 'D';
CREATE INDEX ON app.audit_log USING brin (batch_no);
ALTER TABLE app.audit_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.audit_log FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.audit_log
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
-- Readers see their scope; writers need none, so an INSERT must not ask for what it wrote (RETURNING, ON CONFLICT with
-- a target). Every sub-select runs once a query. An entry without a class is in no scope that names one.
CREATE POLICY own_scope ON app.audit_log AS RESTRICTIVE FOR SELECT USING (
  (SELECT bool_or(s.app IS NULL AND s.class IS NULL) FROM app.audit_scopes() s)
  OR app IN (SELECT s.app FROM app.audit_scopes() s WHERE s.class IS NULL)
  OR class IN (SELECT s.class FROM app.audit_scopes() s WHERE s.app IS NULL)
  OR (app, class) IN (SELECT s.app, s.class FROM app.audit_scopes() s)
);
GRANT SELECT, INSERT ON app.audit_log TO harborwatch_app;

-- The apps with their modules and classes, each combination once: listing them must not read the whole log.
CREATE TABLE app.audit_names (
  org_id uuid NOT NULL,
  app text NOT NULL,
  module text,
  class text,
  UNIQUE NULLS NOT DISTINCT (org_id, app, module, class)
);
ALTER TABLE app.audit_names ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.audit_names FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.audit_names
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY own_scope ON app.audit_names AS RESTRICTIVE FOR SELECT USING (
  (SELECT bool_or(s.app IS NULL AND s.class IS NULL) FROM app.audit_scopes() s)
  OR app IN (SELECT s.app FROM app.audit_scopes() s WHERE s.class IS NULL)
  OR class IN (SELECT s.class FROM app.audit_scopes() s WHERE s.app IS NULL)
  OR (app, class) IN (SELECT s.app, s.class FROM app.audit_scopes() s)
);
GRANT SELECT, INSERT ON app.audit_names TO harborwatch_app;
