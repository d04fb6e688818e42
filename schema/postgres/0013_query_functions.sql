-- What queries compute and PostgreSQL has no function for, as Kusto's documentation defines it. They read no table, run with
-- the caller's rights and give null where there is no answer; bad texts never end a query. Those that look whether a text is
-- valid and then cast it are in plpgsql: in SQL the planner would try the cast of a constant before the look. A function that
-- calls STABLE ones of PostgreSQL's, as all that depend on the time zone, is STABLE itself, or it would not be inlined.

CREATE SCHEMA fn;
GRANT USAGE ON SCHEMA fn TO harborwatch_query;

-- ---------------------------------------------------------------- operators

CREATE FUNCTION fn.equals(a anycompatible, b anycompatible) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN a IS NULL AND b IS NULL THEN NULL ELSE a IS NOT DISTINCT FROM b END
$$;

CREATE FUNCTION fn.equals(a double precision, b double precision) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN a IS NULL AND b IS NULL THEN NULL ELSE a IS NOT DISTINCT FROM b AND a <> 'NaN' END
$$;

-- Kusto's moments: the years 1 to 9999. Compared before the sum is made, which PostgreSQL may not be able to hold.
CREATE FUNCTION fn.shift(moment timestamptz, distance interval) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN distance >= timestamptz '0001-01-01 00:00:00+00' - moment AND distance < timestamptz '10000-01-01 00:00:00+00' - moment
              THEN moment + distance END
$$;

CREATE FUNCTION fn.valid_moment(moment timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN moment >= timestamptz '0001-01-01 00:00:00+00' AND moment < timestamptz '10000-01-01 00:00:00+00' THEN moment END
$$;

-- IEEE 754, where PostgreSQL has an error.
CREATE FUNCTION fn.divide(a double precision, b double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN b <> 0 THEN a / b
              WHEN a IS NULL OR b IS NULL THEN NULL
              WHEN a = 0 OR a = 'NaN' THEN 'NaN'::float8
              WHEN (a > 0) = (b::text = '0') THEN 'Infinity' ELSE '-Infinity' END
$$;

-- Never negative, whatever the signs are.
CREATE FUNCTION fn.modulo(a bigint, b bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN b = 0 THEN NULL WHEN a % b < 0 THEN a % b + abs(b) ELSE a % b END
$$;
CREATE FUNCTION fn.modulo(a numeric, b numeric) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN b = 0 THEN NULL WHEN a % b < 0 THEN a % b + abs(b) ELSE a % b END
$$;
CREATE FUNCTION fn.modulo(a double precision, b double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN b = 0 OR abs(a) = 'Infinity' THEN 'NaN'::float8 WHEN abs(b) = 'Infinity' THEN a ELSE a - abs(b) * floor(a / abs(b)) END
$$;

-- Whole microseconds of a length of time, which has no months.
CREATE FUNCTION fn.microseconds(distance interval) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (extract(epoch FROM distance) * 1000000)::bigint
$$;
CREATE FUNCTION fn.timespan(microseconds bigint) RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT make_interval(days => (microseconds / 86400000000)::int, secs => (microseconds % 86400000000)::float8 / 1000000)
$$;
CREATE FUNCTION fn.modulo(a interval, b interval) RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT fn.timespan(fn.modulo(fn.microseconds(a), fn.microseconds(b)))
$$;
CREATE FUNCTION fn.abs(distance interval) RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN distance < interval '0' THEN - distance ELSE distance END
$$;

-- A word as a regular expression whose ends, where they are letters or digits, are those of a term.
CREATE FUNCTION fn.term_pattern(word text, at_begin boolean, at_end boolean) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN at_begin AND word ~ '^[A-Za-z0-9]' THEN '(?<![A-Za-z0-9])' ELSE '' END
      || regexp_replace(word, '([\u0021-\u002f\u003a-\u0040\u005b-\u005e\u0060\u007b-\u007e])', '\\\1', 'g')
      || CASE WHEN at_end AND word ~ '[A-Za-z0-9]$' THEN '(?![A-Za-z0-9])' ELSE '' END
$$;

-- ---------------------------------------------------------------- numbers

CREATE FUNCTION fn.bin(value bigint, size bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN size > 0 THEN value - fn.modulo(value, size) END
$$;
CREATE FUNCTION fn.bin(value double precision, size double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN size > 0 THEN floor(value / size) * size END
$$;
CREATE FUNCTION fn.bin(value numeric, size numeric) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN size > 0 THEN value - fn.modulo(value, size) END
$$;
CREATE FUNCTION fn.bin(value interval, size interval) RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN size > interval '0' THEN fn.timespan(fn.bin(fn.microseconds(value), fn.microseconds(size))) END
$$;
CREATE FUNCTION fn.bin(value timestamptz, size interval) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN size > interval '0' THEN date_bin(size, value, timestamptz '0001-01-01 00:00:00+00') END
$$;

CREATE FUNCTION fn.bin_at(value bigint, size bigint, point bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT point + fn.bin(value - point, size)
$$;
CREATE FUNCTION fn.bin_at(value double precision, size double precision, point double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT point + fn.bin(value - point, size)
$$;
CREATE FUNCTION fn.bin_at(value numeric, size numeric, point numeric) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT point + fn.bin(value - point, size)
$$;
CREATE FUNCTION fn.bin_at(value interval, size interval, point interval) RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT point + fn.bin(value - point, size)
$$;
CREATE FUNCTION fn.bin_at(value timestamptz, size interval, point timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN size > interval '0' THEN fn.valid_moment(date_bin(size, value, point)) END
$$;

-- Halves away from zero. Beyond 2^52 a number has no fraction to round.
CREATE FUNCTION fn.round(value double precision, digits bigint) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN value IS NULL OR digits IS NULL THEN NULL
              WHEN digits NOT BETWEEN -300 AND 22 OR value = 'NaN' OR abs(value) * power(10::float8, digits) >= 4503599627370496 THEN value
              ELSE sign(value) * floor(abs(value) * power(10::float8, digits) + 0.5) / power(10::float8, digits) END
$$;
CREATE FUNCTION fn.round(value numeric, digits bigint) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT round(value, least(greatest(digits, -1000), 1000)::int)
$$;

CREATE FUNCTION fn.exp(value double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN value > 709.782712893384 AND value <> 'NaN' THEN 'Infinity'::float8 WHEN value < -745.13 THEN 0::float8 ELSE exp(value) END
$$;
CREATE FUNCTION fn.log(value double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN value > 0 THEN ln(value) END
$$;
CREATE FUNCTION fn.log10(value double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN value > 0 THEN log(value) END
$$;
-- The quotient of two logarithms misses powers of two by a bit.
CREATE FUNCTION fn.log2(value double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN value > 0 AND value < 'Infinity' THEN
           CASE WHEN abs(ln(value)) < 709 AND power(2::float8, round(ln(value) / ln(2::float8))) = value
                THEN round(ln(value) / ln(2::float8)) ELSE ln(value) / ln(2::float8) END
              WHEN value > 0 THEN value END
$$;
CREATE FUNCTION fn.sqrt(value double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN value >= 0 THEN sqrt(value) END
$$;
CREATE FUNCTION fn.asin(value double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN value BETWEEN -1 AND 1 THEN asin(value) END
$$;
CREATE FUNCTION fn.acos(value double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN value BETWEEN -1 AND 1 THEN acos(value) END
$$;
CREATE FUNCTION fn.pow(base double precision, exponent double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN base = 0 AND exponent < 0 THEN 'Infinity'::float8
              WHEN base < 0 AND abs(exponent) < 'Infinity' AND exponent <> trunc(exponent) THEN NULL
              WHEN abs(base) > 0 AND abs(base) < 'Infinity' AND abs(exponent) < 'Infinity' AND exponent * ln(abs(base)) > 709.78 THEN
                CASE WHEN base < 0 AND exponent / 2 <> trunc(exponent / 2) THEN '-Infinity'::float8 ELSE 'Infinity'::float8 END
              WHEN abs(base) > 0 AND abs(base) < 'Infinity' AND abs(exponent) < 'Infinity' AND exponent * ln(abs(base)) < -745 THEN 0::float8
              ELSE power(base, exponent) END
$$;
CREATE FUNCTION fn.shift_bits(value bigint, places bigint, to_left boolean) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN places < 0 THEN NULL WHEN to_left THEN value << (places % 64)::int ELSE value >> (places % 64)::int END
$$;

-- ---------------------------------------------------------------- conversions

CREATE FUNCTION fn.to_int(value bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN value BETWEEN -2147483648 AND 2147483647 THEN value END
$$;
CREATE FUNCTION fn.to_long(value text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF value !~ '^[ \t]*([+-]?[0-9]{1,19}|0[xX][0-9a-fA-F]{1,16})[ \t]*$' THEN RETURN NULL; END IF;
  value := btrim(value, E' \t');
  IF pg_input_is_valid(value, 'bigint') THEN RETURN value::bigint; END IF;
  RETURN NULL;
END
$$;
CREATE FUNCTION fn.to_long(value double precision) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN value >= -9223372036854775808::float8 AND value < 9223372036854775808::float8 THEN trunc(value)::bigint END
$$;
CREATE FUNCTION fn.to_long(value numeric) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN trunc(value) BETWEEN -9223372036854775808 AND 9223372036854775807 THEN trunc(value)::bigint END
$$;
CREATE FUNCTION fn.to_real(value text) RETURNS double precision LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF value !~* '^[ \t]*([+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|nan|[+-]?inf(inity)?)[ \t]*$' THEN RETURN NULL; END IF;
  value := btrim(value, E' \t');
  IF pg_input_is_valid(value, 'double precision') THEN RETURN value::double precision; END IF;
  RETURN NULL;
END
$$;
CREATE FUNCTION fn.to_decimal(value text) RETURNS numeric LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF value !~* '^[ \t]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,3})?[ \t]*$' THEN RETURN NULL; END IF;
  value := btrim(value, E' \t');
  IF pg_input_is_valid(value, 'numeric') THEN RETURN value::numeric; END IF;
  RETURN NULL;
END
$$;
CREATE FUNCTION fn.to_bool(value text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE lower(btrim(value)) WHEN 'true' THEN true WHEN 'false' THEN false ELSE fn.to_long(value) <> 0 END
$$;
CREATE FUNCTION fn.to_guid(value text) RETURNS uuid LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  value := btrim(value);
  IF pg_input_is_valid(value, 'uuid') THEN RETURN value::uuid; END IF;
  RETURN NULL;
END
$$;
CREATE FUNCTION fn.from_epoch(microseconds numeric) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN microseconds >= -62135596800000000 AND microseconds < 253402300800000000 AND microseconds <> 'NaN'
              THEN timestamptz '1970-01-01 00:00:00+00' + fn.timespan(floor(microseconds)::bigint) END
$$;
-- Ticks of 100 ns since the year 1.
CREATE FUNCTION fn.from_ticks(ticks bigint) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT fn.from_epoch(ticks / 10 - 62135596800000000)
$$;

CREATE FUNCTION fn.make_datetime(year bigint, month bigint, day bigint, hour bigint, minute bigint, second double precision)
RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN year BETWEEN 1 AND 9999 AND month BETWEEN 1 AND 12 AND hour BETWEEN 0 AND 23 AND minute BETWEEN 0 AND 59
                   AND second >= 0 AND second < 60
                   AND day BETWEEN 1 AND CASE WHEN month IN (4, 6, 9, 11) THEN 30 WHEN month <> 2 THEN 31
                                              WHEN year % 4 = 0 AND (year % 100 <> 0 OR year % 400 = 0) THEN 29 ELSE 28 END
              THEN make_timestamptz(year::int, month::int, day::int, hour::int, minute::int, 0, 'UTC')
                   + make_interval(secs => trunc(second * 1000000) / 1000000) END
$$;

-- ISO 8601, RFC 822 and RFC 850 as the datetime type's page lists them. Digits beyond microseconds are cut off.
CREATE FUNCTION fn.to_datetime(value text) RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  parts text[];
  month int;
  year int;
  moment timestamptz;
  zone text;
BEGIN
  IF value ~ '^\d{4}-\d\d-\d\d[T ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?Z$' AND pg_input_is_valid(value, 'timestamptz') THEN
    RETURN fn.valid_moment(value::timestamptz);
  END IF;
  parts := regexp_match(value, '^\s*(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt]|\s+)(\d{1,2}):(\d{2})(?::(\d{2})(\.\d+)?)?)?\s*([Zz]|GMT|UTC|[+-]\d{2}(?::?\d{2})?)?\s*$');
  IF parts IS NOT NULL THEN
    year := parts[1]; month := parts[2];
  ELSIF value ~ '^\s*\d{1,2}/\d{1,2}/\d{4}' THEN
    -- Month, day and year, as the documentation of `parse` has them.
    parts := regexp_match(value, '^\s*(\d{1,2})/(\d{1,2})/(\d{4})(?:\s+(\d{1,2}):(\d{2})(?::(\d{2})(\.\d+)?)?)?\s*([Zz])?\s*$');
    IF parts IS NULL THEN RETURN NULL; END IF;
    year := parts[3]; month := parts[1];
    parts[3] := parts[2];
  ELSE
    parts := regexp_match(value, '^\s*(?:[A-Za-z]{3,9},?\s+)?(\d{1,2})[ -]([A-Za-z]{3})[ -](\d{4}|\d{2})\s+(\d{1,2}):(\d{2})(?::(\d{2})(\.\d+)?)?\s*([Zz]|GMT|UTC|[+-]\d{2}:?\d{2})?\s*$');
    IF parts IS NULL THEN RETURN NULL; END IF;
    month := (strpos('janfebmaraprmayjunjulaugsepoctnovdec', lower(parts[2])) + 2) / 3.0;
    IF month = 0 OR strpos('janfebmaraprmayjunjulaugsepoctnovdec', lower(parts[2])) % 3 <> 1 THEN RETURN NULL; END IF;
    year := parts[3];
    IF length(parts[3]) = 2 THEN year := year + CASE WHEN year < 50 THEN 2000 ELSE 1900 END; END IF;
    parts[3] := parts[1];
  END IF;
  moment := fn.make_datetime(year, month, parts[3]::int, coalesce(parts[4], '0')::int, coalesce(parts[5], '0')::int, coalesce(parts[6], '0')::int);
  IF parts[7] IS NOT NULL THEN
    moment := moment + make_interval(secs => rpad(substr(parts[7], 2, 6), 6, '0')::float8 / 1000000);
  END IF;
  zone := parts[8];
  IF zone ~ '^[+-]' THEN
    zone := replace(zone, ':', '');
    IF substr(zone, 2, 2)::int > 14 OR coalesce(nullif(substr(zone, 4), ''), '0')::int > 59 THEN RETURN NULL; END IF;
    moment := moment - (CASE WHEN zone LIKE '-%' THEN -1 ELSE 1 END)
              * make_interval(hours => substr(zone, 2, 2)::int, mins => coalesce(nullif(substr(zone, 4), ''), '0')::int);
  END IF;
  RETURN fn.valid_moment(moment);
END
$$;

-- `[-][d.]hh:mm[:ss[.fffffff]]`, whole days, or a number with a unit, within Kusto's 64 bits of ticks.
CREATE FUNCTION fn.to_timespan(value text) RETURNS interval LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  parts text[];
  total numeric;
BEGIN
  parts := regexp_match(value, '^\s*(-)?(?:(\d{1,8})\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?\s*$');
  IF parts IS NOT NULL THEN
    IF parts[3]::int > 23 OR parts[4]::int > 59 OR coalesce(parts[5], '0')::int > 59 THEN RETURN NULL; END IF;
    total := coalesce(parts[2], '0')::numeric * 86400000000 + parts[3]::numeric * 3600000000 + parts[4]::numeric * 60000000
             + coalesce(parts[5], '0')::numeric * 1000000 + trunc(rpad(coalesce(parts[6], ''), 7, '0')::numeric / 10);
  ELSE
    parts := regexp_match(value, '^\s*(-)?(\d{1,19}(?:\.\d{1,15})?)\s*(d|days?|h|hours?|hrs?|m|minutes?|min|s|seconds?|sec|ms|milliseconds?|micros|microseconds?|ticks?)?\s*$');
    IF parts IS NULL THEN RETURN NULL; END IF;
    total := trunc(parts[2]::numeric * CASE WHEN parts[3] IS NULL OR parts[3] LIKE 'd%' THEN 86400000000 WHEN parts[3] LIKE 'h%' THEN 3600000000
                                            WHEN parts[3] LIKE 'micros%' THEN 1 WHEN parts[3] = 'ms' OR parts[3] LIKE 'milli%' THEN 1000
                                            WHEN parts[3] LIKE 'm%' THEN 60000000 WHEN parts[3] LIKE 's%' THEN 1000000 ELSE 0.1 END);
  END IF;
  IF total > 922337203685477580 THEN RETURN NULL; END IF;
  RETURN fn.timespan((CASE WHEN parts[1] = '-' THEN - total ELSE total END)::bigint);
END
$$;

-- `[-][d.]hh:mm:ss[.fffffff]`
CREATE FUNCTION fn.timespan_text(distance interval) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  total bigint := fn.microseconds(distance);
  rest bigint := abs(total) % 86400000000;
BEGIN
  RETURN CASE WHEN total < 0 THEN '-' ELSE '' END
      || CASE WHEN abs(total) >= 86400000000 THEN abs(total) / 86400000000 || '.' ELSE '' END
      || lpad((rest / 3600000000)::text, 2, '0') || ':' || lpad((rest / 60000000 % 60)::text, 2, '0') || ':' || lpad((rest / 1000000 % 60)::text, 2, '0')
      || CASE WHEN rest % 1000000 > 0 THEN '.' || lpad((rest % 1000000)::text, 6, '0') || '0' ELSE '' END;
END
$$;

-- JSON without the spaces that PostgreSQL writes behind commas and colons. Texts are passed over as a whole.
CREATE FUNCTION fn.json_text(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN jsonb_typeof(value) IN ('object', 'array')
              THEN regexp_replace(value::text, '("(?:[^"\\]|\\.)*")|([:,]) ', '\1\2', 'g') ELSE value #>> '{}' END
$$;
CREATE FUNCTION fn.parse_json(value text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF value = '' THEN RETURN NULL; END IF;
  IF pg_input_is_valid(value, 'jsonb') THEN RETURN nullif(value::jsonb, 'null'); END IF;
  RETURN to_jsonb(value);
END
$$;
CREATE FUNCTION fn.json_number(value jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE jsonb_typeof(value) WHEN 'number' THEN value::numeric WHEN 'string' THEN fn.to_decimal(value #>> '{}')
              WHEN 'boolean' THEN value::boolean::int END
$$;
CREATE FUNCTION fn.json_real(value jsonb) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE jsonb_typeof(value) WHEN 'boolean' THEN value::boolean::int ELSE CASE WHEN jsonb_typeof(value) IN ('number', 'string') THEN fn.to_real(value #>> '{}') END END
$$;
CREATE FUNCTION fn.json_long(value jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE jsonb_typeof(value) WHEN 'number' THEN fn.to_long(value::numeric) WHEN 'string' THEN fn.to_long(value #>> '{}')
              WHEN 'boolean' THEN value::boolean::int END
$$;
CREATE FUNCTION fn.json_bool(value jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE jsonb_typeof(value) WHEN 'boolean' THEN value::boolean WHEN 'number' THEN value::numeric <> 0 WHEN 'string' THEN fn.to_bool(value #>> '{}') END
$$;
CREATE FUNCTION fn.json_datetime(value jsonb) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE jsonb_typeof(value) WHEN 'string' THEN fn.to_datetime(value #>> '{}') WHEN 'number' THEN fn.from_ticks(fn.to_long(value::numeric)) END
$$;
CREATE FUNCTION fn.json_timespan(value jsonb) RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE jsonb_typeof(value) WHEN 'string' THEN fn.to_timespan(value #>> '{}') WHEN 'number' THEN fn.timespan(fn.to_long(value::numeric) / 10) END
$$;
CREATE FUNCTION fn.json_type(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE jsonb_typeof(value) WHEN 'object' THEN 'dictionary' WHEN 'boolean' THEN 'bool' WHEN 'number' THEN
           CASE WHEN value::text !~ '^-?[0-9]+$' THEN 'real' WHEN value::numeric BETWEEN -2147483648 AND 2147483647 THEN 'int' ELSE 'long' END
         ELSE coalesce(jsonb_typeof(value), 'null') END
$$;
CREATE FUNCTION fn.pad(digits text, width bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN width > length(digits) THEN lpad(digits, least(width, 1024)::int, '0') ELSE digits END
$$;

-- ---------------------------------------------------------------- texts

CREATE FUNCTION fn.substring(value text, start bigint, size bigint DEFAULT 2147483647) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT substr(value, least(CASE WHEN start < 0 THEN greatest(length(value) + start, 0) ELSE start END + 1, 2147483647)::int,
                greatest(least(size, 1073741823), 0)::int)
$$;
-- Each further occurrence is searched in as many characters again: the documentation's example with an occurrence takes that.
CREATE FUNCTION fn.index_of(value text, wanted text, start bigint, size bigint, occurrence bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  found int;
  at bigint := start;
BEGIN
  IF start < 0 OR occurrence < 1 OR size < -1 THEN RETURN NULL; END IF;
  LOOP
    IF at > length(value) THEN RETURN -1; END IF;
    found := strpos(fn.substring(value, at, CASE WHEN size = -1 THEN 2147483647 ELSE size END), wanted);
    IF found = 0 THEN RETURN -1; END IF;
    occurrence := occurrence - 1;
    IF occurrence = 0 THEN RETURN at + found - 1; END IF;
    at := at + found;
  END LOOP;
END
$$;
CREATE FUNCTION fn.count_of(value text, wanted text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  rest text := value;
  found int;
  total bigint := 0;
BEGIN
  IF wanted = '' THEN RETURN 0; END IF;
  LOOP
    found := strpos(rest, wanted);
    IF found = 0 THEN RETURN total; END IF;
    total := total + 1;
    rest := substr(rest, found + 1);
  END LOOP;
END
$$;
CREATE FUNCTION fn.split(value text, delimiter text) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN value = '' THEN '[""]' ELSE to_jsonb(string_to_array(value, delimiter)) END
$$;
CREATE FUNCTION fn.only_element(list jsonb, index bigint) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN index < 0 OR index >= jsonb_array_length(list) THEN '[]' ELSE jsonb_build_array(list -> index::int) END
$$;
CREATE FUNCTION fn.strrep(value text, times bigint, delimiter text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT array_to_string(array_fill(value, ARRAY[greatest(least(times, 1024), 0)::int]), delimiter)
$$;
CREATE FUNCTION fn.strcmp(a text, b text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN a COLLATE "C" < b THEN -1 WHEN a = b THEN 0 ELSE 1 END
$$;

-- Every match from left to right: of each the groups, 0 being the whole. `tail` is the pattern's group of what follows the match,
-- or 0. A match of nothing right behind another one does not count.
CREATE FUNCTION fn.regex_matches(value text, pattern text, tail int, groups int[]) RETURNS text[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  found text[];
  at int := 1;
  first int;
  past int;
  last_past int := 0;
  wanted int;
  part int;
BEGIN
  WHILE at <= length(value) + 1 LOOP
    first := regexp_instr(value, pattern, at);
    EXIT WHEN first = 0;
    past := CASE WHEN tail = 0 THEN regexp_instr(value, pattern, at, 1, 1) ELSE regexp_instr(value, pattern, at, 1, 0, '', tail) END;
    IF past > first OR first <> last_past THEN
      FOREACH wanted IN ARRAY groups LOOP
        IF wanted = 0 THEN
          found := found || substr(value, first, past - first);
        ELSE
          part := regexp_instr(value, pattern, at, 1, 0, '', wanted);
          found := found || CASE WHEN part = 0 THEN '' ELSE substr(value, part, regexp_instr(value, pattern, at, 1, 1, '', wanted) - part) END;
        END IF;
      END LOOP;
      last_past := past;
    END IF;
    at := CASE WHEN past > first THEN past ELSE first + 1 END;
  END LOOP;
  RETURN found;
END
$$;
CREATE FUNCTION fn.regex_match(value text, pattern text, tail int) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  first int := regexp_instr(value, pattern);
BEGIN
  IF coalesce(first, 0) = 0 THEN RETURN ''; END IF;
  RETURN substr(value, first, CASE WHEN tail = 0 THEN regexp_instr(value, pattern, 1, 1, 1) ELSE regexp_instr(value, pattern, 1, 1, 0, '', tail) END - first);
END
$$;
CREATE FUNCTION fn.regex_tail(value text, pattern text, tail int) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (regexp_match(value, pattern))[tail]
$$;
-- The replacement is fixed texts and, where those are null, groups.
CREATE FUNCTION fn.regex_replace(value text, pattern text, tail int, fixed text[], groups int[]) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  result text := '';
  at int := 1;
  kept int := 1;
  first int;
  past int;
  last_past int := 0;
  part int;
BEGIN
  WHILE at <= length(value) + 1 LOOP
    first := regexp_instr(value, pattern, at);
    EXIT WHEN first = 0;
    past := CASE WHEN tail = 0 THEN regexp_instr(value, pattern, at, 1, 1) ELSE regexp_instr(value, pattern, at, 1, 0, '', tail) END;
    IF past > first OR first <> last_past THEN
      result := result || substr(value, kept, first - kept);
      FOR i IN 1 .. coalesce(array_length(fixed, 1), 0) LOOP
        IF fixed[i] IS NOT NULL THEN
          result := result || fixed[i];
        ELSIF groups[i] = 0 THEN
          result := result || substr(value, first, past - first);
        ELSE
          part := regexp_instr(value, pattern, at, 1, 0, '', groups[i]);
          IF part > 0 THEN result := result || substr(value, part, regexp_instr(value, pattern, at, 1, 1, '', groups[i]) - part); END IF;
        END IF;
      END LOOP;
      kept := past;
      last_past := past;
    END IF;
    at := CASE WHEN past > first THEN past ELSE first + 1 END;
  END LOOP;
  RETURN result || substr(value, kept);
END
$$;
CREATE FUNCTION fn.rows_of(texts text[], width int) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT jsonb_agg(to_jsonb(texts[n : n + width - 1]) ORDER BY n) FROM generate_series(1, cardinality(texts), width) n
$$;

-- The bytes of well-formed UTF-8 as a text, or null; PostgreSQL’s own conversion ends the query. Latin 1 shows every byte as a character.
CREATE FUNCTION fn.utf8(bytes bytea) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF position('\x00'::bytea IN bytes) > 0 THEN RETURN NULL; END IF;
  IF convert_from(bytes, 'LATIN1') ~ ('^(?:[\u0001-\u007f]|[\u00c2-\u00df][\u0080-\u00bf]|\u00e0[\u00a0-\u00bf][\u0080-\u00bf]'
                || '|[\u00e1-\u00ec\u00ee\u00ef][\u0080-\u00bf]{2}|\u00ed[\u0080-\u009f][\u0080-\u00bf]|\u00f0[\u0090-\u00bf][\u0080-\u00bf]{2}'
                || '|[\u00f1-\u00f3][\u0080-\u00bf]{3}|\u00f4[\u0080-\u008f][\u0080-\u00bf]{2})*$') THEN RETURN convert_from(bytes, 'UTF8'); END IF;
  RETURN NULL;
END
$$;
CREATE FUNCTION fn.base64(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT translate(encode(convert_to(value, 'UTF8'), 'base64'), E'\n', '')
$$;
CREATE FUNCTION fn.base64_bytes(value text) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN value ~ '^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$' THEN decode(value, 'base64') END
$$;
CREATE FUNCTION fn.byte_array(bytes bytea) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN bytes IS NOT NULL THEN (SELECT coalesce(jsonb_agg(get_byte(bytes, n) ORDER BY n), '[]') FROM generate_series(0, length(bytes) - 1) n) END
$$;
-- The first three parts of a guid's bytes are little-endian.
CREATE FUNCTION fn.guid_of(bytes bytea) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN length(bytes) = 16 THEN encode(reverse(substr(bytes, 1, 4)) || reverse(substr(bytes, 5, 2)) || reverse(substr(bytes, 7, 2)) || substr(bytes, 9), 'hex')::uuid END
$$;
CREATE FUNCTION fn.code_points(value text) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(jsonb_agg(ascii(c) ORDER BY n), '[]') FROM string_to_table(value, NULL) WITH ORDINALITY AS t (c, n)
$$;
CREATE FUNCTION fn.from_code_points(lists jsonb[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(string_agg(chr(fn.json_long(p)::int), '' ORDER BY n, m), '')
    FROM unnest(lists) WITH ORDINALITY AS l (list, n),
         jsonb_array_elements(CASE WHEN jsonb_typeof(list) = 'array' THEN list ELSE jsonb_build_array(list) END) WITH ORDINALITY AS e (p, m)
   WHERE fn.json_long(p) BETWEEN 1 AND 1114111 AND fn.json_long(p) NOT BETWEEN 55296 AND 57343
$$;
CREATE FUNCTION fn.url_encode(value text, space text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(string_agg(CASE WHEN c ~ '^[A-Za-z0-9_.!*()-]$' THEN c WHEN c = ' ' THEN space
                                  ELSE regexp_replace(encode(convert_to(c, 'UTF8'), 'hex'), '(..)', '%\1', 'g') END, '' ORDER BY n), '')
    FROM string_to_table(value, NULL) WITH ORDINALITY AS t (c, n)
$$;
CREATE FUNCTION fn.url_decode(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN value !~ '[%+]' THEN value ELSE
    (SELECT coalesce(string_agg(CASE WHEN m[1] LIKE '\%__%' AND m[1] ~ '^(%[0-9A-Fa-f]{2})+$' THEN coalesce(fn.utf8(decode(replace(m[1], '%', ''), 'hex')), m[1])
                                     ELSE replace(m[1], '+', ' ') END, '' ORDER BY n), '')
       FROM regexp_matches(value, '((?:%[0-9A-Fa-f]{2})+|[^%]+|%)', 'g') WITH ORDINALITY AS t (m, n)) END
$$;
CREATE FUNCTION fn.query_parameters(query text) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(jsonb_object_agg(split_part(p, '=', 1), CASE WHEN strpos(p, '=') > 0 THEN substr(p, strpos(p, '=') + 1) ELSE '' END), '{}')
    FROM string_to_table(query, '&') AS p WHERE p <> ''
$$;
CREATE FUNCTION fn.parse_urlquery(value text) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT jsonb_build_object('Query Parameters', fn.query_parameters(value))
$$;
CREATE FUNCTION fn.parse_url(value text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  p text[] := regexp_match(value, '^(?:([A-Za-z][A-Za-z0-9+.-]*)://(?:([^/?#@:]*)(?::([^/?#@]*))?@)?(\[[^\]/?#]*\]|[^/?#:]*)(?::([0-9]*))?)?/?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$');
BEGIN
  IF p[1] IS NULL AND value !~ '^\?' THEN p := ARRAY['', '', '', '', '', '', '', '']; END IF;
  RETURN jsonb_build_object('Scheme', coalesce(p[1], ''), 'Host', coalesce(p[4], ''), 'Port', coalesce(p[5], ''), 'Path', coalesce(p[6], ''),
    'Username', coalesce(p[2], ''), 'Password', coalesce(p[3], ''), 'Query Parameters', fn.query_parameters(coalesce(p[7], '')), 'Fragment', coalesce(p[8], ''));
END
$$;
CREATE FUNCTION fn.parse_path(value text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  scheme text := coalesce(substring(value, '^([A-Za-z][A-Za-z0-9+.-]+)://'), '');
  path text := CASE WHEN scheme = '' THEN value ELSE substr(value, length(scheme) + 4) END;
  root text := coalesce(substring(path, '^(?:\\\\[?.]\\)?([A-Za-z]:)'), '');
  name text := coalesce(substring(path, '([^\\/]*)$'), '');
  stream text := '';
  directory text := left(path, length(path) - length(name));
BEGIN
  IF name ~ '^[A-Za-z]:$' AND directory = '' THEN directory := name; name := ''; END IF;
  IF strpos(name, ':') > 0 THEN stream := substr(name, strpos(name, ':') + 1); name := left(name, strpos(name, ':') - 1); END IF;
  directory := regexp_replace(directory, '[\\/]$', '');
  RETURN jsonb_build_object('Scheme', scheme, 'RootPath', root, 'DirectoryPath', directory, 'DirectoryName', coalesce(substring(directory, '([^\\/:]+)$'), ''),
    'Filename', name, 'Extension', coalesce(substring(name, '\.([^.]*)$'), ''), 'AlternateDataStreamName', stream);
END
$$;
-- The first record: fields between commas, quoted ones with doubled quotes in them.
CREATE FUNCTION fn.parse_csv(value text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  fields text[] := '{}';
  rest text := value;
  field text;
BEGIN
  LOOP
    field := substring(rest, '^"((?:[^"]|"")*)"');
    IF field IS NOT NULL THEN
      rest := substr(rest, length(field) + 3);
      field := replace(field, '""', '"') || substring(rest, '^[^,\r\n]*');
      rest := substr(rest, length(substring(rest, '^[^,\r\n]*')) + 1);
    ELSE
      field := substring(rest, '^[^,\r\n]*');
      rest := substr(rest, length(field) + 1);
    END IF;
    fields := fields || field;
    EXIT WHEN left(rest, 1) <> ',' OR rest = '';
    rest := substr(rest, 2);
  END LOOP;
  RETURN to_jsonb(fields);
END
$$;
CREATE FUNCTION fn.parse_version(value text) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN value ~ '^[0-9]{1,8}(\.[0-9]{1,8}){0,3}$' THEN
    split_part(value, '.', 1)::numeric * 1000000000000000000000000 + coalesce(nullif(split_part(value, '.', 2), ''), '0')::numeric * 10000000000000000
    + coalesce(nullif(split_part(value, '.', 3), ''), '0')::numeric * 100000000 + coalesce(nullif(split_part(value, '.', 4), ''), '0')::numeric END
$$;

-- ---------------------------------------------------------------- moments

CREATE FUNCTION fn.week_of(moment timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT date_bin(interval '7 days', moment, timestamptz '2000-01-02 00:00:00+00')
$$;
CREATE FUNCTION fn.add_units(unit text, moment timestamptz, count bigint) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN abs(count) > 130000000000000000 OR (unit IN ('year', 'quarter', 'month', 'week', 'day') AND abs(count) > 4000000) THEN NULL
    WHEN unit IN ('year', 'quarter', 'month') THEN
      fn.valid_moment((moment AT TIME ZONE 'UTC' + make_interval(months => (least(greatest(count, -200000), 200000) * CASE unit WHEN 'year' THEN 12 WHEN 'quarter' THEN 3 ELSE 1 END)::int)) AT TIME ZONE 'UTC')
    ELSE fn.shift(moment, fn.timespan(trunc(count * CASE unit WHEN 'week' THEN 604800000000 WHEN 'day' THEN 86400000000 WHEN 'hour' THEN 3600000000 WHEN 'minute' THEN 60000000
      WHEN 'second' THEN 1000000 WHEN 'millisecond' THEN 1000 WHEN 'microsecond' THEN 1 ELSE 0.001 END)::bigint)) END
$$;
CREATE FUNCTION fn.start_of(unit text, moment timestamptz, count bigint) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT fn.valid_moment(fn.add_units(unit, CASE WHEN unit = 'week' THEN fn.week_of(moment) ELSE date_trunc(unit, moment, 'UTC') END, count))
$$;
CREATE FUNCTION fn.end_of(unit text, moment timestamptz, count bigint) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT fn.valid_moment((fn.start_of(unit, moment, count) AT TIME ZONE 'UTC' + ('1 ' || unit)::interval - interval '1 microsecond') AT TIME ZONE 'UTC')
$$;
CREATE FUNCTION fn.datetime_add(unit text, count bigint, moment timestamptz) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT fn.add_units(unit, moment, count)
$$;
-- The number of the period that the moment is in.
CREATE FUNCTION fn.period(unit text, moment timestamptz) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE unit
    WHEN 'year' THEN extract(year FROM moment AT TIME ZONE 'UTC')::bigint
    WHEN 'quarter' THEN (extract(year FROM moment AT TIME ZONE 'UTC') * 4 + extract(quarter FROM moment AT TIME ZONE 'UTC'))::bigint
    WHEN 'month' THEN (extract(year FROM moment AT TIME ZONE 'UTC') * 12 + extract(month FROM moment AT TIME ZONE 'UTC'))::bigint
    WHEN 'week' THEN floor(extract(epoch FROM fn.week_of(moment)) / 604800)::bigint
    WHEN 'nanosecond' THEN (extract(epoch FROM moment) * 1000000000)::bigint
    ELSE floor(extract(epoch FROM moment) * 1000000 / CASE unit WHEN 'day' THEN 86400000000 WHEN 'hour' THEN 3600000000 WHEN 'minute' THEN 60000000
      WHEN 'second' THEN 1000000 WHEN 'millisecond' THEN 1000 ELSE 1 END)::bigint END
$$;
CREATE FUNCTION fn.datetime_diff(unit text, later timestamptz, earlier timestamptz) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN unit = 'nanosecond' THEN (extract(epoch FROM later) - extract(epoch FROM earlier)) * 1000000000 ELSE fn.period(unit, later) - fn.period(unit, earlier) END::bigint
$$;
CREATE FUNCTION fn.make_timespan(day bigint, hour bigint, minute bigint, second double precision) RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN day BETWEEN 0 AND 10675198 AND hour BETWEEN 0 AND 23 AND minute BETWEEN 0 AND 59 AND second >= 0 AND second < 60
              THEN make_interval(days => day::int, hours => hour::int, mins => minute::int, secs => trunc(second * 1000000) / 1000000) END
$$;
CREATE FUNCTION fn.format_timespan(distance interval, tokens text[]) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  total bigint := abs(fn.microseconds(distance));
  result text := CASE WHEN fn.microseconds(distance) < 0 THEN '-' ELSE '' END;
  token text;
  fraction text := lpad((total % 1000000)::text, 6, '0') || '0';
BEGIN
  FOREACH token IN ARRAY tokens LOOP
    result := result || CASE left(token, 1)
      WHEN 'd' THEN fn.pad((total / 86400000000)::text, length(token))
      WHEN 'h' THEN fn.pad((total / 3600000000 % 24)::text, length(token))
      WHEN 'H' THEN fn.pad((total / 3600000000 % 24)::text, length(token))
      WHEN 'm' THEN fn.pad((total / 60000000 % 60)::text, length(token))
      WHEN 's' THEN fn.pad((total / 1000000 % 60)::text, length(token))
      WHEN 'f' THEN left(fraction, length(token))
      WHEN 'F' THEN rtrim(left(fraction, length(token)), '0')
      ELSE token END;
  END LOOP;
  RETURN result;
END
$$;

-- ---------------------------------------------------------------- arrays and bags

-- Elements in their order; none where the value is no array.
CREATE FUNCTION fn.elements(list jsonb) RETURNS TABLE (value jsonb, n bigint) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT * FROM jsonb_array_elements(CASE WHEN jsonb_typeof(list) = 'array' THEN list ELSE '[]' END) WITH ORDINALITY
$$;
CREATE FUNCTION fn.is_array(list jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(jsonb_typeof(list) = 'array', false)
$$;
CREATE FUNCTION fn.are_arrays(lists jsonb[]) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT bool_and(fn.is_array(l)) FROM unnest(lists) l
$$;
CREATE FUNCTION fn.join(list jsonb, delimiter text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT string_agg(coalesce(fn.json_text(value), ''), delimiter ORDER BY n) FROM fn.elements(list)
$$;
CREATE FUNCTION fn.json_among(value jsonb, list jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN fn.is_array(list) THEN EXISTS (SELECT FROM fn.elements(list) e WHERE e.value = json_among.value) ELSE value = list END
$$;
CREATE FUNCTION fn.has_any(value text, words jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT EXISTS (SELECT FROM fn.elements(words) w WHERE has_any.value ~* fn.term_pattern(fn.json_text(w.value), true, true))
$$;
CREATE FUNCTION fn.has_all(value text, words jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT NOT EXISTS (SELECT FROM fn.elements(words) w WHERE has_all.value !~* fn.term_pattern(fn.json_text(w.value), true, true))
$$;
CREATE FUNCTION fn.array_length(list jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN jsonb_typeof(list) = 'array' THEN jsonb_array_length(list) END
$$;
CREATE FUNCTION fn.array_concat(lists jsonb[]) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN bool_or(fn.is_array(l)) THEN coalesce((SELECT jsonb_agg(e.value ORDER BY u.m, e.n) FROM unnest(lists) WITH ORDINALITY AS u (list, m), fn.elements(u.list) e), '[]') END
    FROM unnest(lists) l
$$;
CREATE FUNCTION fn.array_slice(list jsonb, first bigint, last bigint) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN fn.is_array(list) AND first IS NOT NULL AND last IS NOT NULL THEN
    (SELECT coalesce(jsonb_agg(value ORDER BY n), '[]') FROM fn.elements(list)
      WHERE n - 1 BETWEEN CASE WHEN first < 0 THEN jsonb_array_length(list) + first ELSE first END AND CASE WHEN last < 0 THEN jsonb_array_length(list) + last ELSE last END) END
$$;
CREATE FUNCTION fn.array_split(list jsonb, positions jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  WITH cut AS (
    SELECT at, lead(at) OVER (ORDER BY at, m) AS next, m FROM (
      SELECT 0::bigint AS at, 0::bigint AS m
      UNION ALL SELECT least(greatest(CASE WHEN fn.json_long(value) < 0 THEN jsonb_array_length(list) + fn.json_long(value) ELSE fn.json_long(value) END, 0), jsonb_array_length(list)), n FROM fn.elements(positions)) c)
  SELECT CASE WHEN fn.is_array(list) AND fn.is_array(positions) THEN
    (SELECT jsonb_agg((SELECT coalesce(jsonb_agg(e.value ORDER BY e.n), '[]') FROM fn.elements(list) e WHERE e.n > cut.at AND (cut.next IS NULL OR e.n <= cut.next)) ORDER BY cut.at, cut.m) FROM cut) END
$$;
CREATE FUNCTION fn.array_index_of(list jsonb, wanted jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN fn.is_array(list) THEN coalesce((SELECT min(n) - 1 FROM fn.elements(list) e WHERE e.value = wanted), -1) END
$$;
-- Numbers, texts, all others by their text; nulls last, or first.
CREATE FUNCTION fn.array_sort(list jsonb, descending boolean, nulls_last boolean) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN fn.is_array(list) THEN (SELECT coalesce(jsonb_agg(value ORDER BY (value = 'null') = nulls_last,
      CASE WHEN NOT descending THEN kind END, CASE WHEN descending THEN kind END DESC,
      CASE WHEN NOT descending THEN number END, CASE WHEN descending THEN number END DESC,
      CASE WHEN NOT descending THEN word END COLLATE "C", CASE WHEN descending THEN word END COLLATE "C" DESC, n), '[]')
    FROM (SELECT value, n, CASE jsonb_typeof(value) WHEN 'number' THEN 0 WHEN 'string' THEN 1 ELSE 2 END AS kind,
                 CASE WHEN jsonb_typeof(value) = 'number' THEN value::numeric END AS number, fn.json_text(value) AS word FROM fn.elements(list)) e) END
$$;
CREATE FUNCTION fn.array_sum(list jsonb) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN fn.is_array(list) AND NOT EXISTS (SELECT FROM fn.elements(list) WHERE jsonb_typeof(value) <> 'number')
              THEN (SELECT coalesce(sum(value::numeric)::float8, 0) FROM fn.elements(list)) END
$$;
CREATE FUNCTION fn.array_reverse(list jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN fn.is_array(list) THEN (SELECT coalesce(jsonb_agg(value ORDER BY n DESC), '[]') FROM fn.elements(list)) END
$$;
CREATE FUNCTION fn.array_iff(conditions jsonb, yes jsonb, no jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN fn.is_array(conditions) THEN (SELECT coalesce(jsonb_agg(CASE fn.json_bool(value)
      WHEN true THEN CASE WHEN fn.is_array(yes) THEN yes -> (n - 1)::int ELSE yes END WHEN false THEN CASE WHEN fn.is_array(no) THEN no -> (n - 1)::int ELSE no END END ORDER BY n), '[]')
    FROM fn.elements(conditions)) END
$$;
CREATE FUNCTION fn.array_rotate(list jsonb, places bigint) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN fn.is_array(list) AND places IS NOT NULL THEN (SELECT coalesce(jsonb_agg(value ORDER BY fn.modulo(n - 1 - places, jsonb_array_length(list))), '[]') FROM fn.elements(list)) END
$$;
CREATE FUNCTION fn.set_union(lists jsonb[]) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN fn.are_arrays(lists) THEN (SELECT coalesce(jsonb_agg(value ORDER BY first), '[]')
    FROM (SELECT e.value, min((u.m, e.n)) AS first FROM unnest(lists) WITH ORDINALITY AS u (list, m), fn.elements(u.list) e GROUP BY e.value) s) END
$$;
CREATE FUNCTION fn.set_intersect(lists jsonb[]) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN fn.are_arrays(lists) THEN (SELECT coalesce(jsonb_agg(value ORDER BY first), '[]')
    FROM (SELECT e.value, min(e.n) AS first FROM fn.elements(lists[1]) e GROUP BY e.value) s
   WHERE NOT EXISTS (SELECT FROM unnest(lists[2:]) AS other WHERE NOT EXISTS (SELECT FROM fn.elements(other) o WHERE o.value = s.value))) END
$$;
CREATE FUNCTION fn.set_difference(lists jsonb[]) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN fn.are_arrays(lists) THEN (SELECT coalesce(jsonb_agg(value ORDER BY first), '[]')
    FROM (SELECT e.value, min(e.n) AS first FROM fn.elements(lists[1]) e GROUP BY e.value) s
   WHERE NOT EXISTS (SELECT FROM unnest(lists[2:]) AS other, fn.elements(other) o WHERE o.value = s.value)) END
$$;
CREATE FUNCTION fn.jaccard_index(a jsonb, b jsonb) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN fn.are_arrays(ARRAY[a, b]) THEN fn.divide(jsonb_array_length(fn.set_intersect(ARRAY[a, b]))::float8, jsonb_array_length(fn.set_union(ARRAY[a, b]))::float8) END
$$;
CREATE FUNCTION fn.bag_keys(bag jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN jsonb_typeof(bag) = 'object' THEN (SELECT coalesce(jsonb_agg(k ORDER BY n), '[]') FROM jsonb_object_keys(bag) WITH ORDINALITY AS t (k, n)) END
$$;
CREATE FUNCTION fn.bag_has_key(bag jsonb, key text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF jsonb_typeof(bag) <> 'object' THEN RETURN NULL; END IF;
  IF key LIKE '$.%' AND pg_input_is_valid(key, 'jsonpath') THEN RETURN jsonb_path_exists(bag, key::jsonpath, silent => true); END IF;
  RETURN bag ? key;
END
$$;
CREATE FUNCTION fn.bag_merge(bags jsonb[]) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT jsonb_object_agg(key, value) FROM (
    SELECT DISTINCT ON (key) key, p.value FROM unnest(bags) WITH ORDINALITY AS u (bag, n), jsonb_each(CASE WHEN jsonb_typeof(bag) = 'object' THEN bag ELSE '{}' END) p
     ORDER BY key, n) s
$$;
CREATE FUNCTION fn.bag_remove_keys(bag jsonb, keys jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN jsonb_typeof(bag) = 'object' THEN bag - ARRAY(SELECT value #>> '{}' FROM fn.elements(keys)) END
$$;
CREATE FUNCTION fn.bag_set_key(bag jsonb, key text, value jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN jsonb_typeof(bag) = 'object' THEN bag || jsonb_build_object(key, value) END
$$;
CREATE FUNCTION fn.bag_zip(keys jsonb, list jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN fn.are_arrays(ARRAY[keys, list]) THEN (SELECT coalesce(jsonb_object_agg(k.value #>> '{}', coalesce(list -> (k.n - 1)::int, 'null')), '{}') FROM fn.elements(keys) k WHERE jsonb_typeof(k.value) = 'string') END
$$;
CREATE FUNCTION fn.zip(lists jsonb[]) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN fn.are_arrays(lists) THEN coalesce(
    (SELECT jsonb_agg((SELECT jsonb_agg(coalesce(l -> i, 'null') ORDER BY n) FROM unnest(lists) WITH ORDINALITY AS u (l, n)) ORDER BY i)
       FROM generate_series(0, (SELECT max(jsonb_array_length(l)) FROM unnest(lists) l) - 1) i), '[]') END
$$;
CREATE FUNCTION fn.repeat(value jsonb, times bigint) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN times <= 0 THEN '[]' WHEN times <= 1048576 THEN to_jsonb(array_fill(value, ARRAY[times::int])) END
$$;
CREATE FUNCTION fn.range(first bigint, last bigint, step bigint) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN step <> 0 AND first IS NOT NULL AND last IS NOT NULL THEN coalesce((SELECT jsonb_agg(v) FROM (SELECT v FROM generate_series(first, last, step) v LIMIT 1048576) s), '[]') END
$$;
CREATE FUNCTION fn.range(first double precision, last double precision, step double precision) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN step <> 0 AND first IS NOT NULL AND last IS NOT NULL AND abs(last - first) < 'Infinity' AND abs(step) < 'Infinity' THEN
    coalesce((SELECT jsonb_agg(first + i * step ORDER BY i) FROM generate_series(0, floor(least((last - first) / step, 1048575))::bigint) i), '[]') END
$$;
CREATE FUNCTION fn.range(first timestamptz, last timestamptz, step interval) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN step <> interval '0' AND first IS NOT NULL AND last IS NOT NULL THEN
    coalesce((SELECT jsonb_agg(to_char(v AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || '0Z') FROM (SELECT v FROM generate_series(first, last, step, 'UTC') v LIMIT 1048576) s), '[]') END
$$;
CREATE FUNCTION fn.range(first interval, last interval, step interval) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN step <> interval '0' AND first IS NOT NULL AND last IS NOT NULL THEN
    coalesce((SELECT jsonb_agg(fn.timespan_text(fn.timespan(v)))
      FROM (SELECT v FROM generate_series(fn.microseconds(first), fn.microseconds(last), fn.microseconds(step)) v LIMIT 1048576) s), '[]') END
$$;
CREATE FUNCTION fn.treepath(value jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  WITH RECURSIVE tree (path, node, place) AS (
    SELECT '', value, '{}'::bigint[]
    UNION ALL
    SELECT tree.path || child.step, child.node, tree.place || child.n FROM tree, LATERAL (
      SELECT '[''' || key || ''']' AS step, p.value AS node, row_number() OVER () AS n FROM jsonb_each(CASE WHEN jsonb_typeof(tree.node) = 'object' THEN tree.node ELSE '{}' END) p
      UNION ALL SELECT '[' || e.n - 1 || ']', e.value, e.n FROM fn.elements(tree.node) e) child)
  SELECT jsonb_agg(path ORDER BY place) FROM tree WHERE path <> ''
$$;
-- The first bag that has a property gives it.
CREATE FUNCTION fn.bag_add(state jsonb, bag jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN jsonb_typeof(bag) = 'object' THEN bag || coalesce(state, '{}') ELSE state END
$$;
CREATE AGGREGATE fn.bag_agg(jsonb) (SFUNC = fn.bag_add, STYPE = jsonb, PARALLEL = SAFE);

-- ---------------------------------------------------------------- addresses

CREATE FUNCTION fn.ipv4(value text) RETURNS inet LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF value ~ '^[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?$' AND pg_input_is_valid(value, 'inet') THEN RETURN value::inet; END IF;
  RETURN NULL;
END
$$;
CREATE FUNCTION fn.only_ipv4(value inet) RETURNS inet LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN family(value) = 4 THEN value END
$$;
-- IPv4 as IPv6, so that both are compared.
CREATE FUNCTION fn.ipv6(value text) RETURNS inet LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF strpos(value, ':') > 0 THEN
    IF pg_input_is_valid(value, 'inet') THEN RETURN value::inet; END IF;
    RETURN NULL;
  END IF;
  RETURN ('::ffff:' || host(fn.ipv4(value)) || '/' || masklen(fn.ipv4(value)) + 96)::inet;
END
$$;
CREATE FUNCTION fn.compare_addresses(a inet, b inet, prefix bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN family(a) = family(b) AND prefix BETWEEN 0 AND CASE family(a) WHEN 4 THEN 32 ELSE 128 END THEN
    CASE WHEN network(set_masklen(a, least(masklen(a), masklen(b), prefix)::int)) < network(set_masklen(b, least(masklen(a), masklen(b), prefix)::int)) THEN -1
         WHEN network(set_masklen(a, least(masklen(a), masklen(b), prefix)::int)) = network(set_masklen(b, least(masklen(a), masklen(b), prefix)::int)) THEN 0 ELSE 1 END END
$$;
CREATE FUNCTION fn.in_range(address inet, network inet) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT address <<= network(network)
$$;
CREATE FUNCTION fn.in_any_range(address inet, networks jsonb, only_ipv4 boolean) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN address IS NOT NULL THEN EXISTS (SELECT FROM fn.elements(networks) e
    WHERE fn.in_range(address, CASE WHEN only_ipv4 THEN fn.ipv4(e.value #>> '{}') ELSE fn.ipv6(e.value #>> '{}') END)) END
$$;
CREATE FUNCTION fn.is_private(address inet) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT address <<= inet '10.0.0.0/8' OR address <<= inet '172.16.0.0/12' OR address <<= inet '192.168.0.0/16'
$$;
CREATE FUNCTION fn.ipv4_number(address inet, prefix bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN prefix BETWEEN 0 AND 32 THEN host(network(set_masklen(address, least(masklen(address), prefix)::int)))::inet - inet '0.0.0.0' END
$$;
CREATE FUNCTION fn.ipv4_of(number bigint) RETURNS inet LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN number BETWEEN 0 AND 4294967295 THEN inet '0.0.0.0' + number END
$$;
CREATE FUNCTION fn.ipv6_text(address inet) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT rtrim(regexp_replace(encode(substr(inet_send(host(network(address))::inet), 5), 'hex'), '(....)', '\1:', 'g'), ':')
$$;
CREATE FUNCTION fn.format_ipv4(address inet, prefix bigint, with_mask boolean) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN prefix BETWEEN 0 AND 32 THEN host(network(set_masklen(address, least(masklen(address), prefix)::int)))
    || CASE WHEN with_mask THEN '/' || least(masklen(address), prefix) ELSE '' END END
$$;
CREATE FUNCTION fn.has_ipv4(value text, wanted text, as_prefix boolean) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN value IS NULL OR wanted IS NULL THEN NULL
    WHEN fn.ipv4(wanted) IS NOT NULL AND strpos(wanted, '/') = 0 THEN value ~ ('(?<![A-Za-z0-9])' || replace(wanted, '.', '\.') || '(?![A-Za-z0-9])')
    WHEN as_prefix AND wanted ~ '^([0-9]{1,3}\.){1,3}$' THEN strpos(value, wanted) > 0 AND EXISTS (
      SELECT FROM regexp_matches(value, '(?<![A-Za-z0-9])(' || replace(wanted, '.', '\.') || '[0-9.]*)(?![A-Za-z0-9])', 'g') m WHERE fn.ipv4(rtrim(m[1], '.')) IS NOT NULL)
    ELSE false END
$$;
CREATE FUNCTION fn.has_any_ipv4(value text, wanted jsonb, as_prefix boolean) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT EXISTS (SELECT FROM fn.elements(wanted) e WHERE fn.has_ipv4(has_any_ipv4.value, e.value #>> '{}', as_prefix))
$$;

GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA fn TO harborwatch_query;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA fn FROM PUBLIC;
