/** Answers of queries: as cases write them, and whether an engine's answer is one. */
import type { JsonValue, ResultColumn, SearchSummary } from '../../../query/index.js';

export type Answer =
  | { kind: 'ROWS'; columns: ResultColumn[]; rows: JsonValue[][]; isOrdered: boolean }
  | { kind: 'ERROR'; code: string; position: string; part: string }
  | { kind: 'SEARCH'; summary: JsonValue };

/** What an engine gave. */
export type Given =
  | { kind: 'ROWS'; columns: ResultColumn[]; rows: JsonValue[][]; search?: SearchSummary }
  | { kind: 'ERROR'; code: string; message: string; line?: number; column?: number };

const types: Record<string, ResultColumn['type']> = {
  bool: 'BOOL',
  long: 'LONG',
  real: 'REAL',
  decimal: 'DECIMAL',
  string: 'STRING',
  guid: 'GUID',
  datetime: 'DATETIME',
  date: 'DATE',
  timespan: 'TIMESPAN',
  dynamic: 'DYNAMIC',
};

/** The lines from `=>` on. */
export function readAnswer([head, ...rest]: string[], place: string): Answer {
  const text = head!.slice(2).trim();
  const error = /^error (\S+) (\S+) ?(.*)$/.exec(text);
  if (error !== null) return { kind: 'ERROR', code: error[1]!, position: error[2]!, part: error[3]! };
  if (text === 'search') return { kind: 'SEARCH', summary: JSON.parse(rest.join('\n')) };
  const isOrdered = text.endsWith(' in order');
  const columns = text
    .replace(/ in order$/, '')
    .split(', ')
    .map((item) => readColumn(item, place));
  return { kind: 'ROWS', columns, rows: rest.map((line) => readRow(line, columns, place)), isOrdered };
}

/** `long -10`: one row with the column `v`. */
export function readExpressionAnswer(text: string, place: string): Answer {
  const [type, ...cell] = text.split(' ');
  const column = readColumn(`v:${type}`, place);
  return { kind: 'ROWS', columns: [column], rows: [[readCell(cell.join(' '), column.type)]], isOrdered: false };
}

function readColumn(text: string, place: string): ResultColumn {
  const colon = text.lastIndexOf(':');
  const type = types[text.slice(colon + 1)];
  if (type === undefined) throw new Error(`${place}: "${text}" is no column with a type.`);
  return { name: text.slice(0, colon), type };
}

function readRow(line: string, columns: ResultColumn[], place: string): JsonValue[] {
  const cells = line.match(/(?:"(?:[^"\\]|\\.)*"|[^"|])+/g) ?? [];
  if (cells.length !== columns.length) throw new Error(`${place}: "${line}" has ${cells.length} cells.`);
  return cells.map((cell, index) => readCell(cell.trim(), columns[index]!.type));
}

function readCell(text: string, type: ResultColumn['type']): JsonValue {
  if (text === 'null') return null;
  if (type === 'LONG') return Number.isSafeInteger(Number(text)) ? Number(text) : text;
  if (type === 'REAL') return Number.isFinite(Number(text)) ? Number(text) : text;
  if (type === 'BOOL' || type === 'STRING' || type === 'DYNAMIC') return JSON.parse(text);
  return text;
}

/** What is wrong with an engine's answer; undefined where it is right. */
export function faultOf(wanted: Answer, given: Given): string | undefined {
  if (wanted.kind === 'ERROR') {
    if (given.kind !== 'ERROR') return `It answered instead of refusing:\n${show(given)}`;
    return isError(wanted, given) ? undefined : `Another error came: ${show(given)}`;
  }
  if (given.kind === 'ERROR') return `It failed: ${show(given)}`;
  if (wanted.kind === 'SEARCH') {
    const summary = given.search as JsonValue | undefined;
    if (summary !== undefined && includes(summary, wanted.summary)) return undefined;
    return `Another summary came: ${JSON.stringify(summary)}`;
  }
  const wantedText = tableOf(wanted.columns, wanted.rows, wanted.isOrdered);
  const givenText = tableOf(given.columns, given.rows, wanted.isOrdered);
  return wantedText === givenText ? undefined : `Wanted:\n${wantedText}\nGiven:\n${givenText}`;
}

function isError(wanted: Answer & { kind: 'ERROR' }, given: Given & { kind: 'ERROR' }): boolean {
  const code = new RegExp(`^${wanted.code.replaceAll('*', '.*')}$`);
  const [line, column] = wanted.position === '*' ? [] : wanted.position.split(':').map(Number);
  return (
    code.test(given.code) &&
    (line === undefined || given.line === line) &&
    (column === undefined || given.column === column) &&
    given.message.includes(wanted.part)
  );
}

/** Whether everything that `part` says is so in `whole`. */
function includes(whole: JsonValue, part: JsonValue): boolean {
  if (part === null || typeof part !== 'object') return whole === part;
  if (whole === null || typeof whole !== 'object') return false;
  if (Array.isArray(part)) {
    return (
      Array.isArray(whole) && whole.length === part.length && part.every((item, index) => includes(whole[index]!, item))
    );
  }
  return Object.entries(part).every(([key, value]) => {
    const item = (whole as Record<string, JsonValue>)[key];
    return item !== undefined && includes(item, value);
  });
}

/** The lines that only one of two tables has, a few of each. */
export function linesThatDiffer(wanted: string, given: string): string {
  const only = (text: string, other: string): string => {
    const known = other.split('\n');
    const lines = text.split('\n').filter((line) => {
      const at = known.indexOf(line);
      if (at !== -1) known.splice(at, 1);
      return at === -1;
    });
    return [...lines.slice(0, 8), ...(lines.length > 8 ? [`... and ${lines.length - 8} more`] : [])].join('\n');
  };
  const head = wanted.split('\n')[0];
  const lines = `${head}\nwanted, not given:\n${only(wanted, given)}\ngiven, not wanted:\n${only(given, wanted)}`;
  return wanted.split('\n').sort().join('\n') === given.split('\n').sort().join('\n')
    ? `${lines}The order differs.`
    : lines;
}

/** The table as text, the same for tables that mean the same. */
export function tableOf(columns: ResultColumn[], rows: JsonValue[][], isOrdered: boolean): string {
  const head = columns.map(({ name, type }) => `${name}:${type.toLowerCase()}`).join(', ');
  const lines = rows.map((row) => row.map((cell, index) => showCell(cell, columns[index]?.type)).join(' | '));
  return [head, ...(isOrdered ? lines : lines.sort())].join('\n');
}

function showCell(cell: JsonValue, type: ResultColumn['type'] | undefined): string {
  if (cell === null) return 'null';
  if (type === 'TIMESPAN' && typeof cell === 'string') return `${microsecondsOf(cell)} us`;
  return JSON.stringify(canonical(cell));
}

/** Keys in order, and reals as far as two ways of adding them up agree. */
function canonical(value: JsonValue): JsonValue {
  if (typeof value === 'number') return Number.isInteger(value) ? value : Number(value.toPrecision(10));
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(canonical);
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, canonical((value as Record<string, JsonValue>)[key]!)]),
  );
}

const units = { D: 86_400n, H: 3_600n, M: 60n, S: 1n };

/** Of a timespan as Kusto writes it (`-1.02:03:04.5`), or as ISO 8601 does (`P1DT2H`). */
function microsecondsOf(text: string): bigint {
  const kusto = /^(-?)(?:(\d+)\.)?(\d+):(\d\d):(\d\d)(?:\.(\d+))?$/.exec(text);
  if (kusto !== null) {
    const [, sign, days = '0', hours, minutes, seconds, fraction = ''] = kusto;
    const whole = BigInt(days) * 86_400n + BigInt(hours!) * 3_600n + BigInt(minutes!) * 60n + BigInt(seconds!);
    const all = whole * 1_000_000n + BigInt(fraction.padEnd(6, '0').slice(0, 6));
    return sign === '-' ? -all : all;
  }
  let sum = 0n;
  for (const [, sign, whole, fraction = '', unit] of text.matchAll(/([-+]?)(\d+)(?:\.(\d+))?([DHMS])/g)) {
    const part = (BigInt(whole!) * 1_000_000n + BigInt(fraction.padEnd(6, '0'))) * units[unit as keyof typeof units];
    sum += sign === '-' ? -part : part;
  }
  return sum;
}

function show(given: Given): string {
  if (given.kind === 'ROWS') return tableOf(given.columns, given.rows, true);
  const position = given.line === undefined ? '' : ` at ${given.line}:${given.column}`;
  return `${given.code}${position}: ${given.message}`;
}
