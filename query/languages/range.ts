import { fail } from '../../platform/errors.js';
import { momentOf, momentText } from '../plan/moment.js';
import type { TimeRange } from '../prepared-query.js';

/**
 * The range with its ends as literals of the plan. An end with a finer fraction is the next microsecond: events are
 * stored in whole ones, so the same ones are in it. Throws BAD_USER_INPUT where an end is no moment.
 */
export function exactRange({ from, to }: TimeRange = {}): TimeRange {
  return {
    ...(from === undefined ? {} : { from: exact('from', from) }),
    ...(to === undefined ? {} : { to: exact('to', to) }),
  };
}

function exact(argument: 'from' | 'to', text: string): string {
  const moment = momentOf(text);
  if (moment !== undefined) return momentText(moment);
  fail(
    'BAD_USER_INPUT',
    `"${argument}" of the time range must be RFC 3339 in the years 1 to 9999, such as 2024-09-10T07:21:35Z.`,
    {
      argument,
    },
  );
}
