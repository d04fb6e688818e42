/** What is submitted during the storm, and what each job has to end with. */
import { endlessQuery } from '../../../subgraphs/jobs/testing.js';
import type { Random } from '../../query/random/random.js';

/** One submission, and the truth about its end. */
export interface Order {
  /** Its idempotency key; unique. */
  key: string;
  /** The number of its organisation. */
  org: number;
  input: { query: string; priority: 'LOW' | 'NORMAL' | 'HIGH'; timeoutMs?: number };
  /** Whether its submitter cancels it after a while. */
  isCancelled: boolean;
  end: { status: 'COMPLETED' | 'FAILED' | 'CANCELLED'; code: string | null };
  /** The rows of its result, each the value of its one column `n`; none where it has no result. */
  rows: number[];
}

type Kind = Pick<Order, 'isCancelled' | 'end' | 'rows'> & { query: string; timeoutMs?: number };

const completed = { isCancelled: false, end: { status: 'COMPLETED', code: null } } as const;
const manyRows = 2_500;

/** Texts differ by their number, so that no job is answered with the result of another one. */
const kinds: Record<string, (number: number) => Kind> = {
  trivial: (number) => ({ ...completed, query: `SELECT ${number} AS n`, rows: [number] }),
  rows: (number) => ({
    ...completed,
    query: `SELECT ${number} + i AS n FROM generate_series(1, ${manyRows}) i`,
    rows: Array.from({ length: manyRows }, (_, index) => number + index + 1),
  }),
  short: (number) => ({
    ...completed,
    query: `SELECT count(*) + ${number} AS n FROM generate_series(1, 300000)`,
    rows: [300_000 + number],
  }),
  long: (number) => ({
    ...completed,
    query: `SELECT count(*) + ${number} AS n FROM generate_series(1, 4000000)`,
    rows: [4_000_000 + number],
  }),
  fails: (number) => ({
    query: `SELECT ${number} / (i - 1) AS n FROM generate_series(1, 2) i`,
    isCancelled: false,
    end: { status: 'FAILED', code: 'QUERY_FAILED' },
    rows: [],
  }),
  timesOut: (number) => ({
    query: `${endlessQuery} -- ${number}`,
    timeoutMs: 300,
    isCancelled: false,
    end: { status: 'FAILED', code: 'QUERY_TIMEOUT' },
    rows: [],
  }),
  cancelled: (number) => ({
    query: `${endlessQuery} -- ${number}`,
    isCancelled: true,
    end: { status: 'CANCELLED', code: null },
    rows: [],
  }),
};

/** How many of a hundred. */
const shares: Record<keyof typeof kinds, number> = {
  trivial: 50,
  rows: 15,
  short: 15,
  long: 4,
  fails: 6,
  timesOut: 4,
  cancelled: 6,
};
const mixed = Object.entries(shares).flatMap(([kind, share]) => Array.from({ length: share }, () => kind));

/** So many orders of all kinds, of so many organisations. */
export function makeOrders(random: Random, count: number, orgs: number): Order[] {
  return random.times(count, (number) => makeOrder(random.one(mixed), number, random.between(0, orgs - 1), random));
}

export const primerKey = 'primer';
/** An order of the quickest kind, beside those of `makeOrders`. */
export const makePrimer = (random: Random, number: number, org: number): Order => ({
  ...makeOrder('trivial', 1_000_000 + number, org, random),
  key: `${primerKey} ${number}`,
});

function makeOrder(kind: string, number: number, org: number, random: Random): Order {
  const { query, timeoutMs, ...rest } = kinds[kind]!(number);
  const priority = random.one(['LOW', 'NORMAL', 'HIGH'] as const);
  const input = { query, priority, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
  return { ...rest, key: `order ${number}`, org, input };
}
