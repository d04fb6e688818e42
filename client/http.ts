/** One HTTP exchange with the server: bounded in time, JSON in the answer, errors with a code. */
import { fromWire, HarborwatchClientError, type WireError } from './errors.js';

export interface HttpRequest {
  body: BodyInit;
  headers: Record<string, string>;
  /** How long the whole exchange may take. */
  timeoutMs: number;
  /** Ends the exchange early with the code ABORTED. */
  signal?: AbortSignal | undefined;
}

interface Answer {
  data?: unknown;
  errors?: WireError[];
}

/**
 * Posts and answers the parsed JSON.
 * @throws HarborwatchClientError: the first of the answer's errors, or UNREACHABLE, TIMEOUT, ABORTED, BAD_ANSWER
 */
export async function post(fetcher: typeof fetch, url: URL, request: HttpRequest): Promise<unknown> {
  const timeout = AbortSignal.timeout(request.timeoutMs);
  const signal = request.signal ? AbortSignal.any([request.signal, timeout]) : timeout;
  let response: Response;
  let text: string;
  try {
    const headers = { accept: 'application/json', ...request.headers };
    response = await fetcher(url, { method: 'POST', body: request.body, headers, signal, redirect: 'error' });
    text = await response.text();
  } catch (cause) {
    const details = { server: url.origin };
    if (request.signal?.aborted) throw new HarborwatchClientError('ABORTED', 'The request was given up.', { cause });
    if (timeout.aborted) {
      throw new HarborwatchClientError(
        'TIMEOUT',
        `${url.origin} did not answer within ${request.timeoutMs / 1000} s.`,
        { cause, details },
      );
    }
    throw new HarborwatchClientError('UNREACHABLE', `${url.origin} does not answer: ${reasonOf(cause)}.`, {
      cause,
      details,
    });
  }
  const http = { status: response.status, ...retryAfter(response) };
  const answer = parse(text);
  const [error] = answer?.errors ?? [];
  if (error) throw fromWire(error, http);
  if (answer && response.ok) return answer;
  throw new HarborwatchClientError(
    'BAD_ANSWER',
    `${url.origin} answered with status ${response.status} and no JSON that Harborwatch would send. Is this the address of a Harborwatch?`,
    http,
  );
}

function parse(text: string): Answer | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { errors } = value as Answer;
    return errors === undefined || Array.isArray(errors) ? (value as Answer) : undefined;
  } catch {
    return undefined;
  }
}

function retryAfter(response: Response): { retryAfterMs?: number } {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? { retryAfterMs: seconds * 1000 } : {};
}

/** `fetch` hides why a connection failed in the cause of its error. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  return 'code' in cause && typeof cause.code === 'string' && !cause.message.includes(cause.code)
    ? `${cause.message || 'no connection'} (${cause.code})`
    : cause.message;
}
