import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CursorContext, Cursors } from './cursor.js';
import { HarborwatchError } from './errors.js';
import { type Page, type PageArguments, toPage, toPageRequest } from './paging.js';

const cursors = new Cursors('ab'.repeat(32));
const context: CursorContext = { cursors, binding: { orgId: 'org', list: 'numbers' } };
const limits = { default: 3, max: 10 };

/** A list in memory, read the way that a store reads: n + 1 rows by keyset. */
async function readPage(rows: number[], args: PageArguments): Promise<Page<number>> {
  const request = toPageRequest(args, limits, context);
  const at = request.position?.[0] as number | undefined;
  const forward = request.direction === 'FORWARD';
  const inOrder = forward ? rows : rows.toReversed();
  const rest = inOrder.filter((row) => at === undefined || (forward ? row > at : row < at));
  const behind = async ([position]: readonly unknown[]) =>
    rows.some((row) => (forward ? row < (position as number) : row > (position as number)));
  return toPage(request, rest.slice(0, request.limit + 1), (row) => [row], behind, context);
}

const sorted = fc
  .uniqueArray(fc.integer({ min: 0, max: 1_000 }), { maxLength: 40 })
  .map((rows) => rows.sort((a, b) => a - b));
const codeOf = (fn: () => unknown) => {
  try {
    fn();
  } catch (error) {
    return error instanceof HarborwatchError ? [error.code, error.details.argument] : error;
  }
};

describe('pages', () => {
  it('walk a list forward and backward with every row once, in one order, and true flags', async () => {
    await fc.assert(
      fc.asyncProperty(sorted, fc.integer({ min: 1, max: 10 }), async (rows, size) => {
        const forward: number[] = [];
        let page = await readPage(rows, { first: size });
        expect(page.pageInfo.hasPreviousPage).toBe(false);
        forward.push(...page.edges.map(({ node }) => node));
        while (page.pageInfo.hasNextPage) {
          page = await readPage(rows, { first: size, after: page.pageInfo.endCursor });
          expect(page.pageInfo.hasPreviousPage).toBe(true);
          forward.push(...page.edges.map(({ node }) => node));
        }
        expect(forward).toEqual(rows);
        let backward: number[] = [];
        page = await readPage(rows, { last: size });
        backward = page.edges.map(({ node }) => node);
        while (page.pageInfo.hasPreviousPage) {
          page = await readPage(rows, { last: size, before: page.pageInfo.startCursor });
          expect(page.pageInfo.hasNextPage).toBe(true);
          backward = [...page.edges.map(({ node }) => node), ...backward];
        }
        expect(backward).toEqual(rows);
      }),
    );
  });

  it('refuse sizes and directions that make no sense, by argument', () => {
    const request = (args: PageArguments) => codeOf(() => toPageRequest(args, limits, context));
    expect(request({ first: -1 })).toEqual(['INVALID_PAGE_SIZE', 'first']);
    expect(request({ last: 11 })).toEqual(['INVALID_PAGE_SIZE', 'last']);
    expect(request({ first: 1, last: 1 })).toEqual(['INVALID_PAGE_SIZE', 'last']);
    expect(request({ first: 1, before: 'x' })).toEqual(['INVALID_PAGE_SIZE', 'first']);
    expect(request({ after: 'x', before: 'y' })).toEqual(['INVALID_PAGE_SIZE', 'before']);
  });
});

describe('cursors', () => {
  it('come back as they went in', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.integer(), fc.constant(null))), (position) => {
        expect(cursors.decode(context.binding, cursors.encode(context.binding, position))).toEqual(position);
      }),
    );
  });

  it('are refused for another organisation, list, filter or key, and after any change', () => {
    const cursor = cursors.encode(context.binding, ['x', 1]);
    const refused = (binding: object, text = cursor, signer = cursors) =>
      codeOf(() => signer.decode({ ...context.binding, ...binding }, text));
    const expected = ['INVALID_CURSOR', 'after'];
    expect(refused({ orgId: 'other' })).toEqual(expected);
    expect(refused({ list: 'other' })).toEqual(expected);
    expect(refused({ filters: { a: 1 } })).toEqual(expected);
    expect(refused({}, cursor, new Cursors('cd'.repeat(32)))).toEqual(expected);
    const plain = Buffer.from(cursor, 'base64url').toString('latin1');
    for (let index = 0; index < plain.length; index += 1) {
      const changed = plain.slice(0, index) + String.fromCharCode(plain.charCodeAt(index) ^ 1) + plain.slice(index + 1);
      expect(refused({}, Buffer.from(changed, 'latin1').toString('base64url'))).toEqual(expected);
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(refused({}, text)).toEqual(expected);
      }),
    );
  });
});
