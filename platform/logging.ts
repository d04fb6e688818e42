/** Structured logs: one JSON object a line, with everything secret taken out before it is written. */
import { type Logger, pino } from 'pino';

export type { Logger };

const secretFields = ['password', 'accessToken', 'refreshToken', 'token', 'authorization', 'cookie', 'secret'];

/** A logger for one process. `part` names the process in every line. */
export function createLogger(part: string, level: string): Logger {
  return pino({
    level,
    base: { part, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: '[redacted]' },
  });
}
