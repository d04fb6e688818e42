-- Debug entries have readers of their own: who may read them alone sees no other entry.

DROP POLICY own_scope ON app.audit_log;
DROP POLICY own_scope ON app.audit_names;
DROP FUNCTION app.audit_scopes();

-- What of the audit log the transaction may read, as withOrg set it: null for every app or class, and one row each for debug
-- entries and for all others. Nothing set, nothing read.
CREATE FUNCTION app.audit_scopes() RETURNS TABLE (app text, class text, debug boolean)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT s.app, s.class, unnest(CASE WHEN s."debugOnly" THEN '{t}' ELSE '{t,f}' END::boolean[])
    FROM jsonb_to_recordset(coalesce(nullif(current_setting('app.audit_scopes', true), ''), '[]')::jsonb)
         AS s (app text, class text, "debugOnly" boolean)
$$;
REVOKE ALL ON FUNCTION app.audit_scopes() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.audit_scopes() TO harborwatch_app;

-- Readers see their scope; writers need none, so an INSERT must not ask for what it wrote (RETURNING, ON CONFLICT with
-- a target). Every sub-select runs once a query. An entry without a class is in no scope that names one.
CREATE POLICY own_scope ON app.audit_log AS RESTRICTIVE FOR SELECT USING (
  (type = 'D') = ANY (ARRAY(SELECT s.debug FROM app.audit_scopes() s WHERE s.app IS NULL AND s.class IS NULL))
  OR (app, type = 'D') IN (SELECT s.app, s.debug FROM app.audit_scopes() s WHERE s.class IS NULL)
  OR (class, type = 'D') IN (SELECT s.class, s.debug FROM app.audit_scopes() s WHERE s.app IS NULL)
  OR (app, class, type = 'D') IN (SELECT s.app, s.class, s.debug FROM app.audit_scopes() s)
);

-- Names come from entries of every type, so readers of debug entries alone see none of them.
CREATE POLICY own_scope ON app.audit_names AS RESTRICTIVE FOR SELECT USING (
  (SELECT bool_or(s.app IS NULL AND s.class IS NULL) FROM app.audit_scopes() s WHERE NOT s.debug)
  OR app IN (SELECT s.app FROM app.audit_scopes() s WHERE s.class IS NULL AND NOT s.debug)
  OR class IN (SELECT s.class FROM app.audit_scopes() s WHERE s.app IS NULL AND NOT s.debug)
  OR (app, class) IN (SELECT s.app, s.class FROM app.audit_scopes() s WHERE NOT s.debug)
);

-- A debug log reads one module. Priority and trace stand behind the order, so that entries of others are passed over
-- within the index.
CREATE INDEX ON app.audit_log (org_id, app, module, event_time DESC, when_ns DESC, id DESC, pri, trace_id) WHERE type = 'D';
