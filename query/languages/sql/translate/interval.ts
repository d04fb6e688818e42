/** `1 day 2 hours`, `1 day 02:30:00`, in microseconds; undefined for months, fractions and other spellings. */
export function parseInterval(text: string): number | undefined {
  const [, units = '', clock = ''] = form.exec(text) ?? [];
  if (units.trim() === '' && clock === '') return undefined;
  let seconds = 0;
  for (const [, count, unit] of units.matchAll(/(\d+)\s*([a-z]+?)s?(?=\s|\d|$)/gi)) {
    seconds += Number(count) * unitSeconds[unit!.toLowerCase()]!;
  }
  const [hours = 0, minutes = 0, rest = 0] = clock.split(':').map(Number);
  if (minutes > 59 || rest > 59) return undefined;
  seconds += hours * 3600 + minutes * 60 + rest;
  return seconds <= maxSeconds ? seconds * 1_000_000 : undefined;
}

const form = /^\s*((?:\d{1,9}\s*(?:second|minute|hour|day|week)s?\s*)*)(\d{1,2}:\d{2}:\d{2})?\s*$/i;
const unitSeconds: Record<string, number> = { second: 1, minute: 60, hour: 3_600, day: 86_400, week: 604_800 };
const maxSeconds = 100_000 * 86_400;
