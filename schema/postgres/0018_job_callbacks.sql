-- Calls that tell receivers of the ends of jobs, and what they are signed with.

CREATE TABLE app.job_callbacks (
  org_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT uuidv7(), -- the receiver's webhook-id: the same however often it is sent
  job_id uuid NOT NULL,
  url text NOT NULL,
  host text COLLATE "C" NOT NULL GENERATED ALWAYS AS (coalesce(substring(url FROM '^[^:]*:/*([^/?#]+)'), '')) STORED, -- shares what may be sent at once
  type text NOT NULL CHECK (type IN ('job.completed', 'job.failed', 'job.cancelled')),
  status text NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'DELIVERED', 'DEAD')),
  attempts integer NOT NULL DEFAULT 0, -- the fencing token: what becomes of an attempt is written with its number
  tries integer NOT NULL DEFAULT 0, -- attempts since trying_since
  trying_since timestamptz NOT NULL DEFAULT now(), -- when it was made, or last sent again by hand
  next_attempt_at timestamptz DEFAULT now(), -- while an attempt is under way: when that one counts as lost
  last_status_code smallint,
  last_error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  delivered_at timestamptz,
  died_at timestamptz,
  PRIMARY KEY (org_id, id),
  UNIQUE (org_id, job_id),
  FOREIGN KEY (org_id, job_id) REFERENCES app.jobs (org_id, id) ON DELETE CASCADE,
  CHECK ((status = 'PENDING') = (next_attempt_at IS NOT NULL)),
  CHECK ((status = 'DELIVERED') = (delivered_at IS NOT NULL)),
  CHECK ((status = 'DEAD') = (died_at IS NOT NULL))
);
CREATE INDEX job_callbacks_due ON app.job_callbacks (org_id, next_attempt_at) INCLUDE (id, host) WHERE status = 'PENDING';
CREATE INDEX job_callbacks_dead ON app.job_callbacks (org_id, died_at) WHERE status = 'DEAD';
CREATE INDEX job_callbacks_newest ON app.job_callbacks (org_id, created_at DESC, id DESC);
CREATE INDEX job_callbacks_newest_by_status ON app.job_callbacks (org_id, status, created_at DESC, id DESC);
ALTER TABLE app.job_callbacks ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.job_callbacks FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.job_callbacks
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY system_all ON app.job_callbacks TO harborwatch_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON app.job_callbacks TO harborwatch_app;
-- Whose turn it is, and no more: addresses are read inside their organisation.
GRANT SELECT (org_id, id, host, status, attempts, tries, next_attempt_at),
      INSERT (org_id, job_id, url, type),
      UPDATE (attempts, tries, next_attempt_at)
   ON app.job_callbacks TO harborwatch_system;

-- In the transaction that ends the job, whichever role and statement does it: no end is forgotten, none is told that is
-- undone. Terminal statuses are never left, so each job has one.
CREATE FUNCTION app.make_job_callback() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO app.job_callbacks (org_id, job_id, url, type)
  VALUES (NEW.org_id, NEW.id, NEW.callback_url, 'job.' || lower(NEW.status));
  RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION app.make_job_callback() FROM PUBLIC;
CREATE TRIGGER make_callback_at_end AFTER UPDATE OF status ON app.jobs FOR EACH ROW
  WHEN (NEW.callback_url IS NOT NULL AND NEW.status IN ('COMPLETED', 'FAILED', 'CANCELLED') AND OLD.status <> NEW.status)
  EXECUTE FUNCTION app.make_job_callback();
CREATE TRIGGER make_callback_at_birth AFTER INSERT ON app.jobs FOR EACH ROW -- a result that was there already
  WHEN (NEW.callback_url IS NOT NULL AND NEW.status IN ('COMPLETED', 'FAILED', 'CANCELLED'))
  EXECUTE FUNCTION app.make_job_callback();

-- What the secret of an organisation is derived with; the installation's API_KEY_SECRET is the other half.
CREATE TABLE app.callback_secrets (
  org_id uuid PRIMARY KEY REFERENCES app.orgs (id),
  salt bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  previous_salt bytea, -- signs beside the present one until previous_expires_at
  previous_expires_at timestamptz,
  CHECK ((previous_salt IS NULL) = (previous_expires_at IS NULL))
);
ALTER TABLE app.callback_secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.callback_secrets FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.callback_secrets
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE ON app.callback_secrets TO harborwatch_app;
