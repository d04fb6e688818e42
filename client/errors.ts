/** What every call of the client throws when it does not succeed. */

/** Codes of the client itself; all others are the server's. */
type ClientErrorCode = 'UNREACHABLE' | 'BAD_ANSWER' | 'TIMEOUT' | 'ABORTED';

interface ErrorOptions {
  /** Figures that came with the error, such as `argument`, `line` and `column`. */
  details?: Record<string, unknown>;
  /** The HTTP status of the answer, where there was one. */
  status?: number;
  /** How long the server asks to wait before the next try. */
  retryAfterMs?: number;
  cause?: unknown;
}

/** An error with a stable code: of the server's registry, or one of the client's own. */
export class HarborwatchClientError extends Error {
  override readonly name = 'HarborwatchClientError';
  readonly code: ClientErrorCode | (string & {});
  readonly details: Record<string, unknown>;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ClientErrorCode | (string & {}),
    message: string,
    { details = {}, status, retryAfterMs, cause }: ErrorOptions = {},
  ) {
    super(message, { cause });
    this.code = code;
    this.details = details;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** An error as GraphQL answers and the other doors spell it. */
export interface WireError {
  message: string;
  extensions?: Record<string, unknown>;
}

/** Makes the error of a wire error; what stands in its extensions beside the code becomes the details. */
export function fromWire(
  error: WireError,
  http: Pick<ErrorOptions, 'status' | 'retryAfterMs'> = {},
): HarborwatchClientError {
  const { code, ...details } = error.extensions ?? {};
  return new HarborwatchClientError(typeof code === 'string' ? code : 'INTERNAL_SERVER_ERROR', error.message, {
    details,
    ...http,
  });
}

/** Whether the server does not accept the token that was sent: a newer one may do. */
export const isTokenRefused = (error: unknown): boolean =>
  error instanceof HarborwatchClientError && ['UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED'].includes(error.code);
