/**
 * The functions that user SQL may call, and what each does to a query that is run over new rows only.
 *
 * Nothing here reads or changes anything beyond its arguments and the clock: no files, settings, catalogs, large
 * objects, sequences, locks, other sessions, sleeping, or SQL in text (query_to_xml, ts_stat, ts_rewrite, cursors).
 * The query role's rights and row-level security hold without this list; it is the first of the walls, not the only one.
 *
 * Memory: one value is at most 1 GB in PostgreSQL, whatever work_mem says, so functions that make a long value out of a
 * short call (`repeat`, `lpad`, `rpad`, `format`) take their length as a small literal (growth.ts), and array_fill is
 * left out. `generate_series` streams or spills: the statement timeout and the role's temp_file_limit bound it.
 */

/** `row`: of its arguments alone. `clock`: also of the time of the run. `volatile`: anything. `set`: gives rows. */
export type FunctionKind = 'row' | 'clock' | 'volatile' | 'aggregate' | 'window' | 'set';

const groups: [FunctionKind, string][] = [
  // Mathematics
  [
    'row',
    `abs cbrt ceil ceiling degrees div erf erfc exp factorial floor gamma lgamma gcd lcm ln log log10 min_scale mod
     pi pow power radians round scale sign sqrt trim_scale trunc width_bucket
     acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh cos cosd cosh cot cotd sin sind sinh tan tand tanh`,
  ],
  ['volatile', 'random random_normal'],
  // Strings and bytes
  [
    'row',
    `ascii bit_count bit_length btrim char_length character_length chr concat concat_ws convert_from convert_to crc32
     crc32c casefold decode encode format get_bit get_byte initcap left length lower lpad ltrim md5 normalize
     octet_length overlay position quote_ident quote_literal quote_nullable repeat replace reverse right rpad rtrim
     set_bit set_byte sha224 sha256 sha384 sha512 split_part starts_with strpos substr substring to_ascii to_bin to_hex
     to_oct translate unistr upper`,
  ],
  // Regular expressions
  [
    'row',
    `regexp_count regexp_instr regexp_like regexp_match regexp_replace regexp_split_to_array regexp_substr
     like_escape similar_to_escape`,
  ],
  ['set', 'regexp_matches regexp_split_to_table string_to_table'],
  // Dates and times
  [
    'row',
    `date_add date_bin date_part date_subtract date_trunc extract isfinite justify_days justify_hours justify_interval
     make_date make_interval make_time make_timestamp make_timestamptz overlaps timezone to_char to_date to_number
     to_timestamp`,
  ],
  // age(x) counts from today; age(x, y) only pays the price of standing beside it.
  ['clock', 'age clock_timestamp now statement_timestamp timeofday transaction_timestamp'],
  // Conversions that are spelled as calls
  ['row', 'date text float4 float8 int2 int4 int8 numeric bool'],
  // Comparison
  ['row', 'num_nonnulls num_nulls'],
  // UUIDs
  ['row', 'uuid_extract_timestamp uuid_extract_version'],
  ['volatile', 'gen_random_uuid uuidv4 uuidv7'],
  // Network addresses
  [
    'row',
    `abbrev broadcast family host hostmask inet_merge inet_same_family macaddr8_set7bit masklen netmask network
     set_masklen`,
  ],
  // JSON
  [
    'row',
    `array_to_json json_array_length json_build_array json_build_object json_extract_path json_extract_path_text
     json_object json_strip_nulls json_typeof jsonb_array_length jsonb_build_array jsonb_build_object
     jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_path_exists jsonb_path_exists_tz
     jsonb_path_match jsonb_path_match_tz jsonb_path_query_array jsonb_path_query_array_tz jsonb_path_query_first
     jsonb_path_query_first_tz jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_typeof row_to_json to_json
     to_jsonb`,
  ],
  [
    'set',
    `json_array_elements json_array_elements_text json_each json_each_text json_object_keys json_to_record
     json_to_recordset jsonb_array_elements jsonb_array_elements_text jsonb_each jsonb_each_text jsonb_object_keys
     jsonb_path_query jsonb_path_query_tz jsonb_to_record jsonb_to_recordset`,
  ],
  // Arrays
  [
    'row',
    `array_append array_cat array_dims array_length array_lower array_ndims array_position array_positions
     array_prepend array_remove array_replace array_reverse array_sort array_to_string array_upper cardinality
     string_to_array trim_array`,
  ],
  ['volatile', 'array_sample array_shuffle'],
  ['set', 'generate_series generate_subscripts unnest'],
  // Ranges
  [
    'row',
    `daterange int4range int8range numrange tsrange tstzrange datemultirange int4multirange int8multirange
     nummultirange tsmultirange tstzmultirange multirange isempty lower_inc lower_inf range_merge upper_inc upper_inf`,
  ],
  // Full-text search
  [
    'row',
    `phraseto_tsquery plainto_tsquery strip to_tsquery to_tsvector ts_headline ts_rank ts_rank_cd
     websearch_to_tsquery`,
  ],
  // Aggregates
  [
    'aggregate',
    `any_value array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp every
     json_agg json_agg_strict json_object_agg json_object_agg_strict json_object_agg_unique
     json_object_agg_unique_strict jsonb_agg jsonb_agg_strict jsonb_object_agg jsonb_object_agg_strict
     jsonb_object_agg_unique jsonb_object_agg_unique_strict max min mode percentile_cont percentile_disc range_agg
     range_intersect_agg regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
     stddev stddev_pop stddev_samp string_agg sum var_pop var_samp variance`,
  ],
  // Windows; rank and its kin are hypothetical-set aggregates too
  ['window', 'cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number'],
];

/** Every function that may be called, with its kind. */
export const allowedFunctions: ReadonlyMap<string, FunctionKind> = new Map(
  groups.flatMap(([kind, names]) =>
    names
      .trim()
      .split(/\s+/)
      .map((name): [string, FunctionKind] => [name, kind]),
  ),
);

/**
 * Those that the parser itself writes as `pg_catalog.NAME` for SQL's special syntax (EXTRACT, TRIM, AT TIME ZONE, LIKE
 * ... ESCAPE, OVERLAPS ...). No other function may be named with a schema, `pg_catalog` included.
 */
export const syntaxFunctions: ReadonlySet<string> = new Set([
  'btrim',
  'extract',
  'is_normalized',
  'like_escape',
  'ltrim',
  'normalize',
  'overlaps',
  'overlay',
  'position',
  'rtrim',
  'similar_to_escape',
  'substring',
  'timezone',
]);

/**
 * The columns that a function in FROM gives, where its own declaration names them; any other gives one column of the
 * name of its alias.
 */
export const namedOutputColumns: ReadonlyMap<string, readonly string[]> = new Map([
  ['json_array_elements', ['value']],
  ['json_array_elements_text', ['value']],
  ['jsonb_array_elements', ['value']],
  ['jsonb_array_elements_text', ['value']],
  ['json_each', ['key', 'value']],
  ['json_each_text', ['key', 'value']],
  ['jsonb_each', ['key', 'value']],
  ['jsonb_each_text', ['key', 'value']],
  ['json_to_record', []],
  ['json_to_recordset', []],
  ['jsonb_to_record', []],
  ['jsonb_to_recordset', []],
]);

/**
 * Functions off the list that take a whole row. `alias.NAME` calls them when no column has the name, since PostgreSQL
 * reads `x.f` as `f(x)`; a test compares this with the catalog.
 */
export const rowFunctionsNotAllowed: ReadonlySet<string> = new Set([
  'any_out',
  'anycompatible_out',
  'anycompatiblenonarray_out',
  'anyelement_out',
  'anynonarray_out',
  'hash_record',
  'pg_collation_for',
  'pg_column_compression',
  'pg_column_size',
  'pg_column_toast_chunk_id',
  'pg_restore_attribute_stats',
  'pg_restore_relation_stats',
  'pg_typeof',
  'record_out',
  'record_send',
]);
