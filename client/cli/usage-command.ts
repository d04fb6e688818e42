/** `harborwatch usage`: what the organisation sent, day by day, and what it uses of its quotas. */
import { type QuotaFiguresFragment, UsageDocument, type UsageQuery } from '../index.js';
import type { Command } from './command.js';
import { connectSignedIn, tokenOption, urlOption } from './connection.js';
import { CommandFailure, exitStatus, usageError } from './failure.js';
import type { Terminal } from './terminal/terminal.js';
import { formatBytes, formatCount } from './terminal/units.js';
import { displayWidth, visible } from './terminal/width.js';

type Usage = NonNullable<UsageQuery['viewer']['org']['usage']>;

const maxDays = 366;
/** The columns of a whole bar, and how many there are where no terminal sets a limit. */
const narrowestBar = 8;
const widestBar = 50;
const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

export const usage: Command = {
  name: 'usage',
  summary: 'Show what your organisation sent, day by day, and what it uses of its quotas.',
  positionals: [],
  options: {
    days: { value: 'N', description: `How many days with today, 1 to ${maxDays}.`, preset: '30' },
    output: { value: 'FORMAT', description: 'How to print.', choices: ['text', 'json'], preset: 'text' },
    url: urlOption,
    token: tokenOption,
  },
  notes: 'Days are those of UTC. A quota is shown in yellow from 80 % on, and in red when it is used up.',

  async run(args, terminal) {
    const days = Number(args.values.days);
    if (!Number.isInteger(days) || days < 1 || days > maxDays) {
      throw usageError(`--days takes a whole number from 1 to ${maxDays}, not "${args.values.days}".`);
    }
    const { client } = await connectSignedIn(args.values, terminal.surroundings.env);
    const { org } = (await client.execute(UsageDocument, { days })).viewer;
    if (!org.usage)
      throw new CommandFailure(exitStatus.failed, 'The server tells nothing of the usage of this organisation.');
    if (args.values.output === 'json') {
      await terminal.data(`${JSON.stringify(org.usage, null, 2)}\n`);
      return exitStatus.success;
    }
    await terminal.data(`${terminal.dataStyle('bold', visible(`${org.name} (${org.slug})`))}\n\n`);
    await terminal.data(`${daysText(org.usage.days, terminal.dataColumns)}\n`);
    await terminal.data(quotasText(org.usage, terminal));
    return exitStatus.success;
  },
};

/** One line a day: its bar in proportion to the day with the most events, and its figures. */
function daysText(days: Usage['days'], columns: number | undefined): string {
  const figures = days.map(({ events, bytes }) => [formatCount(BigInt(events)), formatBytes(Number(bytes))] as const);
  const [eventsWidth, bytesWidth] = [0, 1].map((index) => Math.max(...figures.map((row) => row[index]!.length)));
  const besideBar = '2026-01-31'.length + eventsWidth! + ' events'.length + bytesWidth! + 3 * 2;
  const room = columns === undefined ? widestBar : Math.min(widestBar, columns - besideBar);
  const width = Math.max(narrowestBar, room);
  const most = Math.max(...days.map(({ events }) => Number(events)));
  return days
    .map(({ day, events }, index) => {
      const [eventsText, bytesText] = figures[index]!;
      const bar = barOf(most === 0 ? 0 : Number(events) / most, width);
      return `${day}  ${bar.padEnd(width)}  ${eventsText.padStart(eventsWidth!)} events  ${bytesText.padStart(bytesWidth!)}\n`;
    })
    .join('');
}

/** A bar of a share of `width` columns; what is more than nothing can be seen. */
export function barOf(share: number, width: number): string {
  const parts = share === 0 ? 0 : Math.max(1, Math.round(share * width * 8));
  return '█'.repeat(Math.floor(parts / 8)) + eighths[parts % 8];
}

function quotasText(figures: Usage, terminal: Terminal): string {
  const quotas: [name: string, use: QuotaFiguresFragment | null | undefined, format: (value: string) => string][] = [
    ['events today', figures.eventsToday, (value) => formatCount(BigInt(value))],
    ['stored bytes', figures.storedBytes, (value) => formatBytes(Number(value))],
    ['running jobs', figures.runningJobs, (value) => formatCount(BigInt(value))],
    ['result bytes', figures.resultBytes, (value) => formatBytes(Number(value))],
    ['collections', figures.collections, (value) => formatCount(BigInt(value))],
  ];
  const rows = quotas.map(([name, use, format]) => {
    if (!use) return [name, 'unknown at the moment', ''] as const;
    if (use.limit == null || use.percent == null) return [name, `${format(use.used)}, no limit`, ''] as const;
    const text = `${use.percent} %`;
    const percent = use.percent < 80 ? text : terminal.dataStyle(use.percent < 100 ? 'yellow' : 'red', text);
    return [name, `${format(use.used)} of ${format(use.limit)}`, percent] as const;
  });
  const widths = [0, 1].map((index) => Math.max(...rows.map((row) => displayWidth(row[index]!))));
  return rows
    .map(([name, text, percent]) => `${name.padEnd(widths[0]!)}  ${text.padEnd(widths[1]!)}  ${percent}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('');
}
