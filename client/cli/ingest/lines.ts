/** Readers of formats where a record is a line. */
import { type Entry, keptText, maxRecordChars, type RecordReader, tooLong } from './format.js';

/** Reads one line without its end; undefined for a line without a record, such as a blank one. */
export type LineParser = (text: string, line: number) => Entry | undefined;

/** A reader that splits at LF or CRLF and never holds more than one line. */
export function createLineReader(parse: LineParser): RecordReader {
  let rest = '';
  let line = 0;
  /** How much of the present line was thrown away because it is too long. */
  let dropped = 0;
  let beginning = '';

  const read = (text: string): Entry | undefined => {
    line += 1;
    if (dropped > 0 || text.length > maxRecordChars) {
      const chars = (dropped + text.length).toLocaleString('en');
      const entry = tooLong(
        line,
        `The line has ${chars} characters, far more than an event may have.`,
        beginning || text,
      );
      dropped = 0;
      beginning = '';
      return entry;
    }
    return parse(text.endsWith('\r') ? text.slice(0, -1) : text, line);
  };

  return {
    *push(text) {
      let start = 0;
      for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
        const entry = read(rest + text.slice(start, end));
        rest = '';
        start = end + 1;
        if (entry) yield entry;
      }
      rest += text.slice(start);
      if (rest.length > maxRecordChars) {
        if (dropped === 0) beginning = rest.slice(0, keptText);
        dropped += rest.length;
        rest = '';
      }
    },
    *end() {
      if (rest === '' && dropped === 0) return;
      const entry = read(rest);
      rest = '';
      if (entry) yield entry;
    },
  };
}
