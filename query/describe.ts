/** What can be said of a prepared query before it runs: what it reads, of which times, and of what kind it is. */
import { momentOf, momentText } from './plan/moment.js';
import { readsClock } from './plan/now.js';
import { optimize } from './plan/optimize/index.js';
import { isVolatile } from './plan/optimize/terms.js';
import type { Plan, Scan } from './plan/types.js';
import { isPlan, partsWithin } from './plan/walk.js';
import type { PreparedQuery, SearchQuery, TimeRange } from './prepared-query.js';

/** A HISTORICAL query reads times only that ended over a day ago. Of the others, COMPLEX ones combine relations. */
export type QueryClass = 'SIMPLE' | 'COMPLEX' | 'HISTORICAL';

interface QueryDescription {
  /** The canonical names of the datasets that it reads. */
  datasets: string[];
  /** No event outside of it changes the result, whenever the query runs: what moves with the clock counts as open. */
  range: TimeRange;
  class: QueryClass;
  /** Whether it answers the same as long as what it reads is the same, the time of its run aside. */
  isRepeatable: boolean;
}

/** All of it that does not depend on when it is asked. */
interface Lasting extends Omit<QueryDescription, 'class'> {
  isComplex: boolean;
  readsClock: boolean;
}

/** For how long events must be over, so that hardly any come late. */
const historicalAfter = 24n * 3_600_000_000n;

const known = new WeakMap<PreparedQuery, Lasting>();

/**
 * @param cut the range that the query was prepared with
 * @param nowMs milliseconds since 1970
 */
export function describeQuery(query: PreparedQuery, cut: TimeRange, nowMs: number): QueryDescription {
  let lasting = known.get(query);
  if (lasting === undefined) {
    lasting = look(query, cut);
    known.set(query, lasting);
  }
  const { isComplex, readsClock: isMoving, datasets, range, isRepeatable } = lasting;
  const end = range.to === undefined ? undefined : momentOf(range.to);
  const isOver = !isMoving && end !== undefined && end <= BigInt(Math.floor(nowMs)) * 1_000n - historicalAfter;
  return { datasets, range, isRepeatable, class: isOver ? 'HISTORICAL' : isComplex ? 'COMPLEX' : 'SIMPLE' };
}

function look(query: PreparedQuery, cut: TimeRange): Lasting {
  // What runs in PostgreSQL is the text: its traits count for its plan too.
  const { isVolatile: isRandom, readsClock: isMoving } =
    query.form === 'SQL' ? query.traits : { isVolatile: false, readsClock: false };
  if (query.form === 'SQL' && !query.translation.ok) {
    const isComplex = query.traits.combinesRelations;
    return { datasets: query.datasets, range: cut, isRepeatable: !isRandom, isComplex, readsClock: isMoving };
  }
  const plans = plansOf(query);
  // Unbound: now() is no moment here, so bounds that hang on it are left out, and the range is true at any time.
  const scans = plans.flatMap((plan) => [...scansOf(optimize(plan))]);
  const exprs = plans.flatMap((plan) => [...partsWithin(plan)].filter((part) => !isPlan(part)));
  return {
    datasets: [...new Set(scans.map(({ dataset }) => dataset))],
    range: rangeOf(scans),
    isRepeatable: !isRandom && !exprs.some((part) => !isPlan(part) && isVolatile(part)),
    isComplex: isComplex(query, plans),
    readsClock: isMoving || plans.some(readsClock),
  };
}

function plansOf(query: PreparedQuery): Plan[] {
  if (query.form === 'PLAN') return [query.plan];
  if (query.form === 'SEARCH') return searchPlans(query);
  return query.translation.ok ? [query.translation.plan] : [];
}

function searchPlans({ search: { hits, total, aggregations } }: SearchQuery): Plan[] {
  const plans = [hits?.plan, total?.plan].filter((plan) => plan !== undefined);
  const nodes = aggregations === undefined ? [] : [aggregations];
  for (const node of nodes) {
    plans.push(node.plan, ...node.topHits.map(({ plan }) => plan));
    nodes.push(...node.children);
  }
  return plans;
}

function* scansOf(plan: Plan): Generator<Scan, void> {
  for (const part of partsWithin(plan)) if (isPlan(part) && part.op === 'scan') yield part;
}

/** The times that any of them reads. */
function rangeOf(scans: Scan[]): TimeRange {
  const from = boundOf(scans, 'from', (bound, other) => bound < other);
  const to = boundOf(scans, 'to', (bound, other) => bound > other);
  return { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
}

/** The outermost of the bounds; undefined where one is open. */
function boundOf(
  scans: Scan[],
  side: 'from' | 'to',
  isOuter: (bound: bigint, other: bigint) => boolean,
): string | undefined {
  const bounds = scans.map((scan) => (scan[side] === undefined ? undefined : momentOf(scan[side])));
  const all = bounds.filter((bound) => bound !== undefined);
  return all.length === 0 || all.length < bounds.length
    ? undefined
    : momentText(all.reduce((outermost, bound) => (isOuter(bound, outermost) ? bound : outermost)));
}

/** A join, a union, a window or more than one summarize. The count of a search's hits goes without saying. */
function isComplex(query: PreparedQuery, plans: Plan[]): boolean {
  const counted = query.form === 'SEARCH' ? plans.filter((plan) => plan !== query.search.total?.plan) : plans;
  let summaries = 0;
  for (const part of counted.flatMap((plan) => [...partsWithin(plan)])) {
    if (!isPlan(part)) continue;
    if (part.op === 'join' || part.op === 'union' || part.op === 'window') return true;
    if (part.op === 'summarize') summaries += 1;
  }
  return summaries > 1;
}
