-- The ground that every domain stands on: schemas, organisations, accounts, ingest batches, change feed, outbox.
-- Runs as harborwatch_owner. The roles are made before the first migration (platform/postgres/roles.ts).

CREATE SCHEMA app;
CREATE SCHEMA q;  -- one security_invoker view per dataset and alias: all that a user's query can see
CREATE SCHEMA qb; -- the same views, cut down to one ingest batch

GRANT USAGE ON SCHEMA app TO harborwatch_app, harborwatch_system, harborwatch_query;
GRANT USAGE ON SCHEMA q, qb TO harborwatch_query;

-- ---------------------------------------------------------------- accounts
CREATE TABLE app.orgs (
  id uuid PRIMARY KEY DEFAULT uuidv7(),
  slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z][a-z0-9-]{1,62}$'),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  tier text NOT NULL DEFAULT 'BASIC' CHECK (tier IN ('BASIC', 'PRO', 'ENTERPRISE')),
  created_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE app.orgs ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.orgs FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.orgs USING (id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY system_all ON app.orgs TO harborwatch_system USING (true) WITH CHECK (true);
GRANT SELECT ON app.orgs TO harborwatch_app;
GRANT SELECT, INSERT, UPDATE ON app.orgs TO harborwatch_system;

CREATE TABLE app.users (
  id uuid NOT NULL DEFAULT uuidv7(),
  org_id uuid NOT NULL REFERENCES app.orgs (id),
  email text NOT NULL CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  password_hash text,
  roles text[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (org_id, id),
  UNIQUE (org_id, email)
);
CREATE INDEX users_email ON app.users (email);
ALTER TABLE app.users ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.users FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.users USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY system_all ON app.users TO harborwatch_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON app.users TO harborwatch_app;
GRANT SELECT, INSERT ON app.users TO harborwatch_system;

CREATE TABLE app.refresh_tokens (
  org_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT uuidv7(),
  user_id uuid NOT NULL,
  family uuid NOT NULL,
  token_hash bytea NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  revoked_at timestamptz,
  PRIMARY KEY (org_id, id),
  FOREIGN KEY (org_id, user_id) REFERENCES app.users (org_id, id) ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_family ON app.refresh_tokens (org_id, family);
ALTER TABLE app.refresh_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.refresh_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.refresh_tokens
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE ON app.refresh_tokens TO harborwatch_app;

-- ---------------------------------------------------------------- ingest
-- Unpartitioned, so that a batch sent twice is found whatever the time of its events.
CREATE TABLE app.ingest_batches (
  org_id uuid NOT NULL REFERENCES app.orgs (id),
  dataset text NOT NULL,
  batch_id text COLLATE "C" NOT NULL CHECK (length(batch_id) BETWEEN 1 AND 200),
  batch_no bigint GENERATED ALWAYS AS IDENTITY,
  accepted integer NOT NULL,
  rejected jsonb NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (org_id, dataset, batch_id)
);
ALTER TABLE app.ingest_batches ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.ingest_batches FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.ingest_batches
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE ON app.ingest_batches TO harborwatch_app;

CREATE TABLE app.change_feed (
  tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
  seq bigint GENERATED ALWAYS AS IDENTITY,
  org_id uuid NOT NULL,
  dataset text NOT NULL,
  batch_no bigint NOT NULL,
  min_time timestamptz NOT NULL,
  max_time timestamptz NOT NULL,
  minutes timestamptz[] NOT NULL,
  row_count integer NOT NULL,
  committed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tx, seq)
);
CREATE INDEX change_feed_dataset ON app.change_feed (org_id, dataset, tx, seq);
ALTER TABLE app.change_feed ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.change_feed FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.change_feed
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY system_read ON app.change_feed FOR SELECT TO harborwatch_system USING (true);
GRANT SELECT, INSERT ON app.change_feed TO harborwatch_app;
GRANT SELECT ON app.change_feed TO harborwatch_system;

CREATE TABLE app.outbox (
  tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
  seq bigint GENERATED ALWAYS AS IDENTITY,
  org_id uuid NOT NULL,
  type text NOT NULL,
  payload jsonb NOT NULL,
  committed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tx, seq)
);
ALTER TABLE app.outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.outbox
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY system_read ON app.outbox FOR SELECT TO harborwatch_system USING (true);
GRANT INSERT ON app.outbox TO harborwatch_app;
GRANT SELECT ON app.outbox TO harborwatch_system;

-- Where each consumer of a log stands. Holds nothing of any organisation.
CREATE TABLE app.checkpoints (
  log text NOT NULL,
  consumer text NOT NULL,
  tx xid8 NOT NULL DEFAULT '0',
  seq bigint NOT NULL DEFAULT 0,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (log, consumer)
);
GRANT SELECT, INSERT, UPDATE ON app.checkpoints TO harborwatch_system;

-- ---------------------------------------------------------------- partitions
-- Makes the monthly partition of an event table before an ingest needs it. LIKE and ATTACH, since PARTITION OF would
-- lock the parent against every reader for as long as the transaction lasts.
CREATE FUNCTION app.ensure_partition(dataset text, month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  first_day date := date_trunc('month', month)::date;
  name text := format('%s_y%sm%s', dataset, to_char(first_day, 'YYYY'), to_char(first_day, 'MM'));
BEGIN
  IF NOT EXISTS (SELECT FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
                  JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE n.nspname = 'app' AND c.relname = dataset) THEN
    RAISE EXCEPTION 'app.% is not a partitioned table', dataset;
  END IF;
  IF to_regclass(format('app.%I', name)) IS NOT NULL THEN RETURN false; END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('ensure_partition:' || dataset, 0));
  -- to_regclass would repeat its answer from the catalog cache, which waiting for an advisory lock does not freshen.
  IF EXISTS (SELECT FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relname = name) THEN RETURN false; END IF;
  IF (SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass(format('app.%I', dataset))) >= 1200 THEN
    RAISE EXCEPTION 'app.% has 1,200 partitions', dataset USING ERRCODE = 'HW001';
  END IF;
  EXECUTE format('CREATE TABLE app.%I (LIKE app.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', name, dataset);
  EXECUTE format('ALTER TABLE app.%I ATTACH PARTITION app.%I FOR VALUES FROM (%L) TO (%L)', dataset, name,
                 first_day::timestamp AT TIME ZONE 'UTC', (first_day + interval '1 month') AT TIME ZONE 'UTC');
  RETURN true;
END $$;
REVOKE ALL ON FUNCTION app.ensure_partition(text, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.ensure_partition(text, date) TO harborwatch_app;
