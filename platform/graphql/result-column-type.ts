/** The types of query results as the graph names them; jobs and collections answer them. */
import 'reflect-metadata';
import { registerEnumType } from 'type-graphql';

export enum ResultColumnType {
  BOOL = 'BOOL',
  LONG = 'LONG',
  REAL = 'REAL',
  DECIMAL = 'DECIMAL',
  STRING = 'STRING',
  GUID = 'GUID',
  DATETIME = 'DATETIME',
  DATE = 'DATE',
  TIMESPAN = 'TIMESPAN',
  DYNAMIC = 'DYNAMIC',
}
registerEnumType(ResultColumnType, {
  name: 'ResultColumnType',
  description: 'What a column of a result holds, and how its values look in JSON. A null is null in every type.',
  valuesConfig: {
    BOOL: { description: 'true or false.' },
    LONG: { description: 'A whole number; a string of digits where it is beyond 2^53.' },
    REAL: { description: 'A number, or "NaN", "Infinity", "-Infinity".' },
    DECIMAL: { description: 'A string of digits, as exact as the database has it.' },
    STRING: { description: 'Text, also network addresses and times of day; bytes as base64.' },
    GUID: { description: 'A string.' },
    DATETIME: { description: 'RFC 3339 in UTC with up to six digits of a second.' },
    DATE: { description: 'YYYY-MM-DD.' },
    TIMESPAN: { description: 'An ISO 8601 duration.' },
    DYNAMIC: { description: 'Any JSON value.' },
  },
});
