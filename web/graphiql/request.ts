/** One GraphQL operation as it travels over HTTP and WebSocket. */
export interface Operation {
  query: string;
  variables?: Record<string, unknown> | null;
  operationName?: string | null;
}

/** One error of an answer; `extensions.code` comes from the error registry of the API. */
export interface AnswerError {
  message: string;
  extensions?: { code?: string };
}

/** A GraphQL answer: `data` is missing when the operation was refused as a whole. */
export interface Answer<Data = unknown> {
  data?: Data | null;
  errors?: readonly AnswerError[];
}

/** An answer of the API is waited for this long; longer queries are jobs, which answer at once. */
const requestTimeoutMs = 60_000;

/**
 * Sends one operation over HTTP.
 *
 * @throws an Error with a message for the user when the server is unreachable, silent, or answers something else than GraphQL.
 */
export async function postOperation<Data>(
  endpoint: URL,
  operation: Operation,
  headers: Record<string, string> = {},
  options: {
    /** True lets the request go on when the page is left or loaded again. Default false. */
    keepalive?: boolean;
  } = {},
): Promise<Answer<Data>> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      accept: 'application/graphql-response+json, application/json',
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify(operation),
    ...options,
    signal: AbortSignal.timeout(requestTimeoutMs),
  }).catch((cause: unknown) => {
    const timedOut = cause instanceof DOMException && cause.name === 'TimeoutError';
    const what = timedOut ? `did not answer within ${requestTimeoutMs / 1000} s` : 'cannot be reached';
    throw new Error(`Harborwatch ${what} at ${endpoint.origin}. Check that it is running, then try again.`, { cause });
  });
  const answer: unknown = await response.json().catch(() => undefined);
  if (typeof answer === 'object' && answer !== null && ('data' in answer || 'errors' in answer))
    return answer as Answer<Data>;
  throw new Error(
    `${endpoint.href} answered with HTTP status ${response.status} and no GraphQL result. Check that the address belongs to Harborwatch.`,
  );
}

/** True when an answer was refused as a whole because its token is missing, not valid or past its life. */
export function isUnauthenticated(answer: Answer): boolean {
  return answer.data == null && hasAuthenticationError(answer.errors ?? []);
}

/** True when one of the errors asks for another token. */
export function hasAuthenticationError(errors: readonly AnswerError[]): boolean {
  return errors.some(({ extensions }) => tokenRefusals.includes(extensions?.code));
}

const tokenRefusals: unknown[] = ['UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED'];
