/** What the file formats have in common: text goes in piece by piece, records come out. */

/** One record of the file. */
export interface EventRecord {
  /** Its first line in the file, from 1. */
  line: number;
  /** The event as the text of one JSON object. */
  json: string;
}

/** A record that is no event. */
export interface Unreadable {
  line: number;
  code: 'UNREADABLE_LINE' | 'EVENT_TOO_LARGE';
  message: string;
  /** The beginning of the record as it stands in the file. */
  text: string;
}

export type Entry = EventRecord | Unreadable;

/** Reads a format. Records that it cannot read are entries too, so that a broken line never stops the run. */
export interface RecordReader {
  /** Takes the next piece of text, cut anywhere. */
  push(text: string): Iterable<Entry>;
  /** The text is at its end. */
  end(): Iterable<Entry>;
}

/** The types of a dataset's columns by name. */
export type ColumnTypes = ReadonlyMap<string, string>;

/** The longest record that is held in memory; the server takes much less. */
export const maxRecordChars = 4_194_304;

/** How much of an unreadable record is kept, to show it. */
export const keptText = 2_000;

/** A record that is no event, with the start of its text to show. */
export const unreadable = (line: number, message: string, text: string): Unreadable => ({
  line,
  code: 'UNREADABLE_LINE',
  message,
  text: text.slice(0, keptText),
});

/** A record that is over the limit of its size. */
export const tooLong = (line: number, message: string, text: string): Unreadable => ({
  ...unreadable(line, message, text),
  code: 'EVENT_TOO_LARGE',
});
