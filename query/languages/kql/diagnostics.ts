/** What Kusto's parser and checks say against a text, in the words of ours. */
import { type ErrorCode, HarborwatchError } from '../../../platform/errors.js';
import type { SourceText } from '../../source-text.js';
import { type KustoCode, type KustoDiagnostic, loadKusto } from './kusto.js';

const codes: Partial<Record<string, ErrorCode>> = {
  KS142: 'QUERY_UNKNOWN_COLUMN',
  KS204: 'QUERY_UNKNOWN_TABLE',
  KS211: 'QUERY_FUNCTION_NOT_ALLOWED',
};

/** Kusto takes no dynamic in `distinct *`; here it is compared by its value. Elsewhere the translation refuses it. */
const dynamicNotAllowed = 'KS116';
/** Kusto checks nothing deeper, such as a long chain of `or`. */
const maxDepth = 500;
/** Checks of longer texts take seconds. */
const maxCharacters = 20_000;

export function syntaxError(diagnostic: KustoDiagnostic, source: SourceText): HarborwatchError {
  return errorAt(diagnostic, 'QUERY_SYNTAX', syntaxMessage(diagnostic, source), source);
}

/**
 * Kusto's checks of names and types behind those of the translation, which finds by itself what it cannot translate and
 * says it better. These find what KQL would refuse all the same, such as a name that is given twice.
 * @throws where a text that was translated is no KQL after all
 */
export function checkMeaning(code: KustoCode, source: SourceText): void {
  if (source.text.length > maxCharacters || code.MaxDepth > maxDepth) return;
  const problem = loadKusto()
    .toArray(code.Analyze().GetDiagnostics())
    .find(({ Code, Severity }) => Severity === 'Error' && Code !== dynamicNotAllowed);
  if (problem !== undefined) throw errorAt(problem, codes[problem.Code] ?? 'QUERY_SYNTAX', problem.Message, source);
}

function errorAt(diagnostic: KustoDiagnostic, code: ErrorCode, message: string, source: SourceText) {
  return new HarborwatchError(code, message, { argument: 'query', ...source.position(diagnostic.Start) });
}

function syntaxMessage({ Message, Start }: KustoDiagnostic, source: SourceText): string {
  const rest = source.text.slice(Start).trimStart();
  const [, word] = /^([\w$.-]+|\S)/.exec(rest) ?? [];
  const found = word === undefined ? 'the end of the text' : `"${word.slice(0, 60)}"`;
  const [, expected] = /^(?:Expected|Missing): (.+)$/s.exec(Message) ?? [];
  if (expected === ';')
    return `${sentence(found)} is not expected here. Steps are put together with "|", statements with ";".`;
  if (expected !== undefined) return `"${expected}" is expected here, before ${found}.`;
  if (Message.startsWith('Query operator expected')) return `${sentence(found)} is no operator. After "|" stands one.`;
  if (Message.startsWith('Missing expression')) return `A value or a name is missing here, before ${found}.`;
  if (Message.startsWith('The incomplete fragment')) return `${sentence(found)} is not expected here.`;
  return /[.!?]$/.test(Message) ? Message : `${Message}.`;
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
