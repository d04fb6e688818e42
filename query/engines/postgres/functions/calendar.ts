/** The SQL of the functions over the calendar. */

import { literal } from '../../../plan/build.js';
import type { calendarFunctions } from '../../../plan/functions/calendar.js';
import type { Template } from './template.js';

/** PostgreSQL reads a bare offset with POSIX's sign, which is the other one. */
function zoneName(zone: string): string {
  const match = /^([+-])(\d{2}):?(\d{2})$/.exec(zone);
  return match === null ? zone : `<${zone}>${match[1] === '+' ? '-' : '+'}${match[2]}:${match[3]}`;
}

export const calendarTemplates: Readonly<Record<keyof typeof calendarFunctions, Template>> = {
  calendar_bin: ({ args: [moment, unit, zone], compile }) => {
    const name = compile(literal('string', zoneName(String(zone!.literal!.value))), 'VALUE');
    return `date_trunc(${unit!.sql}, ${moment!.sql}, ${name.sql})`;
  },
};
