/** Functions over the calendar of a time zone. */
import type { FunctionSpec } from './signatures.js';
import { spec } from './spec.js';

export const calendarFunctions = {
  calendar_bin: spec(
    'https://www.postgresql.org/docs/18/functions-datetime.html#FUNCTIONS-DATETIME-TRUNC',
    'The start of the minute, hour, day, week (Monday), month, quarter or year in a time zone in which the moment lies.',
    'datetime, string!, string! -> datetime',
  ),
  calendar_add: spec(
    'https://www.postgresql.org/docs/18/functions-datetime.html#FUNCTIONS-DATETIME-TABLE',
    'The moment so many days, weeks, months or years later by the calendar and the clocks of a time zone.',
    'string!, long!, datetime, string! -> datetime',
  ),
} satisfies Record<string, FunctionSpec>;
