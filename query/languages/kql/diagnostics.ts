/** What Kusto's parser says against a text, in the words of ours. */
import { HarborwatchError } from '../../../platform/errors.js';
import type { SourceText } from '../../source-text.js';
import type { KustoDiagnostic } from './kusto.js';

export function syntaxError(diagnostic: KustoDiagnostic, source: SourceText): HarborwatchError {
  return new HarborwatchError('QUERY_SYNTAX', syntaxMessage(diagnostic, source), {
    argument: 'query',
    ...source.position(diagnostic.Start),
  });
}

function syntaxMessage({ Message, Start }: KustoDiagnostic, source: SourceText): string {
  const rest = source.text.slice(Start).trimStart();
  const [, word] = /^([\w$.-]+|\S)/u.exec(rest) ?? [];
  const found = word === undefined ? 'the end of the text' : `"${word.slice(0, 60)}"`;
  const [, expected] = /^(?:Expected|Missing): (.+)$/s.exec(Message) ?? [];
  if (expected === ';')
    return `${sentence(found)} is not expected here. Steps are put together with "|", statements with ";".`;
  if (expected !== undefined) return `"${expected}" is expected here, before ${found}.`;
  if (Message.startsWith('Query operator expected')) return `${sentence(found)} is no operator. After "|" stands one.`;
  if (Message.startsWith('Missing expression')) return `A value or a name is missing here, before ${found}.`;
  if (Message.startsWith('Unexpected: ')) {
    // Kusto names half of a character that is a pair.
    const character = String.fromCodePoint(source.text.codePointAt(Start) ?? 0x20);
    return `The character ${JSON.stringify(character)} has no meaning here.`;
  }
  if (Message.startsWith('The incomplete fragment')) return `${sentence(found)} is not expected here.`;
  return /[.!?]$/.test(Message) ? Message : `${Message}.`;
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
