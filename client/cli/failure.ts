/** What ends a command without success: its message for people and its exit status. */
import { HarborwatchClientError } from '../errors.js';
import { visible } from './terminal/width.js';

/** The exit statuses beside 130 for Ctrl-C. */
export const exitStatus = { success: 0, failed: 1, usage: 2, unreachable: 3 } as const;

/** A failure that the person at the terminal can do something about: the message says what. */
export class CommandFailure extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The arguments or the input do not make sense. */
export const usageError = (message: string): CommandFailure => new CommandFailure(exitStatus.usage, message);

const notSignedIn = new Set(['UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'INVALID_CREDENTIALS', 'FORBIDDEN']);
const notThere = new Set(['UNREACHABLE', 'TIMEOUT', 'BAD_ANSWER', 'SERVICE_UNAVAILABLE']);
const wrongInput = new Set(['UNKNOWN_DATASET', 'BAD_USER_INPUT']);

/** The exit status that a server error means. */
export function statusOf(code: string): number {
  if (notSignedIn.has(code) || notThere.has(code)) return exitStatus.unreachable;
  return wrongInput.has(code) ? exitStatus.usage : exitStatus.failed;
}

/** Makes the failure of whatever was thrown; what nobody foresaw keeps its trace. */
export function toFailure(error: unknown): CommandFailure {
  if (error instanceof CommandFailure) return error;
  if (error instanceof HarborwatchClientError) return new CommandFailure(statusOf(error.code), messageOf(error));
  if (!(error instanceof Error)) return new CommandFailure(exitStatus.failed, String(error));
  // An error of the operating system says all in its message.
  return new CommandFailure(exitStatus.failed, 'syscall' in error ? error.message : (error.stack ?? error.message));
}

function messageOf({ code, message, details }: HarborwatchClientError): string {
  if (code === 'UNREACHABLE') {
    return `Harborwatch does not answer at ${details.server}. Is it running? Start it with \`npm start\`.\n(${visible(message)})`;
  }
  const text = `${code}: ${visible(message)}${positionOf(details)}`;
  if (code === 'TOKEN_EXPIRED') return `${text}\nSign in again with \`harborwatch login\`, or give a newer --token.`;
  if (code === 'UNAUTHENTICATED' || code === 'TOKEN_REVOKED')
    return `${text}\nSign in with \`harborwatch login\`, or give --token.`;
  return text;
}

/** Where in the caller's text the error is, for errors that are shown without that text. */
function positionOf({ line, column }: Record<string, unknown>): string {
  if (typeof line !== 'number') return '';
  return typeof column === 'number' ? ` (line ${line}, column ${column})` : ` (line ${line})`;
}
