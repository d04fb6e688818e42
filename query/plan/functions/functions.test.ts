import { describe, expect, test } from 'vitest';
import { column, literal } from '../build.js';
import type { Expr } from '../types.js';
import { aggregate, CallMismatch, call, functions } from './index.js';

const long = literal('long', 1);
const real = literal('real', 1.5);
const text = literal('string', 'x');
const json = column({ name: 'd', type: 'dynamic' });
const nothing = literal('dynamic', null);

describe('a call takes the signature that its arguments fit', () => {
  test.each<[string, Expr[], string]>([
    ['+', [long, long], 'long'],
    ['+', [long, real], 'real'],
    ['+', [json, long], 'real'],
    ['-', [literal('datetime', '2024-01-01T00:00:00Z'), literal('datetime', '2023-01-01T00:00:00Z')], 'timespan'],
    ['iff', [literal('bool', true), long, real], 'real'],
    ['iff', [literal('bool', true), literal('timespan', 5), nothing], 'timespan'],
    ['coalesce', [json, text], 'string'],
    ['case', [literal('bool', true), long, literal('bool', false), long, real], 'real'],
    ['round', [long], 'long'],
  ])('%s', (fn, args, type) => {
    const { type: found, args: converted } = call(fn, args);
    expect(found).toBe(type);
    expect(converted).toHaveLength(args.length);
  });

  test('literals are converted where they stand, values by a call', () => {
    expect(call('+', [long, real]).args[0]).toEqual(literal('real', 1));
    expect(call('strlen', [json]).args[0]).toMatchObject({
      kind: 'call',
      fn: 'tostring',
      args: [json],
      type: 'string',
    });
    expect(call('==', [literal('decimal', '1'), real]).args[1]).toEqual(literal('decimal', '1.5'));
    expect(call('+', [long, nothing]).args[1]).toEqual(literal('real', null));
  });
});

describe('a call that fits no signature says which argument does not', () => {
  test.each<[string, Expr[], number | undefined, RegExp]>([
    ['nosuch', [], undefined, /no function nosuch/],
    ['constructor', [], undefined, /no function constructor/],
    ['strlen', [], undefined, /strlen does not take no arguments/],
    ['strlen', [text, text], undefined, /2 arguments/],
    ['strlen', [long], 0, /Argument 1 of strlen must be string, not long/],
    ['+', [text, text], 0, /must be long or real/],
    ['==', [text, long], undefined, /does not take these types together: string, long/],
    ['extract', [column({ name: 's', type: 'string' }), long, text], 0, /must be a literal/],
    ['in', [text, text, long], 2, /string cannot be among values of type long/],
    ['datetime_diff', [text, nothing, nothing], 0, /must be one of year/],
    ['format_datetime', [nothing, literal('string', 'yyyy-QQ')], 1, /does not know/],
    ['bag_pack', [text, long, text, long, text], 4, /no value/],
    ['extract_json', [text, text], 0, /must be of the form/],
    ['extract_all', [literal('string', 'a+'), text], 0, /must have a group/],
  ])('%s %#', (fn, args, argument, message) => {
    const error = (() => {
      try {
        call(fn, args);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(CallMismatch);
    expect(error).toMatchObject({ fn, argument, message: expect.stringMatching(message) });
  });
});

test('an aggregate’s type comes from its arguments', () => {
  expect(aggregate('count', []).type).toBe('long');
  expect(aggregate('sum', [long]).type).toBe('long');
  expect(aggregate('avg', [long]).type).toBe('real');
  expect(aggregate('percentile', [literal('timespan', 1), literal('long', 95)]).type).toBe('timespan');
  expect(() => aggregate('sum', [text])).toThrow(CallMismatch);
});

test('every function says in one sentence what it does, and where its rule comes from', () => {
  for (const [name, { description, source, signatures }] of Object.entries(functions)) {
    expect([name, description.endsWith('.'), source.length > 2, signatures.length > 0]).toEqual([
      name,
      true,
      true,
      true,
    ]);
  }
});
