/** From a text to its statements, with what Kusto's parser says against it as errors of ours. */
import { fail } from '../../../platform/errors.js';
import type { SourceText } from '../../source-text.js';
import { refuseNonText } from '../characters.js';
import { syntaxError } from './diagnostics.js';
import { loadKusto } from './kusto.js';
import { refuseOutside } from './refusals.js';
import { readSyntax, type SyntaxNode } from './syntax.js';

/** Longer texts are refused unread. 10,000 conditions fit. */
const maxCharacters = 400_000;
/** Kusto's parser takes time that grows with the square of the nesting, and worse. */
const maxNesting = 100;

/**
 * The statements of a text. Kusto's own check of names and types is not asked for: it takes several times as long as all
 * the rest, and the translation finds by itself what is wrong.
 * @throws where it is no query, or names something that reaches outside
 */
export function parseKql(source: SourceText): SyntaxNode[] {
  refuseNonText(source);
  refuseSize(source);
  refuseCommand(source);
  const kusto = loadKusto();
  const block = kusto.language.Parsing.QueryParser.ParseQuery$1(source.text);
  const tree = readSyntax(block, kusto.kindNames);
  refuseOutside(tree, source);
  const problem = kusto.toArray(block.GetContainedSyntaxDiagnostics()).find(({ Severity }) => Severity === 'Error');
  if (problem !== undefined) throw syntaxError(problem, source);
  return tree.lists.Statements ?? [];
}

/** Kusto's commands, which write, begin with a dot. They are not parsed: that alone takes seconds. */
function refuseCommand(source: SourceText): void {
  const [before] = /^(?:\s|\/\/[^\n]*(?:\n|$))*/.exec(source.text)!;
  if (source.text[before.length] !== '.') return;
  fail('QUERY_NOT_READ_ONLY', 'A text that begins with "." is a command. Queries only read.', {
    argument: 'query',
    ...source.position(before.length),
  });
}

/** Strings and comments, whose brackets do not count, and brackets. */
const brackets =
  /\/\/[^\n]*|```[\s\S]*?(?:```|$)|~~~[\s\S]*?(?:~~~|$)|@"(?:[^"]|"")*"?|@'(?:[^']|'')*'?|"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|[([{]|[)\]}]/g;

function refuseSize(source: SourceText): void {
  const { text } = source;
  if (text.length > maxCharacters) {
    fail('QUERY_NOT_SUPPORTED', `The text has ${text.length} characters, and KQL may have ${maxCharacters} here.`, {
      argument: 'query',
      ...source.position(0),
    });
  }
  let depth = 0;
  for (const { 0: found, index } of text.matchAll(brackets)) {
    if (found.length > 1) continue;
    if ('([{'.includes(found)) depth += 1;
    else if (')]}'.includes(found)) depth -= 1;
    if (depth < -maxNesting) {
      fail('QUERY_SYNTAX', `${found} is not expected here: nothing is open that it would close.`, {
        argument: 'query',
        ...source.position(index),
      });
    }
    if (depth > maxNesting) {
      fail('QUERY_NOT_SUPPORTED', `The query is nested too deeply: more than ${maxNesting} brackets are open here.`, {
        argument: 'query',
        ...source.position(index),
      });
    }
  }
}
