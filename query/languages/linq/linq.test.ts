import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { datasets as declared } from '../../../datasets/index.js';
import { HarborwatchError } from '../../../platform/errors.js';
import { createQueryRows, type QueryRows } from '../../../tests/setup/query-rows.js';
import { aggregates, functions } from '../../plan/functions/index.js';
import type { TimeRange } from '../../prepared-query.js';
import { answered, refused } from './cases.js';
import { completeLinq } from './completions.js';
import { prepareLinq } from './prepare.js';

let rows: QueryRows;
beforeAll(async () => {
  rows = await createQueryRows();
});
afterAll(async () => rows?.drop());

const prepare = (text: string, range?: TimeRange) => prepareLinq(text, [...declared], range);

function refusalOf(text: string): HarborwatchError | undefined {
  try {
    prepare(text);
  } catch (error) {
    if (error instanceof HarborwatchError) return error;
    throw error;
  }
}

function refusal(text: string): HarborwatchError {
  const error = refusalOf(text);
  if (error === undefined) throw new Error(`Not refused: ${text.slice(0, 200)}`);
  return error;
}

const inAnyOrder = (list: unknown[][]): string[] => list.map((row) => JSON.stringify(row)).sort();

describe('a query is answered', () => {
  test.each(answered)('$linq', async ({ linq, columns, rows: expected }) => {
    const answer = await rows.run(prepare(linq));
    if (columns !== undefined) expect(answer.columns.map(({ name }) => name)).toEqual(columns);
    expect(inAnyOrder(answer.rows)).toEqual(inAnyOrder(expected));
  });

  test('with the columns of the dataset where it selects none', async () => {
    const { columns } = await rows.run(prepare('from siem.logtrust.web.activity limit 1'));
    const activity = declared.find(({ name }) => name === 'web_activity')!;
    expect(columns.map(({ name }) => name)).toEqual([...activity.columns.map(({ name }) => name), 'attributes']);
  });
});

describe('a query that cannot be answered is refused at its place', () => {
  test.each(refused)('%s: %s', (code, linq, message, line, column) => {
    const error = refusal(linq);
    expect([error.code, error.details]).toEqual([code, { argument: 'query', line, column }]);
    expect(error.message).toContain(message);
  });
});

describe('a giant text ends soon', () => {
  test.each([
    ['too long', `from logs where host = "${'x'.repeat(1_100_000)}"`, 'QUERY_NOT_SUPPORTED'],
    ['brackets', `from logs where ${'('.repeat(100_000)}`, 'QUERY_NOT_SUPPORTED'],
    ['minus signs', `from logs where bytes_in = ${'-'.repeat(100_000)}1`, 'QUERY_NOT_SUPPORTED'],
    ['nots', `from logs where ${'not '.repeat(100_000)} true`, 'QUERY_NOT_SUPPORTED'],
    ['a long sum', `from logs where bytes_in = 1${'+1'.repeat(100_000)}`, 'QUERY_NOT_SUPPORTED'],
    ['steps into JSON', `from logs where attributes${'.a'.repeat(100_000)} = 1`, 'QUERY_NOT_SUPPORTED'],
    ['clauses', `from logs ${'where true '.repeat(50_000)}`, 'QUERY_NOT_SUPPORTED'],
    [
      'sums within sums',
      `from logs where bytes_in = ${'('.repeat(150)}1${`${'+1'.repeat(150)})`.repeat(150)}`,
      'QUERY_NOT_SUPPORTED',
    ],
    ['remainders of remainders', `from logs where bytes_in = 1${' % 3'.repeat(300)}`, 'QUERY_NOT_SUPPORTED'],
    [
      'decodes of decodes',
      `from logs where 1 = ${'decode('.repeat(90)}bytes_in${', 1, 2, 2, 3)'.repeat(90)}`,
      'QUERY_NOT_SUPPORTED',
    ],
    ['an open string', `from logs where host = "${'\\n'.repeat(500_000)}`, 'QUERY_SYNTAX'],
    ['open backticks', `from logs where ${'`a'.repeat(100_001)}`, 'QUERY_SYNTAX'],
  ])('%s', (_, text, code) => {
    const start = performance.now();
    expect(refusal(text).code).toBe(code);
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  test('or is answered: 10,000 terms of a chain and of a set', async () => {
    const chain = Array.from({ length: 10_000 }, (_, i) => `bytes_in = ${i}`).join(' or ');
    const set = Array.from({ length: 10_000 }, (_, i) => `"host-${i}"`).join(', ');
    const start = performance.now();
    const queries = [
      prepare(`from logs where ${chain} select host`),
      prepare(`from logs where host in {${set}} select host`),
    ];
    expect(performance.now() - start).toBeLessThan(2_000);
    expect((await rows.run(queries[0]!)).rows).toHaveLength(3);
    expect((await rows.run(queries[1]!)).rows).toEqual([]);
  });
});

test('a time range from outside cuts the dataset', async () => {
  const count = async (range: TimeRange) =>
    (await rows.run(prepare('from logs group select count() as n', range))).rows[0]?.[0];
  expect(await count({ from: '2024-01-01T00:07:30Z', to: '2024-01-02T12:00:00Z' })).toBe(3);
  expect(await count({ from: '2024-01-01T01:07:30+01:00' })).toBe(5);
  expect(await count({ to: '2024-01-01T00:00:00.0000001Z' })).toBe(1);
  expect(() => prepare('from logs', { from: 'yesterday' })).toThrow('must be RFC 3339');
});

test('what it reads is told: the dataset, its columns, and whether it looks at one row at a time', () => {
  expect(prepare('from siem.logtrust.web.activityAll where status = 200 select url')).toMatchObject({
    form: 'PLAN',
    language: 'LINQ',
    datasets: ['web_activity'],
    knownColumns: expect.arrayContaining(['eventdate', 'attributes']),
    rowWise: { ok: true },
  });
  expect(prepare('from logs\n group by host').rowWise).toEqual({ ok: false, reason: '"group"', line: 2, column: 2 });
  expect(prepare('from logs limit 1').rowWise).toMatchObject({ ok: false, reason: '"limit"' });
  expect(prepare('from logs where host = "a", eventdate > today()').rowWise).toEqual({
    ok: false,
    reason: 'the time-dependent function today()',
    line: 1,
    column: 41,
  });
});

test('the plan holds functions that exist', () => {
  const used = new Set<string>();
  const missing = new Set<string>();
  JSON.stringify(
    answered.map(({ linq }) => prepare(linq).plan),
    (_key, value) => {
      if (value?.kind === 'call') used.add(value.fn);
      if (value?.kind === 'call' && !Object.hasOwn(functions, value.fn)) missing.add(value.fn);
      if (value?.kind === 'aggregate' && !Object.hasOwn(aggregates, value.fn)) missing.add(value.fn);
      return value;
    },
  );
  expect([...missing]).toEqual([]);
  expect(used.size).toBeGreaterThan(40);
});

const isDeep = process.env.HARBORWATCH_DEEP !== undefined;

describe('any text', () => {
  const words = [
    ...['from logs', 'where', 'select', 'group', 'every', '5m', 'by', 'as', 'limit', '10', 'pragma', 'comment.id:"x"'],
    ...['and', 'or', 'not', 'in', 'host', 'bytes_in', 'eventdate', 'attributes', 'attributes.a', '`x y`', '"text"'],
    ...[
      "'text'",
      '1.5',
      '7',
      '-',
      '10.0.0.0/8',
      '8.8.8.8',
      '=',
      '!=',
      '<',
      '<=',
      '->',
      '->>',
      '<-',
      '~',
      '+',
      '*',
      '/',
    ],
    ...[
      '\\',
      '%',
      '%%',
      '?:',
      '(',
      ')',
      '{',
      '}',
      '[',
      ']',
      ',',
      '.',
      're("a")',
      'null',
      'true',
      'count()',
      '//',
      '\n',
    ],
    ...['sum(bytes_in)', 'first(host)', 'now()', 'str(', 'has(', 'decode(', 'ifthenelse(', '😀', '"'],
  ];
  const soup = fc.array(fc.constantFrom(...words), { maxLength: 25 }).map((parts) => `from logs ${parts.join(' ')}`);
  const damaged = fc
    .tuple(fc.constantFrom(...answered.map(({ linq }) => linq)), fc.nat(200), fc.nat(20), fc.constantFrom(...words, ''))
    .map(([text, at, length, word]) => text.slice(0, at) + word + text.slice(at + length));
  const text = fc.oneof(soup, damaged);

  test('is a query, or is refused with its place', { timeout: 600_000 }, () => {
    const property = fc.property(text, (linq) => {
      const error = refusalOf(linq);
      if (error === undefined) return;
      expect(error.code).toMatch(/^QUERY_/);
      expect(error.details).toEqual({ argument: 'query', line: expect.any(Number), column: expect.any(Number) });
    });
    fc.assert(property, { numRuns: isDeep ? 100_000 : 3_000 });
  });

  test('that is a query runs, or fails with a code of its own', { timeout: 600_000 }, async () => {
    const property = fc.asyncProperty(
      text.filter((linq) => refusalOf(linq) === undefined),
      async (linq) => {
        const failure = await rows.run(prepare(linq)).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (failure !== undefined) expect(failure).toMatchObject({ code: expect.stringMatching(/^QUERY_/) });
      },
    );
    await fc.assert(property, { numRuns: isDeep ? 2_000 : 100 });
  });
});

describe('an editor is offered', () => {
  const labels = (text: string) => completeLinq(text, text.length, declared).map(({ label }) => label);

  test.each([
    ['', ['from']],
    ['from siem', ['siem.logtrust.web.activity', 'siem.logtrust.web.activityAll']],
    ['from logs wh', ['where']],
    ['from logs where source_i', ['source_id', 'source_ip']],
    ['from logs where eventd', ['eventdate']],
    ['from web_activity select weakh', ['weakhas']],
    ['from logs group by host select countd', ['countdistinct']],
    ['from logs where host = "sou', []],
    ['from nowhere where sou', []],
  ])('behind %j: %j', (text, expected) => {
    expect(labels(text)).toEqual(expected);
  });

  test('what replaces the word that is begun', () => {
    const text = 'from logs where hos = 1';
    expect(completeLinq(text, 19, declared)).toEqual([
      { label: 'host', kind: 'COLUMN', description: 'string', insert: 'host', start: 16, end: 19 },
    ]);
  });
});
