import { describe, expect, it } from 'vitest';
import { createGatewayMetrics, processMetrics } from './metrics.js';

/** The lines of one metric, without its help. */
const linesOf = (text: string, name: string) => text.split('\n').filter((line) => line.startsWith(name));

describe('the figures of a gateway', () => {
  it('show durations as a histogram whose buckets contain each other', async () => {
    const metrics = createGatewayMetrics();
    for (const seconds of [0.0004, 0.001, 0.3, 60]) metrics.httpRequest('/graphql', 'POST', 200, seconds);
    const text = await metrics.text();
    const labels = 'route="/graphql",method="POST",status="200"';
    expect(text).toContain('# TYPE harborwatch_http_request_duration_seconds histogram');
    expect(linesOf(text, 'harborwatch_http_request_duration_seconds')).toEqual(
      expect.arrayContaining([
        `harborwatch_http_request_duration_seconds_bucket{${labels},le="0.001"} 2`,
        `harborwatch_http_request_duration_seconds_bucket{${labels},le="0.25"} 2`,
        `harborwatch_http_request_duration_seconds_bucket{${labels},le="0.5"} 3`,
        `harborwatch_http_request_duration_seconds_bucket{${labels},le="30"} 3`,
        `harborwatch_http_request_duration_seconds_bucket{${labels},le="+Inf"} 4`,
        `harborwatch_http_request_duration_seconds_sum{${labels}} 60.3014`,
        `harborwatch_http_request_duration_seconds_count{${labels}} 4`,
      ]),
    );
  });

  it('show what lasts, what happened and what others know', async () => {
    const metrics = createGatewayMetrics();
    metrics.begin('sockets');
    metrics.begin('sockets');
    metrics.end('sockets');
    metrics.count('planCacheHits');
    metrics.watch('planCacheEntries', () => 7);
    metrics.breaker('jobs', 'open');
    metrics.breaker('audit', 'closed');
    metrics.operation('query', 'partial', 0.2);
    metrics.subgraphFetch('jobs', 'timeout', 5);
    metrics.planned('native', 0.003);
    const lines = (await metrics.text()).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'harborwatch_sockets 1',
        'harborwatch_plan_cache_hits_total 1',
        'harborwatch_plan_cache_misses_total 0',
        'harborwatch_plan_cache_entries 7',
        'harborwatch_breaker_state{subgraph="jobs"} 2',
        'harborwatch_breaker_state{subgraph="audit"} 0',
        'harborwatch_graphql_operation_duration_seconds_count{kind="query",outcome="partial"} 1',
        'harborwatch_subgraph_fetch_duration_seconds_sum{subgraph="jobs",outcome="timeout"} 5',
        'harborwatch_planning_duration_seconds_count{planner="native"} 1',
      ]),
    );
  });

  it('stay bounded, whatever takes the place of a label', async () => {
    const metrics = createGatewayMetrics();
    for (let at = 0; at < 5_000; at += 1) metrics.subgraphFetch(`Name${at}`, 'ok', 0.1);
    metrics.httpRequest('/graphql', 'BREW', 200, 0.1);
    const text = await metrics.text();
    const lines = linesOf(text, 'harborwatch_subgraph_fetch_duration_seconds_count{');
    expect(lines).toHaveLength(1_001);
    expect(lines.at(-1)).toBe(
      'harborwatch_subgraph_fetch_duration_seconds_count{subgraph="other",outcome="other"} 4000',
    );
    expect(text).toContain('method="other"');
    expect(text).not.toContain('BREW');
  });

  it('of two gateways in one process do not meet', async () => {
    const [one, two] = [createGatewayMetrics(), createGatewayMetrics()];
    one.begin('subscriptions');
    expect(linesOf(await one.text(), 'harborwatch_subscriptions ')).toEqual(['harborwatch_subscriptions 1']);
    expect(linesOf(await two.text(), 'harborwatch_subscriptions ')).toEqual(['harborwatch_subscriptions 0']);
  });
});

it('the figures of the process tell memory and event loop lag, however often they are asked for', async () => {
  processMetrics();
  const text = await processMetrics().text();
  for (const name of [
    'process_resident_memory_bytes',
    'nodejs_eventloop_lag_p99_seconds',
    'nodejs_gc_duration_seconds',
  ]) {
    expect(text).toContain(`# HELP ${name}`);
  }
});
