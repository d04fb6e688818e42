/** `parse` and `parse-where`: https://learn.microsoft.com/kusto/query/parse-operator. */
import { column, extend, filter, literal } from '../../../plan/build.js';
import { call } from '../../../plan/functions/index.js';
import { CallMismatch } from '../../../plan/functions/signatures.js';
import type { Expr, NamedExpr, Plan, ScalarType } from '../../../plan/types.js';
import { literalOf } from '../literals.js';
import { namedParameters, nameOf, type SyntaxNode } from '../syntax.js';
import type { Context, TranslateOperator } from '../translator.js';
import { nothing, only, withColumns } from './columns.js';
import { tokenValue } from './parameters.js';
import { typeAt } from './types.js';

type Mode = 'simple' | 'relaxed' | 'regex';

/** What a pattern is made of. */
type Part = { kind: 'STAR' } | { kind: 'TEXT'; text: string } | Captured;

interface Captured {
  kind: 'COLUMN';
  node: SyntaxNode;
  name: string;
  type: ScalarType;
  /** Takes the beginning of what was captured, where the pattern cannot say how far a value goes. */
  shape?: string;
}

interface Pattern {
  text: string;
  columns: Captured[];
}

const parse: TranslateOperator = (node, input, context) => {
  const isFilter = node.kind === 'ParseWhereOperator';
  const { mode, flags } = modeOf(node, context);
  if (isFilter && mode === 'relaxed') {
    context.fail('QUERY_SYNTAX', node, 'parse-where is of the kind simple or regex.');
  }
  const parts = partsOf(node.lists.Patterns ?? [], context);
  const pattern = mode === 'regex' ? regexPattern(parts, flags, node, context) : textPattern(parts, context);
  const source = context.expression(node.parts.Expression!, { columns: input.columns });
  const text = source.type === 'string' ? source : call('tostring', [source]);
  if (pattern.columns.length === 0) {
    return isFilter
      ? filter(input, matching('matches regex', [text, literal('string', pattern.text)], node, context))
      : input;
  }
  const found = matching('extract_all', [literal('string', pattern.text), text], node, context);
  return capture(input, found, pattern.columns, { isFilter, isRelaxed: mode === 'relaxed' }, context);
};

export const parseOperators: Record<string, TranslateOperator> = { ParseOperator: parse, ParseWhereOperator: parse };

function matching(fn: string, args: Expr[], node: SyntaxNode, context: Context): Expr {
  try {
    return call(fn, args);
  } catch (error) {
    if (!(error instanceof CallMismatch)) throw error;
    return context.fail('QUERY_NOT_SUPPORTED', node, error.message);
  }
}

function modeOf(node: SyntaxNode, context: Context): { mode: Mode; flags: string } {
  let mode: Mode = 'simple';
  let flags = '';
  for (const [name, value] of namedParameters(node)) {
    if (name === 'kind') mode = tokenValue(value) as Mode;
    else if (name === 'flags') flags = tokenValue(value);
    else context.fail('QUERY_NOT_SUPPORTED', value, `${name} is not known here.`);
  }
  if (flags !== '' && mode !== 'regex') context.fail('QUERY_SYNTAX', node, 'Only the kind regex has flags.');
  if (!/^[imsU]*$/.test(flags)) context.fail('QUERY_NOT_SUPPORTED', node, 'The flags of a pattern are i, m, s and U.');
  return { mode, flags };
}

/** The parts in their order; texts that stand side by side are one. */
function partsOf(nodes: readonly SyntaxNode[], context: Context): Part[] {
  const parts: Part[] = [];
  for (const node of nodes) {
    if (node.kind === 'StarExpression') {
      parts.push({ kind: 'STAR' });
      continue;
    }
    const text = literalOf(node, context);
    if (text === undefined) {
      parts.push(columnOf(node, context));
      continue;
    }
    const value = text.kind === 'literal' && text.type === 'string' ? (text.value as string) : '';
    if (value === '') context.fail('QUERY_SYNTAX', node, 'A text between columns must not be empty.');
    const last = parts.at(-1);
    if (last?.kind === 'TEXT') last.text += value;
    else parts.push({ kind: 'TEXT', text: value });
  }
  for (const [number, part] of parts.entries()) {
    const next = parts[number + 1];
    if (part.kind !== 'COLUMN' || next === undefined || next.kind === 'TEXT') continue;
    if (next.kind === 'COLUMN') context.fail('QUERY_SYNTAX', next.node, 'Between two columns must be a text.');
    if (part.type === 'string')
      context.fail('QUERY_SYNTAX', part.node, 'After a column of type string, * is ambiguous.');
  }
  return parts;
}

function columnOf(node: SyntaxNode, context: Context): Captured {
  const type = node.parts.Type === undefined ? 'string' : typeAt(node.parts.Type, context);
  return { kind: 'COLUMN', node, name: nameOf(node) ?? '', type };
}

const escaped = (text: string): string => text.replaceAll(/[\\^$.|?*+()[\]{}]/g, '\\$&');

/**
 * The kinds simple and relaxed: texts as they are, and columns and stars that take as little as they can. The pattern is
 * about the whole text. Before a star only a type tells how far a value goes.
 */
function textPattern(parts: readonly Part[], context: Context): Pattern {
  const columns: Captured[] = [];
  let text = '(?s)^';
  for (const [number, part] of parts.entries()) {
    const isLast = number === parts.length - 1;
    const next = parts[number + 1];
    if (part.kind === 'TEXT') text += escaped(part.text);
    else if (part.kind === 'STAR') text += isLast ? '.*' : '.*?';
    else if (next?.kind !== 'STAR') {
      text += '(.*?)';
      columns.push(part);
    } else {
      const shape = shapeBeforeStar(part, context);
      const isAtEnd = number === parts.length - 2;
      if (isAtEnd) return { text: `${text}(.*)$`, columns: [...columns, { ...part, shape: `^${shape}` }] };
      text += `(${shape})`;
      columns.push(part);
    }
  }
  return { text: `${text}$`, columns };
}

const long = '\\s*[-+]?\\d+';
const guid = '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}';

function shapeBeforeStar({ node, type }: Captured, context: Context): string {
  if (type === 'long') return long;
  if (type === 'guid') return guid;
  return context.fail(
    'QUERY_NOT_SUPPORTED',
    node,
    `How far a ${type} goes cannot be told before *. Write a text there.`,
  );
}

const day = '\\d{1,4}[-/]\\d{1,2}[-/]\\d{1,4}';
const shapes: Partial<Record<ScalarType, string>> = {
  long: '[-+]?\\d+',
  guid,
  bool: '(?i:true|false)',
  real: '[-+]?\\d+(?:\\.\\d+)?',
  datetime: `${day}(?:[T ]\\d{1,2}:\\d{2}(?::\\d{2}(?:\\.\\d+)?)?(?:Z|[-+]\\d{2}:?\\d{2})?)?`,
};

/**
 * The kind regex: texts are regular expressions, columns of type string take as much as they can, others what their type
 * looks like, and stars as little as they can. U turns all of that around. The pattern is found anywhere in the text.
 */
function regexPattern(parts: readonly Part[], flags: string, node: SyntaxNode, context: Context): Pattern {
  const isTurned = flags.includes('U');
  const columns: Captured[] = [];
  let text = flags === '' ? '' : `(?${flags})`;
  for (const [number, part] of parts.entries()) {
    // At either end a star takes nothing that the rest would not leave out.
    const isAtEdge = number === 0 || number === parts.length - 1;
    if (part.kind === 'STAR') text += isAtEdge ? '' : '.*?';
    else if (part.kind === 'TEXT') text += withoutGroups(part.text);
    else {
      columns.push(part);
      const shape = part.type === 'string' ? '.*' : shapes[part.type];
      const isOpen = part.type === 'datetime' && number === parts.length - 1;
      if (shape === undefined || isOpen || (isTurned && part.type !== 'string')) {
        context.fail(
          'QUERY_NOT_SUPPORTED',
          part.node,
          `A ${part.type} cannot be taken here. Take a string and convert it.`,
        );
      }
      text += `(${shape})`;
    }
  }
  if (parts.length === 0) context.fail('QUERY_SYNTAX', node, 'The pattern is empty.');
  return { text, columns };
}

/** A regular expression whose groups capture nothing: columns go by their own. */
const withoutGroups = (pattern: string): string =>
  pattern.replaceAll(/\\[\s\S]|\[\^?\]?(?:\\[\s\S]|[^\]\\])*\]|\((?:\?P?<\w+>|(?!\?))/g, (part) =>
    part.startsWith('(') ? '(?:' : part,
  );

const converters: Partial<Record<ScalarType, string>> = {
  bool: 'tobool',
  long: 'tolong',
  real: 'todouble',
  decimal: 'todecimal',
  datetime: 'todatetime',
  timespan: 'totimespan',
  dynamic: 'todynamic',
  guid: 'toguid',
};

/**
 * The columns from what was found. Where one of them is not of its type nothing was parsed at all, but in the kind
 * relaxed, where that one alone stays empty.
 */
function capture(
  input: Plan,
  found: Expr,
  captured: readonly Captured[],
  { isFilter, isRelaxed }: { isFilter: boolean; isRelaxed: boolean },
  context: Context,
): Plan {
  const matches = { name: context.hiddenName('matches'), type: 'dynamic' as const };
  const matched = extend(input, [{ name: matches.name, value: found }]);
  const values = captured.map((each, number): NamedExpr => {
    // The one match is an array of its groups, but where there is a single one.
    const steps = captured.length === 1 ? [0] : [0, number];
    const group = call('tostring', [call('path', [column(matches), ...steps.map((step) => literal('long', step))])]);
    const text =
      each.shape === undefined ? group : call('extract', [literal('string', each.shape), literal('long', 0), group]);
    const convert = converters[each.type];
    return { name: context.hiddenName(each.name), value: convert === undefined ? text : call(convert, [text]) };
  });
  const typed = extend(matched, values);
  const value = (number: number): Expr => ({
    kind: 'column',
    name: values[number]!.name,
    type: captured[number]!.type,
  });
  const needed = captured.flatMap(({ type }, number) =>
    type === 'string' ? [] : [call('isnotnull', [value(number)])],
  );
  const isFound = call('isnotnull', [column(matches)]);
  const isParsed = needed.length === 0 ? isFound : call('and', [isFound, ...needed]);
  const rows = isFilter ? filter(typed, isParsed) : typed;
  const isSure = isFilter || isRelaxed || needed.length === 0;
  const results = captured.map(({ name, type }, number) => ({
    name,
    value: isSure ? value(number) : call('iff', [isParsed, value(number), nothing(type)]),
  }));
  const visible = withColumns(input, results).columns;
  return only(visible, withColumns(rows, results));
}
