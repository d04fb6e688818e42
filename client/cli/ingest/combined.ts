/**
 * The combined log format of Apache and Nginx, and the common format, which lacks the last two fields:
 *
 *     203.0.113.9 - frank [10/Oct/2000:13:55:36 -0700] "GET /a.gif HTTP/1.0" 200 2326 "http://example.com/" "Mozilla/4.08"
 */
import { unreadable } from './format.js';
import { createLineReader, type LineParser } from './lines.js';

/** The fields of `website_logs`; what that dataset does not declare the server keeps in `attributes`. */
interface WebRequest {
  request_timestamp: string;
  ip_address?: string;
  user_id?: string;
  http_method?: string;
  url?: string;
  protocol?: string;
  status_code?: number;
  bytes?: number;
  referrer?: string;
  user_agent?: string;
  /** What RFC 1413 said of the client's user. */
  ident?: string;
  /** The request line, where it is not HTTP. */
  request?: string;
  /** What stands behind the user agent, as some servers are told to log. */
  extra?: string;
}

// The user may hold blanks, as Apache writes it like it was sent; the date's bracket ends it.
const head = /^(\S+) (\S+) (.+?) \[([^[\]]{0,60})\] "/;
const figures = / (\d{3}|-) (\d+|-)(?= |$)/y;

/** One line as an event; undefined for an empty one. */
export const parseCombinedLine: LineParser = (text, line) => {
  if (text.trim() === '') return undefined;
  const event = parseCombined(text);
  return typeof event === 'string' ? unreadable(line, event, text) : { line, json: JSON.stringify(event) };
};

export const createCombinedReader = () => createLineReader(parseCombinedLine);

/** @returns the event, or what is wrong with the line */
export function parseCombined(line: string): WebRequest | string {
  const start = head.exec(line);
  if (!start) return 'The line does not begin like `ADDRESS IDENT USER [DATE] "REQUEST"`.';
  const [beginning, address, ident, user, date] = start as unknown as [string, string, string, string, string];
  const time = parseDate(date);
  if (time === undefined) return `"${date.slice(0, 60)}" is not a time such as 17/May/2015:10:05:03 +0000.`;

  const requestEnd = closingQuote(line, beginning.length);
  if (requestEnd === -1) return 'The quotes of the request are never closed.';
  const request = line.slice(beginning.length, requestEnd);
  figures.lastIndex = requestEnd + 1;
  const [, status, bytes] = figures.exec(line) ?? [];
  if (status === undefined || bytes === undefined)
    return 'Behind the request there should be a status and a number of bytes.';

  const event: WebRequest = { request_timestamp: time };
  put(event, 'ip_address', address);
  put(event, 'ident', ident);
  put(event, 'user_id', unescaped(user === '""' ? '-' : user));
  Object.assign(event, parseRequest(unescaped(request)));
  if (status !== '-') event.status_code = Number(status);
  if (bytes !== '-') event.bytes = Number(bytes);

  const [referrer, afterReferrer] = nextQuoted(line, figures.lastIndex);
  put(event, 'referrer', unescaped(referrer));
  const [userAgent, afterAgent] = nextQuoted(line, afterReferrer);
  put(event, 'user_agent', unescaped(userAgent));
  const extra = line.slice(afterAgent).trim();
  if (extra !== '"-"') put(event, 'extra', extra);
  return event;
}

/** A `-` stands for what is missing. */
function put(
  event: WebRequest,
  name: 'ip_address' | 'ident' | 'user_id' | 'referrer' | 'user_agent' | 'extra',
  value: string,
): void {
  if (value !== '' && value !== '-') event[name] = value;
}

/** The quoted field behind a blank, and where it ends. Where the file was cut off within it, it reaches to the line's end. */
function nextQuoted(line: string, at: number): [string, number] {
  if (!line.startsWith(' "', at)) return ['', at];
  const end = closingQuote(line, at + 2);
  return end === -1 ? [line.slice(at + 2), line.length] : [line.slice(at + 2, end), end + 1];
}

/** Where the quote is that ends the field: the next one with an even number of backslashes in front; -1 where none is. */
function closingQuote(line: string, from: number): number {
  for (let at = line.indexOf('"', from); at !== -1; at = line.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (at - backslashes > from && line[at - backslashes - 1] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return at;
  }
  return -1;
}

const requestLine = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+) (\S.*?)(?: (HTTP\/\d+(?:\.\d+)?))?$/s;

/** The parts of the request line; one that is not HTTP, such as a TLS handshake sent to a plain port, is kept whole. */
function parseRequest(text: string): Pick<WebRequest, 'http_method' | 'url' | 'protocol' | 'request'> {
  if (text === '' || text === '-') return {};
  const [, method, url, protocol] = requestLine.exec(text) ?? [];
  // Without a protocol it is HTTP/0.9, which knows GET alone.
  if (method === undefined || url === undefined || (protocol === undefined && (method !== 'GET' || url.includes(' '))))
    return { request: text };
  return { http_method: method, url, ...(protocol ? { protocol } : {}) };
}

const escapes = /(?:\\x[0-9A-Fa-f]{2})+|\\["\\]/g;
const strictUtf8 = new TextDecoder('utf-8', { fatal: true });
const control = /\p{Cc}/u;

/**
 * Takes back the escapes of Apache (`\"`, `\\`) and Nginx (`\x22`). Bytes that are no printable UTF-8, such as those of a
 * binary request, stay as the log spells them.
 */
function unescaped(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(escapes, (sequence) => {
    if (!sequence.startsWith('\\x')) return sequence[1]!;
    try {
      const bytes = Uint8Array.from(sequence.slice(2).split('\\x'), (digits) => Number.parseInt(digits, 16));
      const decoded = strictUtf8.decode(bytes);
      return control.test(decoded) ? sequence : decoded;
    } catch {
      return sequence;
    }
  });
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const datePattern = /^(\d{2})\/([A-Z][a-z]{2})\/(\d{4}):(\d{2}):(\d{2}):(\d{2}(?:\.\d{1,9})?) ([+-])(\d{2}):?(\d{2})$/;

/** `17/May/2015:10:05:03 +0000` as RFC 3339; undefined for a moment that does not exist. */
function parseDate(text: string): string | undefined {
  const match = datePattern.exec(text);
  if (!match) return undefined;
  const [, day, monthName, year, hour, minute, second, sign, offsetHours, offsetMinutes] = match as unknown as string[];
  const month = months.indexOf(monthName!) + 1;
  const days = new Date(Date.UTC(Number(year), month, 0)).getUTCDate();
  const outside =
    month === 0 ||
    Number(day) < 1 ||
    Number(day) > days ||
    Number(hour) > 23 ||
    Number(minute) > 59 ||
    Number(second) >= 61;
  if (outside || Number(offsetHours) > 23 || Number(offsetMinutes) > 59) return undefined;
  // A leap second is the last one of its minute here.
  const seconds = Number(second) >= 60 ? '59' : second;
  return `${year}-${String(month).padStart(2, '0')}-${day}T${hour}:${minute}:${seconds}${sign}${offsetHours}:${offsetMinutes}`;
}
