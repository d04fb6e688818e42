-- Collections: what is kept in Redis, and how far it has come. The entries themselves are in Redis alone.

CREATE TABLE app.collections (
  org_id uuid NOT NULL REFERENCES app.orgs (id),
  id uuid NOT NULL DEFAULT uuidv7(),
  friendly_name text NOT NULL CHECK (length(friendly_name) BETWEEN 1 AND 240),
  description text CHECK (length(description) <= 240),
  query text NOT NULL,
  dataset text NOT NULL,
  time_column text NOT NULL,
  mode text NOT NULL CHECK (mode IN ('HASH', 'HASH_AND_CONTENT')),
  key_fields jsonb NOT NULL,
  value_fields jsonb NOT NULL,
  expire_in_seconds bigint NOT NULL CHECK (expire_in_seconds BETWEEN 1 AND 315360000),
  redis_key_base text NOT NULL,
  status text NOT NULL DEFAULT 'CREATED'
    CHECK (status IN ('CREATED', 'RUNNING', 'COMPLETED', 'STOPPED', 'RECONNECTING', 'PAUSED', 'REMOVED')),
  -- Counts the fills from history. Whoever works for an older run has no effect any more.
  run bigint NOT NULL DEFAULT 1,
  last_event_at timestamptz,
  events_sent bigint NOT NULL DEFAULT 0,
  -- As it was last seen, for the time when Redis does not answer.
  key_count bigint NOT NULL DEFAULT 0,
  errors text[] NOT NULL DEFAULT '{}',
  -- When a removed collection's keys had left Redis.
  cleared_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (org_id, id)
);
-- A removed collection gives its name free.
CREATE UNIQUE INDEX collections_name ON app.collections (org_id, friendly_name) WHERE status <> 'REMOVED';
CREATE INDEX collections_at_work ON app.collections (org_id)
  WHERE status IN ('CREATED', 'RECONNECTING', 'RUNNING') OR (status = 'REMOVED' AND cleared_at IS NULL);
ALTER TABLE app.collections ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.collections FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.collections
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE ON app.collections TO harborwatch_app;
-- The worker finds what there is to do in all organisations; it writes as one organisation at a time.
CREATE POLICY system_at_work ON app.collections FOR SELECT TO harborwatch_system
  USING (status IN ('CREATED', 'RECONNECTING', 'RUNNING') OR (status = 'REMOVED' AND cleared_at IS NULL));
GRANT SELECT ON app.collections TO harborwatch_system;
