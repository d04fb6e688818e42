/** From PostgreSQL's text format to the JSON values of query/result.ts. */
import pg from 'pg';
import { fail } from '../../../platform/errors.js';
import { parseLargeJson } from '../../../platform/json.js';
import { type JsonValue, type ResultColumn, type ResultType, uniqueNames } from '../../result.js';

type Parser = (text: string) => JsonValue;

interface TypeMapping {
  type: ResultType;
  parse: Parser;
  /** The type's own oid and that of arrays of it: both are fixed in PostgreSQL's catalog. */
  oids: number[];
  arrayOids: number[];
}

const asText: Parser = (text) => text;

const mappings: TypeMapping[] = [
  { type: 'BOOL', parse: (text) => text === 't', oids: [16], arrayOids: [1000] },
  { type: 'LONG', parse: integer, oids: [20, 21, 23], arrayOids: [1016, 1005, 1007] },
  { type: 'REAL', parse: float, oids: [700, 701], arrayOids: [1021, 1022] },
  { type: 'DECIMAL', parse: asText, oids: [1700], arrayOids: [1231] },
  { type: 'GUID', parse: asText, oids: [2950], arrayOids: [2951] },
  { type: 'DATETIME', parse: moment, oids: [1114, 1184], arrayOids: [1115, 1185] },
  { type: 'DATE', parse: date, oids: [1082], arrayOids: [1182] },
  { type: 'TIMESPAN', parse: asText, oids: [1186], arrayOids: [1187] },
  { type: 'DYNAMIC', parse: json, oids: [114, 3802], arrayOids: [199, 3807] },
  { type: 'STRING', parse: bytes, oids: [17], arrayOids: [1001] },
  // Text-like types, listed for their arrays: text, varchar, bpchar, name, inet, cidr, time, timetz, macaddr, macaddr8,
  // bit, varbit, jsonpath, and the ranges.
  {
    type: 'STRING',
    parse: asText,
    oids: [],
    arrayOids: [
      1009, 1015, 1014, 1003, 1041, 651, 1183, 1270, 1040, 775, 1561, 1563, 4073, 3905, 3907, 3909, 3911, 3913, 3927,
    ],
  },
];

const byOid = new Map<number, { type: ResultType; parse: Parser }>();
for (const { type, parse, oids, arrayOids } of mappings) {
  for (const oid of oids) byOid.set(oid, { type, parse });
  for (const oid of arrayOids) byOid.set(oid, { type: 'DYNAMIC', parse: (text) => parseArray(text, parse) });
}
/** What has no mapping is shown as PostgreSQL writes it. */
const fallback = { type: 'STRING', parse: asText } as const;

/** The parsers in the form that `pg` asks for. */
export const resultTypes = {
  getTypeParser: (oid: number) => (byOid.get(oid) ?? fallback).parse,
} as pg.CustomTypesConfig;

/** The columns of a row description. */
export function resultColumns(fields: { name: string; dataTypeID: number }[]): ResultColumn[] {
  const names = uniqueNames(fields.map(({ name }) => name));
  return fields.map(({ dataTypeID }, index) => ({
    name: names[index]!,
    type: (byOid.get(dataTypeID) ?? fallback).type,
  }));
}

function integer(text: string): JsonValue {
  const figure = Number(text);
  return Number.isSafeInteger(figure) ? figure : text;
}

function float(text: string): JsonValue {
  const figure = Number(text);
  return Number.isFinite(figure) ? figure : text;
}

/** `2015-05-17 10:05:03.12+00` -> `2015-05-17T10:05:03.12Z`. Sessions run in UTC; a timestamp without zone is UTC. */
function moment(text: string): JsonValue {
  const match = /^(\d+)(-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)(?:\+00)?( BC)?$/.exec(text);
  if (match === null) return text; // infinity, -infinity
  return `${year(match[1]!, match[4] !== undefined)}${match[2]}T${match[3]}Z`;
}

function date(text: string): JsonValue {
  const match = /^(\d+)(-\d\d-\d\d)( BC)?$/.exec(text);
  return match === null ? text : `${year(match[1]!, match[3] !== undefined)}${match[2]}`;
}

/** ISO 8601: four digits, or a sign and six where those do not reach. The year before 1 is 0. */
function year(digits: string, isBeforeChrist: boolean): string {
  const figure = isBeforeChrist ? 1 - Number(digits) : Number(digits);
  if (figure >= 0 && figure <= 9999) return String(figure).padStart(4, '0');
  return `${figure < 0 ? '-' : '+'}${String(Math.abs(figure)).padStart(6, '0')}`;
}

function bytes(text: string): JsonValue {
  return Buffer.from(text.slice(2), 'hex').toString('base64');
}

/** Deeper values could be read here, and not be written again by those who get them. */
const maxLevels = 1_000;

function json(text: string): JsonValue {
  if (text.length > 2 * maxLevels && levelsOf(text) > maxLevels) {
    fail('QUERY_FAILED', `A value of the result is nested more than ${maxLevels.toLocaleString('en')} levels deep.`);
  }
  return parseLargeJson(text) as JsonValue;
}

/** How many lists and objects are open at most. */
function levelsOf(text: string): number {
  let open = 0;
  let most = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') at = endOfString(text, at);
    else if (character === '[' || character === '{') most = Math.max(most, ++open);
    else if (character === ']' || character === '}') open--;
  }
  return most;
}

/** Where the string that begins at `start` ends. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

function parseArray(text: string, parse: Parser): JsonValue {
  const { arrayParser } = pg.types as unknown as {
    arrayParser: { create(text: string, parse: Parser): { parse(): JsonValue } };
  };
  return arrayParser.create(text, parse).parse();
}
