-- What a submission may ask for beside its query, what a run tells of itself while it goes on, and what a result was made
-- of, so that an equal query can be answered with it.
ALTER TABLE app.jobs
  ADD COLUMN callback_url text, -- who is told of the end
  ADD COLUMN result_ttl_seconds integer NOT NULL DEFAULT 86400 CHECK (result_ttl_seconds > 0), -- the results' life after completion
  ADD COLUMN cancel_unasked_seconds integer CHECK (cancel_unasked_seconds > 0), -- cancelled once nobody asked for that long
  ADD COLUMN asked_at timestamptz NOT NULL DEFAULT now(), -- when somebody last asked, where cancel_unasked_seconds is set
  ADD COLUMN phase text, -- what a running attempt does
  ADD COLUMN is_exact boolean NOT NULL DEFAULT false, -- whether percent is a measure, and no guess
  ADD COLUMN covered_since timestamptz, -- the rows so far are of all events at or after this moment
  ADD COLUMN revision integer NOT NULL DEFAULT 0, -- of the rows so far: grows when they are replaced, and not when rows are added
  ADD COLUMN is_partial boolean NOT NULL DEFAULT false, -- completed by finalizeJob, with what was found until then
  ADD COLUMN result_of uuid, -- the job whose rows are this one's result
  ADD COLUMN reuse_key bytea, -- equal for queries that one result answers
  ADD COLUMN reuse_seconds integer, -- for how long after completion it does
  ADD COLUMN reads_datasets text[], -- what the query reads
  ADD COLUMN reads_from timestamptz, -- and of which event times; null where it is open
  ADD COLUMN reads_to timestamptz,
  ADD COLUMN feed_horizon xid8, -- the attempt's claim sees all transactions below it
  ADD COLUMN plan json, -- how it ran, of slow ones
  ADD FOREIGN KEY (org_id, result_of) REFERENCES app.jobs (org_id, id);
