/**
 * The types that a query may cast to, by PostgreSQL's own names (the parser turns INTEGER into int4). Left out on
 * purpose: the reg* types (a cast to them looks names up in the catalog), oid and its kin, xml, and every row type.
 */
const typeNames = `
  bool int2 int4 int8 float4 float8 numeric
  text varchar bpchar bytea bit varbit
  date time timetz timestamp timestamptz interval
  json jsonb jsonpath uuid inet cidr macaddr macaddr8
  int4range int8range numrange tsrange tstzrange daterange
  int4multirange int8multirange nummultirange tsmultirange tstzmultirange datemultirange
  tsvector tsquery
`;

export const allowedTypes: ReadonlySet<string> = new Set(typeNames.trim().split(/\s+/));
