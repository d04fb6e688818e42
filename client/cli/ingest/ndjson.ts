/** NDJSON: one JSON object a line, sent on as it stands, so that no figure loses a digit. */
import { unreadable } from './format.js';
import { createLineReader, type LineParser } from './lines.js';

/** One line as an event; undefined for an empty one. */
export const parseNdjsonLine: LineParser = (text, line) => {
  const json = text.trim();
  if (json === '') return undefined;
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { line, json };
    return unreadable(line, `An event is a JSON object, and this line is ${kindOf(value)}.`, text);
  } catch (error) {
    // Pretty-printed JSON and arrays over many lines are the usual mistake: say what to do, once per line kind.
    const hint = /^[[\]{},]*$/.test(json) ? ' Each event takes one line; `jq -c` makes such lines of other JSON.' : '';
    return unreadable(line, `The line is not JSON: ${(error as Error).message}.${hint}`, text);
  }
};

export const createNdjsonReader = () => createLineReader(parseNdjsonLine);

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'an array (`jq -c ".[]"` makes lines of its items)';
  return value === null ? 'null' : `a ${typeof value}`;
}
