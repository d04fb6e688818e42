/**
 * What Prometheus reads of a gateway. Counting is a few plain additions, since it happens in every request; names and
 * label texts are made when somebody asks. Labels only take values of bounded number: never a client's text.
 */
import { collectDefaultMetrics, Registry } from 'prom-client';

export type OperationKind = 'query' | 'mutation' | 'subscription';
/** `partial`: data with errors; `refused`: the operation was not run. */
export type OperationOutcome = 'ok' | 'partial' | 'failed' | 'refused';
/** `refused`: not sent, because the breaker is open. */
export type FetchOutcome = 'ok' | 'errors' | 'failed' | 'timeout' | 'refused';
export type BreakerState = 'closed' | 'half-open' | 'open';
/** What lasts and is counted while it does. */
export type Lasting = 'httpRequests' | 'operations' | 'sockets' | 'subscriptions';
/** What is counted once at a time. */
export type Counted = 'planCacheHits' | 'planCacheMisses' | 'sharedExecutions' | 'subscriptionEvents';
/** What somebody else knows and tells when asked. */
export type Watched = 'planCacheEntries' | 'planCacheBytes';

/** Figures in Prometheus' text format. */
export interface Figures {
  text(): Promise<string>;
}

/** What the parts of the gateway tell; every method but `watch` costs well under a microsecond. */
export interface GatewayMetrics extends Figures {
  /** An HTTP request has ended. @param route the route's path, never the request's */
  httpRequest(route: string, method: string, status: number, seconds: number): void;
  /** An operation has been answered. */
  operation(kind: OperationKind, outcome: OperationOutcome, seconds: number): void;
  /** A subgraph has answered, or not. */
  subgraphFetch(subgraph: string, outcome: FetchOutcome, seconds: number): void;
  /** An operation has been planned. */
  planned(planner: 'native' | 'apollo', seconds: number): void;
  count(what: Counted): void;
  /** Something begins, or ends. */
  begin(what: Lasting): void;
  end(what: Lasting): void;
  breaker(subgraph: string, state: BreakerState): void;
  /** The figure is read at every scrape. A second call replaces the first. */
  watch(what: Watched, read: () => number): void;
}

const lasting: Record<Lasting, [name: string, help: string]> = {
  httpRequests: ['harborwatch_http_requests_in_flight', 'HTTP requests that are being answered.'],
  operations: ['harborwatch_graphql_operations_in_flight', 'GraphQL operations that are being executed.'],
  sockets: ['harborwatch_sockets', 'Open WebSockets and event streams.'],
  subscriptions: ['harborwatch_subscriptions', 'Running subscriptions.'],
};
const counted: Record<Counted, [name: string, help: string]> = {
  planCacheHits: ['harborwatch_plan_cache_hits_total', 'Operations that were found compiled.'],
  planCacheMisses: ['harborwatch_plan_cache_misses_total', 'Operations that had to be planned.'],
  sharedExecutions: ['harborwatch_shared_executions_total', 'Queries that took the answer of an equal one in flight.'],
  subscriptionEvents: ['harborwatch_subscription_events_total', 'Events that were sent to subscribers.'],
};
const watched: Record<Watched, [name: string, help: string]> = {
  planCacheEntries: ['harborwatch_plan_cache_entries', 'Compiled operations that are kept.'],
  planCacheBytes: ['harborwatch_plan_cache_bytes', 'What they are estimated to take.'],
};
const breakerValues: Record<BreakerState, number> = { closed: 0, 'half-open': 1, open: 2 };
const methods = new Set(['GET', 'POST', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'PATCH']);

/** Upper bounds in seconds. */
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** More series than this are counted together: a label took a value that it should not. */
const maxSeries = 1_000;

interface Value {
  metricName?: string;
  labels: Record<string, Label>;
  value: number;
}

type Label = string | number;

interface Counts {
  labels: Label[];
  /** How many, by slot. */
  counts: Float64Array;
  sum: number;
}

/** Counts by up to three labels. In levels: a joined key would be made, hashed and thrown away at every count. */
class Series {
  readonly #levels = new Map<Label, Map<Label, Map<Label, Counts>>>();
  readonly #all: Counts[] = [];

  constructor(
    private readonly labelNames: readonly string[],
    private readonly slots: number,
  ) {}

  add(slot: number, amount: number, first: Label, second: Label = '', third: Label = ''): void {
    const series = this.#levels.get(first)?.get(second)?.get(third) ?? this.#begin(first, second, third);
    series.counts[slot]! += 1;
    series.sum += amount;
  }

  entries(): { labels: Record<string, Label>; counts: Float64Array; sum: number }[] {
    return this.#all.map(({ labels, counts, sum }) => ({
      labels: Object.fromEntries(this.labelNames.map((name, at) => [name, labels[at]!])),
      counts,
      sum,
    }));
  }

  #begin(...given: [Label, Label, Label]): Counts {
    const isFull = this.#all.length >= maxSeries;
    const labels: typeof given = isFull ? ['other', 'other', 'other'] : given;
    const [first, second, third] = labels;
    const ofFirst = this.#levels.get(first) ?? new Map<Label, Map<Label, Counts>>();
    const ofSecond = ofFirst.get(second) ?? new Map<Label, Counts>();
    const series = ofSecond.get(third) ?? { labels, counts: new Float64Array(this.slots), sum: 0 };
    this.#levels.set(first, ofFirst);
    ofFirst.set(second, ofSecond);
    if (!ofSecond.has(third)) this.#all.push(series);
    ofSecond.set(third, series);
    return series;
  }
}

/** Figures of one gateway; several in one process do not meet. */
export function createGatewayMetrics(): GatewayMetrics {
  const registry = new Registry();
  const register = (type: 'gauge' | 'counter' | 'histogram', name: string, help: string, read: () => Value[]) => {
    const metric = {
      name,
      help,
      type,
      aggregator: 'sum',
      reset: () => {},
      get: async () => ({ name, help, type, values: read() }),
    };
    // The registry asks nothing else of a metric; prom-client's own cost more than a microsecond at every observation.
    registry.registerMetric(metric as never);
  };
  const single = (type: 'gauge' | 'counter', [name, help]: [string, string], read: () => number) =>
    register(type, name, help, () => [{ labels: {}, value: read() }]);

  const durations = (name: string, help: string, ...labelNames: string[]) => {
    const series = new Series(labelNames, buckets.length + 1);
    register('histogram', name, help, () => series.entries().flatMap((entry) => histogramValues(name, entry)));
    return (seconds: number, first: Label, second?: Label, third?: Label): void => {
      let bucket = 0;
      while (bucket < buckets.length && seconds > buckets[bucket]!) bucket += 1;
      series.add(bucket, seconds, first, second, third);
    };
  };
  const http = durations(
    'harborwatch_http_request_duration_seconds',
    'HTTP requests, from the first byte to the last.',
    'route',
    'method',
    'status',
  );
  const operations = durations(
    'harborwatch_graphql_operation_duration_seconds',
    'GraphQL operations.',
    'kind',
    'outcome',
  );
  const fetches = durations(
    'harborwatch_subgraph_fetch_duration_seconds',
    'Calls of subgraphs.',
    'subgraph',
    'outcome',
  );
  const planning = durations(
    'harborwatch_planning_duration_seconds',
    'Planning of operations that were not known.',
    'planner',
  );

  const now: Record<Lasting, number> = { httpRequests: 0, operations: 0, sockets: 0, subscriptions: 0 };
  const counts: Record<Counted, number> = {
    planCacheHits: 0,
    planCacheMisses: 0,
    sharedExecutions: 0,
    subscriptionEvents: 0,
  };
  const reads = new Map<Watched, () => number>();
  const breakers = new Map<string, BreakerState>();
  for (const key of Object.keys(lasting) as Lasting[]) single('gauge', lasting[key], () => now[key]);
  for (const key of Object.keys(counted) as Counted[]) single('counter', counted[key], () => counts[key]);
  for (const key of Object.keys(watched) as Watched[]) single('gauge', watched[key], () => reads.get(key)?.() ?? 0);
  register('gauge', 'harborwatch_breaker_state', 'Breakers of subgraphs: 0 closed, 1 half-open, 2 open.', () =>
    [...breakers].map(([subgraph, state]) => ({ labels: { subgraph }, value: breakerValues[state] })),
  );

  return {
    httpRequest: (route, method, status, seconds) =>
      http(seconds, route, methods.has(method) ? method : 'other', status),
    operation: (kind, outcome, seconds) => operations(seconds, kind, outcome),
    subgraphFetch: (subgraph, outcome, seconds) => fetches(seconds, subgraph, outcome),
    planned: (planner, seconds) => planning(seconds, planner),
    count(what) {
      counts[what] += 1;
    },
    begin(what) {
      now[what] += 1;
    },
    end(what) {
      now[what] -= 1;
    },
    breaker: (subgraph, state) => void breakers.set(subgraph, state),
    watch: (what, read) => void reads.set(what, read),
    text: () => registry.metrics(),
  };
}

function histogramValues(
  name: string,
  { labels, counts, sum }: { labels: Record<string, Label>; counts: Float64Array; sum: number },
): Value[] {
  let below = 0;
  const values: Value[] = [];
  for (const [at, count] of counts.entries()) {
    below += count;
    values.push({ metricName: `${name}_bucket`, labels: { ...labels, le: buckets[at] ?? '+Inf' }, value: below });
  }
  return [
    ...values,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: below },
  ];
}

let processRegistry: Registry | undefined;

/** The figures of this process: CPU, memory, garbage collection, event loop lag. Measured from the first call on. */
export function processMetrics(): Figures {
  if (!processRegistry) {
    processRegistry = new Registry();
    collectDefaultMetrics({ register: processRegistry });
  }
  const registry = processRegistry;
  return { text: () => registry.metrics() };
}

/** The content type of `text()`. */
export const metricsContentType = Registry.PROMETHEUS_CONTENT_TYPE;
