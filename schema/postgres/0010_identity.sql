-- Who may do what, and how it ends: capabilities beside roles, API keys, access that was taken back, limits of one's own.

-- What differs from the tier's limits and quotas, by their names (platform/org-limits.ts); null there means unlimited.
ALTER TABLE app.orgs ADD COLUMN limits jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(limits) = 'object');

ALTER TABLE app.users
  ADD COLUMN capabilities jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(capabilities) = 'array'), -- granted beside the roles
  ADD COLUMN access_version integer NOT NULL DEFAULT 1, -- grows whenever access tokens in hand must end
  ADD COLUMN disabled_at timestamptz,
  ADD COLUMN external_id text CHECK (length(external_id) BETWEEN 1 AND 1000), -- issuer and subject at an outside issuer
  ADD COLUMN is_service boolean NOT NULL DEFAULT false, -- stands behind API keys, no person
  ADD UNIQUE (org_id, external_id);

CREATE TABLE app.api_keys (
  org_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT uuidv7(),
  user_id uuid NOT NULL,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  kind text NOT NULL CHECK (kind IN ('BEARER', 'SIGNING')),
  secret_hash bytea NOT NULL, -- SHA-256; the secret has 256 bits of chance, so nothing slower is needed
  salt bytea,                 -- of a SIGNING key's secret, which is derived from the installation's API_KEY_SECRET
  capabilities jsonb NOT NULL CHECK (jsonb_typeof(capabilities) = 'array'),
  created_by uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  PRIMARY KEY (org_id, id),
  FOREIGN KEY (org_id, user_id) REFERENCES app.users (org_id, id) ON DELETE CASCADE,
  CHECK ((kind = 'SIGNING') = (salt IS NOT NULL))
);
ALTER TABLE app.api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.api_keys
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE ON app.api_keys TO harborwatch_app;

-- Access that ends before its tokens do. Rows go once no token that they are about can be alive.
CREATE TABLE app.access_revocations (
  org_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('SESSION', 'USER', 'API_KEY')),
  subject_id uuid NOT NULL,
  access_version integer, -- of a user: tokens of a lower version are refused; null for sessions and keys, which end whole
  revoked_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (org_id, kind, subject_id),
  CHECK ((kind = 'USER') = (access_version IS NOT NULL))
);
ALTER TABLE app.access_revocations ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.access_revocations FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.access_revocations
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY system_read ON app.access_revocations FOR SELECT TO harborwatch_system USING (true);
CREATE POLICY system_clean ON app.access_revocations FOR DELETE TO harborwatch_system USING (true);
GRANT SELECT, INSERT, UPDATE ON app.access_revocations TO harborwatch_app;
GRANT SELECT, DELETE ON app.access_revocations TO harborwatch_system;

-- The making and changing of organisations is told in the transaction that does it.
CREATE POLICY system_write ON app.outbox FOR INSERT TO harborwatch_system WITH CHECK (true);
GRANT INSERT ON app.outbox TO harborwatch_system;
