/**
 * What the database says about a query, as the caller may hear it: in the product's codes, at the caller's own line and
 * column, and without a word about schemas, roles, policies or other tables.
 */
import { type ErrorCode, HarborwatchError } from '../../../platform/errors.js';
import { brief } from '../../brief.js';
import type { SqlQuery, TextPosition } from '../../prepared-query.js';
import { indexInSource, SourceText } from '../../source-text.js';
import { didYouMean } from '../../suggest.js';

/** The part of pg's DatabaseError that is read; a broken connection is an Error without it. */
interface DatabaseFailure extends Error {
  code?: string;
  position?: string;
}

/** Anything that names what lies behind the datasets. User text in a message may match too; it is then left out. */
const internals =
  /\b(app|qb?|fn)\.|harborwatch|pg_|polic|row.level|security|schema|relation|partition|current_setting|permission|role/i;

/** Codes of Node's sockets and of pg itself that mean the server cannot be reached. */
const unreachable = /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_|EHOSTUNREACH|ENETUNREACH)|^(08|57P0|53)/;
const brokenConnection =
  /connection (terminated|timeout|ended|closed)|timeout exceeded when trying to connect|not queryable/i;

const unavailable = 'The database does not answer just now. Try again in a moment.';
const refused = 'The database refused the query.';

/**
 * The error for the caller of a text that the database reads itself. What is not known to be the query's fault comes
 * back as it is, and is masked at the edge. `prefixLength` is the length of what was put before the query's text, in
 * code points.
 */
export function queryError(error: unknown, query: SqlQuery, prefixLength = 0): unknown {
  return translated(error, (failure) => {
    const [code, message] = textFault(failure, query) ?? runFault(failure) ?? [];
    return code && [code, message!, position(failure, query, prefixLength)];
  });
}

/**
 * The error for the caller of a plan. The database's text is ours and not the caller's: neither its positions nor what
 * is wrong with it are theirs to read.
 */
export function planError(error: unknown): unknown {
  return translated(error, (failure) => {
    const [code, message] = runFault(failure) ?? [];
    return code && [code, message!, {}];
  });
}

type Fault = [ErrorCode, string];

function translated(
  error: unknown,
  translate: (failure: DatabaseFailure) => [...Fault, Partial<TextPosition>] | undefined,
): unknown {
  if (error instanceof HarborwatchError || !(error instanceof Error)) return error;
  const fault = translate(error);
  if (fault === undefined) return error;
  const [code, message, place] = fault;
  return new HarborwatchError(code, message, { argument: 'query', ...place });
}

/** What is wrong with the text of a query. */
function textFault({ code = '', message }: DatabaseFailure, query: SqlQuery): Fault | undefined {
  switch (code) {
    case '42703':
      return ['QUERY_UNKNOWN_COLUMN', unknownColumn(message, query)];
    case '42P01':
      return ['QUERY_UNKNOWN_TABLE', unknownTable(message, query)];
    case '42501':
      return ['QUERY_NOT_SUPPORTED', 'The query reaches something that it may not read.'];
    case '25006':
      return ['QUERY_NOT_READ_ONLY', 'Queries only read.'];
    case '0A000':
      return ['QUERY_NOT_SUPPORTED', safe(message)];
  }
  return code.startsWith('42') ? ['QUERY_SYNTAX', safe(message)] : undefined;
}

/** What only the run can tell. */
function runFault({ code = '', message }: DatabaseFailure): Fault | undefined {
  switch (code) {
    case '57014':
      return /statement timeout/.test(message)
        ? ['QUERY_TIMEOUT', 'The query ran past its timeout. Narrow the time range, or allow it more time.']
        : ['QUERY_CANCELLED', 'The query was cancelled.'];
    case '25P04': // transaction_timeout
      return ['QUERY_TIMEOUT', 'The query ran past its timeout. Narrow the time range, or allow it more time.'];
    case '53400': // temp_file_limit
      return ['QUERY_FAILED', 'The query needs more temporary space than one query may use. Read or sort fewer rows.'];
    case '54001':
      return ['QUERY_NOT_SUPPORTED', 'The query is nested too deeply. Use fewer levels.'];
  }
  if (unreachable.test(code) || (code === '' && brokenConnection.test(message))) {
    return ['SERVICE_UNAVAILABLE', unavailable];
  }
  // Data, cardinality and limits.
  return /^(2[12]|54)/.test(code) ? ['QUERY_FAILED', safe(message)] : undefined;
}

function unknownColumn(message: string, query: SqlQuery): string {
  const name = /column "?(?:[^".]*\.)?([^"]+?)"? does not exist/.exec(message)?.[1];
  if (name === undefined) return safe(message);
  return `There is no column "${name}".${didYouMean(name, query.knownColumns)}`;
}

function unknownTable(message: string, query: SqlQuery): string {
  const name = /FROM-clause entry for table "([^"]+)"/.exec(message)?.[1];
  if (name === undefined) return refused;
  return `The query has no table or alias "${name}" here.${didYouMean(name, query.datasets)}`;
}

/** The database's message as a sentence, or a plain one where it might tell of what lies behind. */
function safe(message: string): string {
  if (internals.test(message)) return refused;
  const text = brief(message.charAt(0).toUpperCase() + message.slice(1));
  return /[.?!]$/.test(text) ? text : `${text}.`;
}

function position({ position }: DatabaseFailure, query: SqlQuery, prefixLength: number) {
  const codePoint = Number(position) - 1 - prefixLength;
  if (!(codePoint >= 0)) return {};
  const index = new SourceText(query.text).indexOfCodePoint(codePoint);
  return new SourceText(query.source).position(indexInSource(query.edits, index));
}
