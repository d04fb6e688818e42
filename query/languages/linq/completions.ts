/** What an editor offers in a LINQ text: names of datasets behind `from`, and elsewhere columns, functions and clauses. */
import { HarborwatchError } from '../../../platform/errors.js';
import type { QueryableDataset } from '../../prepared-query.js';
import { SourceText } from '../../source-text.js';
import type { Completion } from '../completions.js';
import { datasetColumns } from '../dataset-columns.js';
import { aggregateNames } from './aggregates.js';
import { linqFunctions } from './functions.js';
import { Lexer, type Token } from './lexer.js';
import { timeName } from './stage.js';

const wordBefore = /[\p{L}_][\p{L}\p{N}_$]*$/u;
const tableBefore = /[\p{L}\p{N}_.*-]*$/u;

export function completeLinq(text: string, offset: number, datasets: readonly QueryableDataset[]): Completion[] {
  const before = text.slice(0, offset);
  const isTable = /\bfrom\s+[^\s]*$/.test(before);
  const typed = (isTable ? tableBefore : wordBefore).exec(before)?.[0] ?? '';
  const start = offset - typed.length;
  const tokens = tokensOf(before.slice(0, start));
  if (tokens === undefined) return [];
  const at = { start, end: offset };
  const offered = isTable
    ? tables(datasets)
    : tokens.length === 0
      ? [firstWord]
      : [...columns(text, datasets), ...functions(), ...clauseWords];
  const wanted = typed.toLowerCase();
  return offered
    .filter(({ label }) => label.toLowerCase().startsWith(wanted))
    .map((each) => ({ ...each, insert: each.insert ?? each.label, ...at }));
}

type Offer = Omit<Completion, 'insert' | 'start' | 'end'> & { insert?: string };

/** Undefined inside of a text in quotes. */
function tokensOf(before: string): Token[] | undefined {
  const tokens: Token[] = [];
  try {
    const lexer = new Lexer(new SourceText(before));
    for (let token = lexer.next(); token.kind !== 'end'; token = lexer.next()) tokens.push(token);
    return tokens;
  } catch (error) {
    if (error instanceof HarborwatchError) return undefined;
    throw error;
  }
}

const tables = (datasets: readonly QueryableDataset[]): Offer[] =>
  datasets.flatMap(({ name, aliases }) =>
    [name, ...aliases].map((label) => ({ label, kind: 'TABLE' as const, description: label === name ? '' : name })),
  );

function columns(text: string, datasets: readonly QueryableDataset[]): Offer[] {
  const name = /\bfrom\s+`?([\p{L}\p{N}_.*-]+)/u.exec(text)?.[1];
  const dataset = datasets.find((each) => each.name === name || each.aliases.includes(name ?? ''));
  if (dataset === undefined) return [];
  const known = datasetColumns(dataset).map(
    ({ name: label, type }): Offer => ({ label, kind: 'COLUMN', description: type }),
  );
  const hasTime = known.some(({ label }) => label === timeName);
  return hasTime ? known : [{ label: timeName, kind: 'COLUMN', description: 'datetime' }, ...known];
}

const functions = (): Offer[] => [
  ...Object.keys(linqFunctions).map(
    (label): Offer => ({ label, kind: 'FUNCTION', description: '', insert: `${label}(` }),
  ),
  ...[...aggregateNames.keys()].map(
    (label): Offer => ({ label, kind: 'AGGREGATE', description: '', insert: `${label}(` }),
  ),
];

const keyword = (label: string): Offer => ({ label, kind: 'KEYWORD', description: '' });

/** A query begins with `from`, and has it nowhere else. */
const firstWord = keyword('from');
const clauseWords = 'where select group every by as and or not in limit pragma'.split(' ').map(keyword);
