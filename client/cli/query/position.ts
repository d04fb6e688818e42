/** Shows where in a query an error is. */
import { displayWidth, visible } from '../terminal/width.js';

const longestExcerpt = 100;
const contextBefore = 50;

/**
 * The line of the query with a caret under the column; empty where the position is not in the text.
 * @param line from 1
 * @param column from 1, counted in characters
 */
export function pointAt(query: string, line: number | null | undefined, column: number | null | undefined): string {
  const lines = query.split('\n');
  const text = line == null ? undefined : lines[line - 1];
  if (text === undefined || column == null || column < 1) return '';
  const chars = [...text.replaceAll('\t', ' ').replace(/\r$/, '')];
  const at = Math.min(column - 1, chars.length);
  // Of a long line, the part around the column.
  const start = chars.length > longestExcerpt ? Math.max(0, at - contextBefore) : 0;
  const end = start + longestExcerpt;
  const margin = lines.length > 1 ? `${line} | ` : '  ';
  const before = `${start > 0 ? '…' : ''}${visible(chars.slice(start, at).join(''))}`;
  const after = `${visible(chars.slice(at, end).join(''))}${end < chars.length ? '…' : ''}`;
  return `${margin}${before}${after}\n${' '.repeat(margin.length + displayWidth(before))}^`;
}
