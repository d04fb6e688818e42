-- What a job's query reads beside its text, and what comes out of it beside rows.
ALTER TABLE app.jobs
  ADD COLUMN dataset text, -- the one that a search in OpenSearch's DSL reads
  ADD COLUMN range_from timestamptz,
  ADD COLUMN range_to timestamptz,
  ADD COLUMN render json, -- how the query's author would draw the result
  ADD COLUMN search json; -- what a search answers beside its hits: total, max_score, aggregations
