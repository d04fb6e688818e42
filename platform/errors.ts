/** The one registry of error codes: what the GraphQL `extensions.code`, the REST doors and the command line show. */

interface ErrorEntry {
  /** HTTP status when the error answers a whole request. */
  status: number;
  /** Why it happens. */
  cause: string;
  /** What the caller can do about it. */
  fix: string;
}

const define = <T extends Record<string, ErrorEntry>>(registry: T): T => registry;

export const errorRegistry = define({
  UNAUTHENTICATED: {
    status: 401,
    cause: 'The request carries no token, or one that is not valid.',
    fix: 'Sign in and send `Authorization: Bearer <access token>`.',
  },
  TOKEN_EXPIRED: {
    status: 401,
    cause: 'The access token is past its life.',
    fix: 'Refresh the session, or sign in again.',
  },
  TOKEN_REVOKED: {
    status: 401,
    cause: 'The session, the user’s access or the API key behind the token was ended, or the user’s rights changed.',
    fix: 'Refresh the session, sign in again, or ask for a new API key.',
  },
  SIGNATURE_INVALID: {
    status: 401,
    cause: 'The request is signed with an API key, and key, signature, body and time do not fit together.',
    fix: 'Sign `key + body + timestamp` with the key’s secret (HMAC-SHA256, hexadecimal), with a clock that is right.',
  },
  INVALID_CREDENTIALS: {
    status: 401,
    cause: 'Email and password do not match an account.',
    fix: 'Check both and try again.',
  },
  TOO_MANY_SIGN_INS: {
    status: 429,
    cause: 'Too many attempts to sign in wait for their turn from this address.',
    fix: 'Try again after the seconds that `Retry-After` tells.',
  },
  RATE_LIMITED: {
    status: 429,
    cause: 'The organisation, or the address of a request without a token, has used up its requests for the moment.',
    fix: 'Try again after the seconds that `Retry-After` tells, or ask for less at once; a higher tier admits more.',
  },
  QUOTA_EXCEEDED: {
    status: 429,
    cause: 'The organisation has used up a quota of its tier: events a day, stored bytes, result bytes or collections.',
    fix: 'The message names the quota, what is used and when it is free again; an operator can raise it.',
  },
  FORBIDDEN: {
    status: 403,
    cause: 'The caller lacks the capability that the field asks for.',
    fix: 'Ask an administrator of the organisation for the capability that the message names.',
  },
  TIER_REQUIRED: {
    status: 403,
    cause: 'The organisation’s tier does not include this.',
    fix: 'A platform administrator changes the tier first; the message tells which one is needed.',
  },
  NOT_FOUND: { status: 404, cause: 'Nothing with this id exists in the caller’s organisation.', fix: 'Check the id.' },
  BAD_USER_INPUT: {
    status: 400,
    cause: 'An argument is not acceptable.',
    fix: 'Correct the argument that the message names.',
  },
  CONFLICT: {
    status: 409,
    cause: 'Something with the same unique name exists, or the state does not allow the step.',
    fix: 'Choose another name, or read the present state first.',
  },
  PAYLOAD_TOO_LARGE: {
    status: 413,
    cause: 'A body, a batch or an event is over its limit.',
    fix: 'Send less at a time; the message tells the limit.',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    cause: 'The content type or encoding is not one that the address takes.',
    fix: 'Use the one that the message names.',
  },
  REQUEST_TIMEOUT: {
    status: 408,
    cause: 'The request did not arrive in full within its time.',
    fix: 'Send it at once, or in smaller parts.',
  },
  HEADERS_TOO_LARGE: {
    status: 431,
    cause: 'The headers of the request are over their limit.',
    fix: 'Send fewer or shorter headers; the message tells the limit.',
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    cause: 'The address does not answer this HTTP method.',
    fix: 'Use the method that the message names.',
  },
  UNKNOWN_DATASET: {
    status: 400,
    cause: 'No dataset has this name or alias.',
    fix: 'Use one of the names that `datasets { name aliases }` lists.',
  },
  UNKNOWN_COLUMN: {
    status: 400,
    cause: 'The dataset has no such column.',
    fix: 'Use a column of `dataset(name:) { columns { name } }`.',
  },
  EVENT_INVALID: {
    status: 400,
    cause: 'An event does not fit its dataset.',
    fix: 'Correct the field that the message names.',
  },
  EVENT_TOO_LARGE: { status: 413, cause: 'One event is over 256 KB.', fix: 'Shorten the event.' },
  INVALID_CURSOR: {
    status: 400,
    cause: 'The cursor is broken, or belongs to another list, filter or organisation.',
    fix: 'Start again without a cursor.',
  },
  INVALID_PAGE_SIZE: {
    status: 400,
    cause: '`first` or `last` is negative, over the limit, or both are given.',
    fix: 'Give one of them, within the limit that the message tells.',
  },
  QUERY_SYNTAX: {
    status: 400,
    cause:
      'The query text does not parse, or its parts do not fit together (a type, a function’s arguments, GROUP BY).',
    fix: 'Correct it at the line and column that the error tells.',
  },
  QUERY_MULTIPLE_STATEMENTS: {
    status: 400,
    cause: 'The text holds more than one statement.',
    fix: 'Submit one SELECT at a time.',
  },
  QUERY_NOT_READ_ONLY: {
    status: 400,
    cause: 'The statement is not a plain SELECT.',
    fix: 'Queries only read: write them as one SELECT.',
  },
  QUERY_UNKNOWN_TABLE: {
    status: 400,
    cause: 'The query names a table that is not a dataset.',
    fix: 'Use a dataset’s name or alias.',
  },
  QUERY_UNKNOWN_COLUMN: {
    status: 400,
    cause: 'The query names a column that its tables do not have.',
    fix: 'Use one of the dataset’s columns.',
  },
  QUERY_FUNCTION_NOT_ALLOWED: {
    status: 400,
    cause: 'The query calls a function that is not on the list of allowed ones.',
    fix: 'Use another function; the documentation lists the allowed ones.',
  },
  QUERY_NOT_SUPPORTED: {
    status: 400,
    cause: 'The query uses something that cannot be answered exactly here.',
    fix: 'Rewrite the part that the message names.',
  },
  QUERY_FAILED: {
    status: 422,
    cause: 'The database refused the query while it ran, such as a division by zero.',
    fix: 'Correct the query as the message says.',
  },
  QUERY_TIMEOUT: {
    status: 408,
    cause: 'The query ran past its timeout.',
    fix: 'Narrow the time range, or raise `timeoutMs`.',
  },
  QUERY_CANCELLED: {
    status: 409,
    cause: 'The job was cancelled while it ran.',
    fix: 'Submit it again if the result is still wanted.',
  },
  RESULT_TOO_LARGE: {
    status: 422,
    cause: 'The result is over the limit of one job.',
    fix: 'Aggregate, or narrow the time range.',
  },
  JOB_NOT_CANCELLABLE: { status: 409, cause: 'The job has already ended.', fix: 'Nothing to cancel; read its status.' },
  JOB_NOT_RUNNING: {
    status: 409,
    cause: 'Only a running job has something to finalize: this one waits, or has ended.',
    fix: 'Cancel a job that waits; read the result of one that has ended.',
  },
  JOB_NOT_COMPLETED: {
    status: 409,
    cause: 'The job waits or runs: its result is not whole yet.',
    fix: 'Wait for its end (`jobProgress`, `waitMs`), or ask with `partial: true` for the rows so far.',
  },
  JOB_FAILED: {
    status: 409,
    cause: 'The job ended with an error, so it has no result.',
    fix: 'Read the job’s `error`, and submit a corrected query.',
  },
  JOB_CANCELLED: {
    status: 409,
    cause: 'The job was cancelled, so it has no result.',
    fix: 'Submit it again if the result is still wanted.',
  },
  RESULT_EXPIRED: {
    status: 410,
    cause: 'The result was kept for its time, and is gone.',
    fix: 'Submit the query again; `resultTtlSeconds` and `touchJob` keep results for longer.',
  },
  UNKNOWN_FORMAT: {
    status: 400,
    cause: 'The download’s `format` is none that there is.',
    fix: 'Use json, csv or ndjson.',
  },
  RANGE_NOT_SATISFIABLE: {
    status: 416,
    cause: 'The `Range` begins behind the end of the download.',
    fix: 'Ask for a range within the size that `Content-Range` tells.',
  },
  INVALID_TIMEOUT: {
    status: 400,
    cause: 'A job’s `timeoutMs` is 0, negative, or above the most that a job may run.',
    fix: 'Use 1 to 3,600,000, or leave it out for the default.',
  },
  METADATA_TOO_LARGE: {
    status: 413,
    cause: 'A job’s `metadata` is over 16 KB as JSON.',
    fix: 'Keep what is large elsewhere, and its address in the metadata.',
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 409,
    cause: 'The idempotency key belongs to a job with another request.',
    fix: 'Use a new key for a new request; an equal request under the key answers with its job.',
  },
  CALLBACK_NOT_ALLOWED: {
    status: 400,
    cause: 'The callback’s address is no `https` URL, or leads to a private, local or otherwise forbidden address.',
    fix: 'Use a public https address; an operator admits others with CALLBACK_ALLOWED_ADDRESSES.',
  },
  JOB_ABANDONED: {
    status: 500,
    cause: 'The workers that ran the job ended again and again before it was done.',
    fix: 'Submit it again; tell the operator the job’s id if it stays.',
  },
  SERVICE_UNAVAILABLE: {
    status: 503,
    cause: 'A part that this field needs does not answer.',
    fix: 'Try again in a moment.',
  },
  DEADLINE_EXCEEDED: {
    status: 504,
    cause: 'The request took longer than its deadline.',
    fix: 'Ask for less at once, or submit a job.',
  },
  OPERATION_NOT_PLANNABLE: {
    status: 400,
    cause: 'The operation is valid, but no plan over the subgraphs answers it, or its conditions leave nothing of it.',
    fix: 'Change the operation; an operator finds the planner’s reason in the log.',
  },
  ERRORS_LEFT_OUT: {
    status: 200,
    cause: 'The answer has more errors than are told.',
    fix: 'Mend those that are told, or ask for less at once.',
  },
  SUBGRAPH_ERROR: {
    status: 200,
    cause: 'A part of the graph that is not ours answered with an error without a code.',
    fix: 'Read its message; its owners know more.',
  },
  SUBGRAPH_UNAVAILABLE: {
    status: 503,
    cause: 'The part of the graph that answers this field cannot be reached; the other fields are answered.',
    fix: 'Try again in a moment.',
  },
  SUBGRAPH_TIMEOUT: {
    status: 504,
    cause: 'The part of the graph that answers this field did not answer within its deadline.',
    fix: 'Ask for less at once, or try again.',
  },
  SUBGRAPH_INVALID_ANSWER: {
    status: 502,
    cause: 'The part of the graph that answers this field answered with something else than GraphQL, or with too much.',
    fix: 'Ask for less at once where the answer was too large; else tell the operator the request id.',
  },
  SUBGRAPH_CONNECTION_LOST: {
    status: 502,
    cause: 'The connection to the part of the graph that sends these events was lost: events may have been missed.',
    fix: 'Subscribe again, from the last cursor where the field takes one.',
  },
  HOP_TOKEN_INVALID: {
    status: 401,
    cause: 'A subgraph was called by somebody else than its gateway, or the call was changed or repeated on its way.',
    fix: 'Send operations to the gateway. An operator checks HOP_SIGNING_KEY, HOP_VERIFY_KEY and the machines’ clocks.',
  },
  SUBSCRIPTION_TRANSPORT: {
    status: 400,
    cause: 'A subscription was sent over plain HTTP.',
    fix: 'Use a WebSocket with the graphql-transport-ws protocol at the same address, or send `Accept: text/event-stream`.',
  },
  SUBSCRIPTION_LAGGED: {
    status: 503,
    cause: 'The subscriber reads too slowly: its queue was full, and it missed as many events as `missed` tells.',
    fix: 'Subscribe again, from the last cursor where the field takes one, and read faster or ask for less.',
  },
  SUBSCRIPTION_SCHEMA_RELOAD: {
    status: 503,
    cause: 'The graph changed while the subscription ran, and it does not mean the same any more.',
    fix: 'Subscribe again, from the last cursor where the field takes one.',
  },
  TOO_MANY_STREAMS: {
    status: 429,
    cause: 'The gateway, or this user, has as many WebSockets and event streams open as allowed.',
    fix: 'Close some, or send several subscriptions over one WebSocket.',
  },
  TOO_MANY_CONNECTIONS: {
    status: 429,
    cause:
      'The organisation has as many WebSockets and event streams open as its tier admits, or an address as it may without a token.',
    fix: 'Close some, or send several subscriptions over one WebSocket; a higher tier, or a token, admits more.',
  },
  TOO_MANY_OPERATIONS: {
    status: 429,
    cause: 'As many operations run on this WebSocket as allowed.',
    fix: 'Complete some first; the message tells the limit.',
  },
  BAD_REQUEST: {
    status: 400,
    cause: 'The request is not one of GraphQL over HTTP, such as a body without `query`.',
    fix: 'Correct the part that the message names.',
  },
  GRAPHQL_PARSE_FAILED: {
    status: 400,
    cause: 'The text of the operation is not GraphQL.',
    fix: 'Correct it at the place that `locations` tells.',
  },
  GRAPHQL_VALIDATION_FAILED: {
    status: 400,
    cause: 'The operation does not fit the schema.',
    fix: 'Correct it at the place that `locations` tells.',
  },
  OPERATION_RESOLUTION_FAILURE: {
    status: 400,
    cause: '`operationName` is missing where the document has several operations, or names none of them.',
    fix: 'Send the name of one of the document’s operations.',
  },
  OPERATION_LIMIT_EXCEEDED: {
    status: 400,
    cause:
      'The operation is over a limit: tokens, lines, depth, aliases, root fields, directives, selections or nesting.',
    fix: 'Ask for less in one operation; the message tells the number and the limit, `extensions.setting` its setting.',
  },
  COST_LIMIT_EXCEEDED: {
    status: 400,
    cause: 'The operation may answer more objects than one operation is allowed.',
    fix: 'Ask for smaller pages or fewer nested lists; the message tells the cost and the limit.',
  },
  PERSISTED_QUERY_NOT_FOUND: {
    status: 200,
    cause: 'Automatic persisted queries: no text with this hash has been sent yet.',
    fix: 'Send the text along with the hash, as clients do by themselves.',
  },
  PERSISTED_QUERY_NOT_SUPPORTED: {
    status: 200,
    cause: 'This gateway takes no automatic persisted queries.',
    fix: 'Send the text of the operation.',
  },
  PERSISTED_OPERATION_UNKNOWN: {
    status: 400,
    cause: 'The manifest of persisted operations has no operation with this id.',
    fix: 'Publish the operation in the manifest, or send an id that it has.',
  },
  PERSISTED_OPERATION_REQUIRED: {
    status: 400,
    cause: 'This gateway runs the operations of its manifest only.',
    fix: 'Send the id of a persisted operation, or exactly its text.',
  },
  INTERNAL_SERVER_ERROR: {
    status: 500,
    cause: 'Something unexpected went wrong; it was logged with the request id.',
    fix: 'Try again; tell the operator the request id if it stays.',
  },
});

export type ErrorCode = keyof typeof errorRegistry;

/** What travels with an error: the argument or position it is about, and figures that help. Never foreign data. */
export interface ErrorDetails {
  /** The argument or input field, as a path such as `input.query`. */
  argument?: string;
  /** Position in the caller's text, from 1. */
  line?: number;
  column?: number;
  [figure: string]: unknown;
}

/** An error that the caller is meant to see. Anything else is masked as INTERNAL_SERVER_ERROR. */
export class HarborwatchError extends Error {
  override readonly name = 'HarborwatchError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: ErrorDetails = {},
  ) {
    super(message);
  }
}

/** Throws the error that the caller is meant to see. */
export function fail(code: ErrorCode, message: string, details?: ErrorDetails): never {
  throw new HarborwatchError(code, message, details);
}

/** The error as GraphQL answers it. */
export const toErrorPayload = ({ message, code, details }: HarborwatchError) => ({
  message,
  extensions: { code, ...details },
});
