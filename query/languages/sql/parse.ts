import { hasSqlDetails, loadModule, parseSync } from 'libpg-query';
import { fail } from '../../../platform/errors.js';
import type { SourceText } from '../../source-text.js';
import { refuseNonText } from '../characters.js';

/** The longest text that is parsed, in UTF-16 units. Parsing this much takes some 50 ms on the calling thread. */
export const maxTextLength = 262_144;

/** A node of the parser's tree, without its kind. */
export type TreeNode = Record<string, unknown>;

/** A statement of the parser's tree: its kind, and the byte offset at which it starts. */
export interface ParsedStatement {
  kind: string;
  node: TreeNode;
  start: number;
}

/** Parses a text with PostgreSQL's own grammar. */
export async function parseSql(source: SourceText): Promise<ParsedStatement[]> {
  const { text } = source;
  if (text.length > maxTextLength) {
    const figures = `${text.length.toLocaleString('en')} characters, at most ${maxTextLength.toLocaleString('en')}`;
    fail('QUERY_NOT_SUPPORTED', `The query is too long: ${figures} are read.`, {
      argument: 'query',
      ...source.position(0),
    });
  }
  refuseNonText(source);
  if (text.trim() === '') failEmpty();
  await loadModule();
  const statements = parse(source);
  if (statements.length === 0) failEmpty();
  return statements;
}

function parse(source: SourceText): ParsedStatement[] {
  try {
    const { stmts = [] } = parseSync(source.text) as { stmts?: { stmt?: object; stmt_location?: number }[] };
    return stmts.map(({ stmt = {}, stmt_location: start = 0 }) => {
      const [kind = 'Unknown', node = {}] = Object.entries(stmt)[0] ?? [];
      return { kind, node: node as TreeNode, start };
    });
  } catch (error) {
    if (isTooDeep(error)) {
      fail('QUERY_NOT_SUPPORTED', 'The query is nested too deeply. Use fewer levels, or IN (...) for long lists.', {
        argument: 'query',
        ...source.position(0),
      });
    }
    if (!hasSqlDetails(error)) throw error;
    const index = source.indexOfCodePoint(Math.max(0, error.sqlDetails?.cursorPosition ?? 0));
    fail('QUERY_SYNTAX', sentence(error.message), { argument: 'query', ...source.position(index) });
  }
}

function failEmpty(): never {
  fail('QUERY_SYNTAX', 'The query is empty. Write one SELECT.', { argument: 'query', line: 1, column: 1 });
}

/** The parser's stack is bounded: past it, it says so or JavaScript does. Both leave it usable. */
function isTooDeep(error: unknown): boolean {
  return error instanceof RangeError || (hasSqlDetails(error) && error.message.startsWith('memory exhausted'));
}

/** `syntax error at or near "x"` as a sentence. */
function sentence(message: string): string {
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
}
