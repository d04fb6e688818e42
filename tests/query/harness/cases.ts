/**
 * Queries with their answers, as text files: `cases/<language>/<topic>.txt`. A file is a list of cases:
 *
 *     == the guarantee that the case shows
 *     -- The documentation's rule, in one sentence. [page.md]
 *     @ now 2024-01-01T00:00:00Z              what `now()` is; `from` and `to` for a time range, `dataset` for a search
 *     >> logs                                 events of a dataset, one JSON object a line
 *     {"timestamp": "2024-01-01T00:00:00Z"}
 *     >>                                      ends the events where the query begins with a brace
 *     logs | project host                     the query, any number of lines
 *     => host:string, n:long in order         the answer: its columns; without `in order` rows come in any order
 *     "a" | 1                                 a row a line; strings and dynamics are JSON, the rest is bare
 *
 * Instead of a table there can be `=> error CODE line:column part of the message`, where a star stands for anything, and
 * `=> search` with JSON that the summary of a search must match. A case without `=>` at the start of a line is a list of
 * expressions, each a case of its own: `bin(-7, 5) => long -10`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { JsonValue } from '../../../query/index.js';
import { type Answer, readAnswer, readExpressionAnswer } from './answers.js';

export interface QueryCase {
  /** `bins.txt:12`. */
  place: string;
  title: string;
  /** The documentation's rule on which the answer rests, with its page. */
  rule: string;
  query: string;
  settings: { now?: string; from?: string; to?: string; dataset?: string };
  /** The events of each dataset. */
  input: Map<string, JsonValue[]>;
  answer: Answer;
}

/** The cases of a language, file by file. */
export function readCases(language: string): QueryCase[] {
  const folder = path.join(import.meta.dirname, '../cases', language);
  return readdirSync(folder)
    .filter((file) => file.endsWith('.txt'))
    .sort()
    .flatMap((file) => readFile(file, readFileSync(path.join(folder, file), 'utf8')));
}

function readFile(file: string, text: string): QueryCase[] {
  const lines = text.split('\n');
  const starts = lines.flatMap((line, index) => (line.startsWith('== ') ? [index] : []));
  return starts.flatMap((start, index) => {
    const block = lines.slice(start, starts[index + 1]);
    while (block.at(-1) === '') block.pop();
    return readBlock(`${file}:${start + 1}`, block);
  });
}

function readBlock(place: string, [heading, ...lines]: string[]): QueryCase[] {
  const title = heading!.slice(3);
  const rules: string[] = [];
  const settings: QueryCase['settings'] = {};
  const input: QueryCase['input'] = new Map();
  let events: JsonValue[] | undefined;
  let at = 0;
  for (; at < lines.length; at++) {
    const line = lines[at]!;
    if (line === '>>') {
      at++;
      break;
    }
    const [, mark, rest] = /^(--|@|>>) (.*)$/.exec(line) ?? [];
    if (mark === '--') rules.push(rest!);
    else if (mark === '@') readSetting(rest!, settings, place);
    else if (mark === '>>') {
      events = [];
      input.set(rest!, events);
    } else if (events !== undefined && line.startsWith('{')) events.push(JSON.parse(line));
    else break;
  }
  const common = { title, rule: rules.join(' '), settings, input };
  const body = lines.slice(at);
  const answerAt = body.findIndex((line) => line.startsWith('=>'));
  if (answerAt === -1) return body.map((line) => ({ ...common, ...readExpression(place, line) }));
  const query = body.slice(0, answerAt).join('\n');
  return [{ ...common, place, query, answer: readAnswer(body.slice(answerAt), place) }];
}

function readSetting(text: string, settings: QueryCase['settings'], place: string): void {
  const [, name, value] = /^(now|from|to|dataset) (\S+)$/.exec(text) ?? [];
  if (name === undefined) throw new Error(`${place}: no setting is "${text}".`);
  settings[name as keyof typeof settings] = value!;
}

/** `strlen('a') => long 1`: its query prints the expression. */
function readExpression(place: string, line: string): Pick<QueryCase, 'place' | 'query' | 'answer'> {
  const [expression, answer] = line.split(' => ');
  if (answer === undefined) throw new Error(`${place}: "${line}" has no answer.`);
  return {
    place: `${place} ${expression}`,
    query: `print v = ${expression}`,
    answer: readExpressionAnswer(answer, place),
  };
}
