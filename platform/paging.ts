/** Relay paging over keyset-ordered lists: the arguments, the n + 1 rule, and the page that comes out. */
import type { CursorContext, Position } from './cursor.js';
import { fail } from './errors.js';

/** Relay's four arguments. */
export interface PageArguments {
  first?: number | null;
  after?: string | null;
  last?: number | null;
  before?: string | null;
}

/** The page sizes of every list that does not say otherwise. */
export const pageLimits: PageLimits = { default: 50, max: 200 };

/** What a store needs to read a page: it reads `limit + 1` rows after `position` in `direction`. */
export interface PageRequest {
  limit: number;
  /** BACKWARD reads in the opposite order from `position`; `toPage` puts the rows right again. */
  direction: 'FORWARD' | 'BACKWARD';
  position: Position | undefined;
}

export interface Page<Row> {
  edges: { node: Row; cursor: string }[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null };
}

export interface PageLimits {
  /** Rows when neither `first` nor `last` is given. */
  default: number;
  max: number;
}

/**
 * Checks the arguments.
 * @throws INVALID_PAGE_SIZE for a negative or too large size or both directions at once, INVALID_CURSOR
 */
export function toPageRequest(args: PageArguments, limits: PageLimits, context: CursorContext): PageRequest {
  const { first, last, after, before } = args;
  if (first != null && last != null) {
    fail('INVALID_PAGE_SIZE', 'Give either "first" or "last", not both.', { argument: 'last' });
  }
  if (after != null && before != null) {
    fail('INVALID_PAGE_SIZE', 'Give either "after" or "before", not both.', { argument: 'before' });
  }
  const backward = last != null || before != null;
  if (backward && (first != null || after != null)) {
    fail('INVALID_PAGE_SIZE', '"first" goes with "after", and "last" with "before".', {
      argument: first != null ? 'first' : 'after',
    });
  }
  const argument = last != null ? 'last' : 'first';
  const limit = first ?? last ?? limits.default;
  if (limit < 0 || limit > limits.max) {
    fail('INVALID_PAGE_SIZE', `"${argument}" is ${limit}; it takes 0 to ${limits.max}.`, {
      argument,
      limit: limits.max,
    });
  }
  const cursor = backward ? before : after;
  const position =
    cursor == null ? undefined : context.cursors.decode(context.binding, cursor, backward ? 'before' : 'after');
  return { limit, direction: backward ? 'BACKWARD' : 'FORWARD', position };
}

/**
 * Makes the page from the rows that the store read.
 * @param rows at most `limit + 1` rows in the direction of reading
 * @param positionOf the sort values of a row
 * @param existsBehind probes whether a row lies behind the page's first read row; asked only where the answer matters
 */
export async function toPage<Row>(
  request: PageRequest,
  rows: Row[],
  positionOf: (row: Row) => Position,
  existsBehind: (position: Position) => Promise<boolean>,
  context: CursorContext,
): Promise<Page<Row>> {
  const more = rows.length > request.limit;
  const read = rows.slice(0, request.limit);
  const nearest = read[0];
  const behind =
    nearest !== undefined
      ? request.position !== undefined && (await existsBehind(positionOf(nearest)))
      : request.position !== undefined && (await existsBehind(request.position));
  const forward = request.direction === 'FORWARD';
  const ordered = forward ? read : read.reverse();
  const edges = ordered.map((node) => ({ node, cursor: context.cursors.encode(context.binding, positionOf(node)) }));
  return {
    edges,
    pageInfo: {
      hasNextPage: forward ? more : behind,
      hasPreviousPage: forward ? behind : more,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

/** A count that stops at a cap, so that it costs the same for any list. */
export interface CappedCount {
  value: number;
  relation: 'EXACT' | 'AT_LEAST';
}

/** The cap of every `totalCount`. */
export const countCap = 10_000;

/** @param counted the number of rows, or any number above the cap where there are more */
export function toCappedCount(counted: number): CappedCount {
  return counted > countCap ? { value: countCap, relation: 'AT_LEAST' } : { value: counted, relation: 'EXACT' };
}
