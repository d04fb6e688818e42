/** Structured logs: one JSON object a line, with everything secret taken out before it is written. */
import { type DestinationStream, type Logger, pino } from 'pino';
import { withoutSecretFields, withoutSecrets } from './redaction.js';

export type { Logger };

const cleaned = (fields: object) => withoutSecretFields(fields) as Record<string, unknown>;

/**
 * A logger for one process.
 * @param part names the process in every line
 * @param destination where lines go; default standard output
 */
export function createLogger(part: string, level: string, destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: { part, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { log: cleaned },
      hooks: { streamWrite: withoutSecrets },
      serializers: { err: (error) => error },
    },
    destination ?? pino.destination(1),
  );
}
