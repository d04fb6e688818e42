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
    throw noAnswer(cause, url, request, timeout.aborted);
  }
  const answer = read(response, text);
  if (answer && response.ok) return answer;
  throw badAnswer(response, url);
}

/**
 * Opens a download: what it holds comes as it is read.
 * @param request `timeoutMs` is how long the first byte may take
 * @throws as `post`; reading the body throws UNREACHABLE where it breaks off, and ABORTED
 */
export async function open(
  fetcher: typeof fetch,
  url: URL,
  request: Omit<HttpRequest, 'body'> & { method: 'GET' | 'HEAD' },
): Promise<{ response: Response; body: AsyncGenerator<Uint8Array, void, undefined> }> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), request.timeoutMs);
  const signal = request.signal ? AbortSignal.any([request.signal, late.signal]) : late.signal;
  try {
    const { method, headers } = request;
    const response = await fetcher(url, { method, headers, signal, redirect: 'error' });
    if (!response.ok) {
      read(response, await response.text());
      throw badAnswer(response, url);
    }
    return { response, body: bodyOf(response, url, request) };
  } catch (cause) {
    throw cause instanceof HarborwatchClientError ? cause : noAnswer(cause, url, request, late.signal.aborted);
  } finally {
    clearTimeout(timer);
  }
}

async function* bodyOf(
  response: Response,
  url: URL,
  request: Pick<HttpRequest, 'signal' | 'timeoutMs'>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const bytes of response.body ?? []) yield bytes;
  } catch (cause) {
    throw noAnswer(cause, url, request, false);
  }
}

/** @throws the first error of the answer */
function read(response: Response, text: string): Answer | undefined {
  const http = { status: response.status, ...retryAfter(response) };
  const answer = parse(text);
  const [error] = answer?.errors ?? [];
  if (error) throw fromWire(error, http);
  return answer;
}

const badAnswer = (response: Response, { origin }: URL): HarborwatchClientError =>
  new HarborwatchClientError(
    'BAD_ANSWER',
    `${origin} answered with status ${response.status} and no JSON that Harborwatch would send. Is this the address of a Harborwatch?`,
    { status: response.status, ...retryAfter(response) },
  );

function noAnswer(
  cause: unknown,
  { origin }: URL,
  { signal, timeoutMs }: Pick<HttpRequest, 'signal' | 'timeoutMs'>,
  isLate: boolean,
): HarborwatchClientError {
  const details = { server: origin };
  if (signal?.aborted) return new HarborwatchClientError('ABORTED', 'The request was given up.', { cause });
  if (isLate) {
    const message = `${origin} did not answer within ${timeoutMs / 1000} s.`;
    return new HarborwatchClientError('TIMEOUT', message, { cause, details });
  }
  return new HarborwatchClientError('UNREACHABLE', `${origin} does not answer: ${reasonOf(cause)}.`, {
    cause,
    details,
  });
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
