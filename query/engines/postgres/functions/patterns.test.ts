/** Regular expressions: PostgreSQL finds what RE2 would, or the pattern is refused. */
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../../tests/setup/database.js';
import { column, literal } from '../../../plan/build.js';
import { CallMismatch, call } from '../../../plan/functions/index.js';
import { groupPattern, PatternError, searchPattern } from '../../../plan/functions/regex/index.js';
import type { Expr } from '../../../plan/types.js';
import type { JsonValue } from '../../../result.js';
import { compileExpression } from '../compile/expression.js';
import { Parameters } from '../compile/parameters.js';

let database: TestDatabase;
let pool: pg.Pool;
beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url('query'), max: 1 });
});
afterAll(async () => {
  await pool?.end();
  await database?.drop();
});

const text = column({ name: 'text', type: 'string' });
const string = (value: string): Expr => literal('string', value);

/** The values of expressions over a text, one row a text. */
async function evaluate(exprs: Expr[], texts: string[]): Promise<JsonValue[][]> {
  const parameters = new Parameters();
  const scope = {
    column: () => ({ sql: 't.text', nullable: false }),
    parameter: (each: unknown) => parameters.add(each),
    subquery: () => expect.unreachable(),
  };
  const columns = exprs.map((expr) => compileExpression(expr, scope, { context: 'VALUE' }));
  const from = `unnest(${parameters.add(texts)}::text[]) WITH ORDINALITY AS t (text, n)`;
  const query = parameters.numbered(`SELECT ${columns.join(', ')} FROM ${from} ORDER BY n`);
  return (await pool.query<JsonValue[]>({ ...query, rowMode: 'array' })).rows;
}

/** Patterns that JavaScript and RE2 read and run alike: no repetition of what can be empty, no group in a repetition. */
const patterns: fc.Arbitrary<string> = fc
  .letrec<{ sequence: string; item: string; atom: string }>((tie) => ({
    atom: fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom('a', 'b', '-', ';', '.', '[ab]', '[^;]', '[^a]', '\\w', '\\W') },
      { weight: 1, arbitrary: tie('sequence').map((inner) => `(${inner})`) },
    ),
    item: fc.oneof(
      { weight: 3, arbitrary: tie('atom') },
      {
        weight: 4,
        arbitrary: fc
          .tuple(
            fc.oneof(
              {
                weight: 5,
                arbitrary: fc.constantFrom(
                  'a',
                  'b',
                  '.',
                  '[ab]',
                  '[^;]',
                  '[^-]',
                  '\\w',
                  '(?:ab)',
                  '(?:a|b-)',
                  '(?:[ab]-)',
                  '(?:a+-)',
                ),
              },
              { weight: 1, arbitrary: fc.constantFrom('(a)', '(a-)', '(?:(a)-)') },
            ),
            fc.constantFrom('*', '+', '?', '{2}', '{1,2}'),
            fc.constantFrom('', '', '?'),
          )
          .map((parts) => parts.join('')),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          '(?:a|b)',
          '(a|ab)',
          '(ab|a)',
          '(?:ab|-;)',
          '\\b',
          '(a*;|b+-)',
          '(a.*?;)',
          '([^;]*)',
          '(.*)',
          '(.*?)',
        ),
      },
    ),
    sequence: fc.array(tie('item'), { minLength: 1, maxLength: 4 }).map((items) => items.join('')),
  }))
  .sequence.chain((sequence) =>
    fc.tuple(fc.constantFrom('', '', '^'), fc.constant(sequence), fc.constantFrom('', '', '$')),
  )
  .map((parts) => parts.join(''));

const texts = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '-', ';', 'a', 'b'), maxLength: 12 }), {
  minLength: 12,
  maxLength: 12,
});

/** All matches as RE2 counts them: one of nothing right behind another one does not count. */
function matchesOf(pattern: string, value: string): RegExpMatchArray[] {
  let past = -1;
  return [...value.matchAll(new RegExp(pattern, 'g'))].filter((match) => {
    const counts = match[0] !== '' || match.index !== past;
    if (counts) past = match.index + match[0].length;
    return counts;
  });
}

describe('a pattern that is accepted', () => {
  test('matches, extracts, counts and replaces as a backtracking engine does, or is refused', async () => {
    let accepted = 0;
    let inOrder = 0;
    const numRuns = process.env.HARBORWATCH_DEEP === '1' ? 20_000 : 500;
    await fc.assert(
      fc.asyncProperty(patterns, texts, async (pattern, values) => {
        const exprs: Expr[] = [call('matches regex', [text, string(pattern)])];
        let groups = 0;
        try {
          const found = groupPattern(pattern);
          groups = found.groups.length - 1;
          accepted++;
          if (found.tail > 0) inOrder++;
          for (let group = 0; group <= groups; group++) {
            exprs.push(call('extract', [string(pattern), literal('long', group), text]));
          }
          exprs.push(call('countof', [text, string(pattern), string('regex')]));
          exprs.push(call('replace_regex', [text, string(pattern), string(groups > 0 ? '<\\0|\\1>' : '<\\0>')]));
          if (groups > 0) exprs.push(call('extract_all', [string(pattern), text]));
        } catch (error) {
          if (!(error instanceof PatternError)) throw error;
        }
        const rows = await evaluate(exprs, values);
        const expected = values.map((value) => {
          const first = new RegExp(pattern).exec(value);
          if (exprs.length === 1) return [first !== null];
          const all = matchesOf(pattern, value);
          let replaced = '';
          let kept = 0;
          for (const match of all) {
            replaced += `${value.slice(kept, match.index)}<${match[0]}${groups > 0 ? `|${match[1] ?? ''}` : ''}>`;
            kept = match.index! + match[0].length;
          }
          const lists = all.map((match) =>
            groups === 1 ? (match[1] ?? '') : match.slice(1).map((part) => part ?? ''),
          );
          return [
            first !== null,
            ...Array.from({ length: groups + 1 }, (_, group) => first?.[group] ?? ''),
            String(all.length),
            replaced + value.slice(kept),
            ...(groups > 0 ? [lists.length === 0 ? null : lists] : []),
          ];
        });
        expect(rows).toEqual(expected);
      }),
      { numRuns },
    );
    expect(accepted).toBeGreaterThan(numRuns / 3);
    expect(inOrder).toBeGreaterThan(numRuns / 20);
  }, 1_200_000);

  test.each([
    ['a{3,5}?', 'a{3,5}'],
    ['(?i)k', '[Kk\\u212a]'],
    ['\\d+\\.\\d', '[0-9]+\\u002e[0-9]'],
    ['a{,5}', 'a\\u007b\\u002c5\\u007d'],
    ['[[:alpha:]]', '[A-Za-z]'],
    ['[^\\n]', '[\\u0001-\\u0009\\u000b-\\U0010ffff]'],
    ['\\Qa.b\\E+', 'a\\u002eb+'],
  ])('is written for PostgreSQL: %s', (pattern, expected) => {
    expect(searchPattern(pattern)).toBe(expected);
  });
});

describe('a pattern is refused by what is wrong with it', () => {
  test.each([
    ['(?=a)', 'looks around'],
    ['(?<!a)b', 'looks around'],
    ['(a)\\1', 'refers back'],
    ['a*+', 'repetition of a repetition'],
    ['a**', 'repetition of a repetition'],
    ['(?>a)', 'atomic group'],
    ['\\pL', 'Unicode'],
    ['[a', '[ without'],
    ['(a', '( without'],
    ['a)', ') without'],
    ['*a', 'nothing before'],
    ['a{2,1}', 'end is before'],
    ['a{300}', '255'],
    ['[b-a]', 'end is before'],
    ['\\y', 'escape that is none'],
    ['a\\', 'ends with a backslash'],
    [`${'('.repeat(500)}a${')'.repeat(500)}`, 'nested too deeply'],
  ])('%s', (pattern, message) => {
    expect(() => call('matches regex', [text, string(pattern)])).toThrow(message);
    expect(() => call('matches regex', [text, string(pattern)])).toThrow(CallMismatch);
  });

  test.each([['(a|ab)(c|bcd)'], ['((?:a*)(?:ab)*)'], ['(a.*?b.*)c']])('for its groups alone: %s', async (pattern) => {
    expect(() => call('extract', [string(pattern), literal('long', 1), text])).toThrow('cannot be found exactly');
    await evaluate([call('matches regex', [text, string(pattern)])], ['abcd']);
  });
});

test('a pattern that backtracking engines take for ever on ends at once', async () => {
  const [[matches]] = (await evaluate(
    [call('matches regex', [text, string('^(a+)+$')])],
    [`${'a'.repeat(50_000)}!`],
  )) as [[boolean]];
  expect(matches).toBe(false);
});
