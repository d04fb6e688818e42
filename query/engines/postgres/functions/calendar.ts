/** The SQL of the functions over the calendar. */

import { literal } from '../../../plan/build.js';
import type { calendarFunctions } from '../../../plan/functions/calendar.js';
import type { Argument, Template, TemplateCall } from './template.js';

/** PostgreSQL reads a bare offset with POSIX's sign, which is the other one. */
function zoneName(zone: string): string {
  const match = /^([+-])(\d{2}):?(\d{2})$/.exec(zone);
  return match === null ? zone : `<${zone}>${match[1] === '+' ? '-' : '+'}${match[2]}:${match[3]}`;
}

const nameOf = (zone: Argument, { compile }: TemplateCall): string =>
  compile(literal('string', zoneName(String(zone.literal!.value))), 'VALUE').sql;

export const calendarTemplates: Readonly<Record<keyof typeof calendarFunctions, Template>> = {
  calendar_bin: (call) => {
    const [moment, unit, zone] = call.args;
    return `date_trunc(${unit!.sql}, ${moment!.sql}, ${nameOf(zone!, call)})`;
  },
  calendar_add: (call) => {
    const [unit, count, moment, zone] = call.args;
    const interval = call.parameter(`${count!.literal!.value} ${unit!.literal!.value}`, 'interval');
    return `date_add(${moment!.sql}, ${interval}, ${nameOf(zone!, call)})`;
  },
};
