/**
 * A moment as people write it in a query, in the form that literals of the plan have: RFC 3339, UTC, without trailing
 * zeros. `2024-09-10`, `2024-09-10 07:21`, `2024-09-10T07:21:35.5+02:00`. Undefined where the text is none of these, is
 * no date of the calendar, or says more than whole microseconds of the years 1 to 9999.
 */
export function parseMoment(text: string): string | undefined {
  const match = pattern.exec(text.trim());
  if (match === null) return undefined;
  const [
    ,
    date = '',
    hour = '00',
    minute = '00',
    second = '00',
    fraction = '',
    sign = '+',
    zoneHour = '0',
    zoneMinute = '0',
  ] = match;
  const midnight = new Date(`${date}T00:00:00Z`);
  if (Number.isNaN(midnight.getTime()) || midnight.toISOString().slice(0, 10) !== date) return undefined;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  if (Number(zoneHour) > 15 || Number(zoneMinute) > 59) return undefined;
  const zoneMinutes = (Number(zoneHour) * 60 + Number(zoneMinute)) * (sign === '-' ? -1 : 1);
  const seconds = Number(hour) * 3600 + (Number(minute) - zoneMinutes) * 60 + Number(second);
  const moment = new Date(midnight.getTime() + seconds * 1000);
  const year = moment.getUTCFullYear();
  if (year < 1 || year > 9999) return undefined;
  const digits = fraction.replace(/0+$/, '');
  return `${moment.toISOString().slice(0, 19)}${digits === '' ? '' : `.${digits}`}Z`;
}

const pattern =
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?)?(?: ?(?:Z|([+-])(\d\d)(?::?(\d\d))?))?$/i;
