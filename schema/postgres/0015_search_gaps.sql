-- Where OpenSearch lacks events that it refused: queries on that dataset of the organisation run in PostgreSQL as long as a
-- row says so. A rebuild that succeeds ends it, since its generation of indexes has rows of its own.
CREATE TABLE app.search_gaps (
  org_id uuid NOT NULL,
  dataset text NOT NULL,
  generation integer NOT NULL,
  event_id uuid NOT NULL, -- one of them; the log names them all
  noticed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (org_id, dataset, generation)
);
ALTER TABLE app.search_gaps ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.search_gaps FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON app.search_gaps
  USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid));
CREATE POLICY system_all ON app.search_gaps TO harborwatch_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, DELETE ON app.search_gaps TO harborwatch_system;
