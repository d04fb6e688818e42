import { afterEach, describe, expect, it, vi } from 'vitest';
import { attributesOf, type Collector, spansOf, startCollector } from '../tests/setup/collector.js';
import { createLogger } from './logging.js';
import { passedOnTrace, startTracing, wantedExporters } from './tracing.js';

const logger = createLogger('test', 'silent');

let collector: Collector | undefined;
afterEach(async () => {
  vi.unstubAllEnvs();
  await collector?.close();
  collector = undefined;
});

const start = async (): Promise<Collector> => {
  collector = await startCollector();
  return collector;
};

const set = (variables: Record<string, string>) => {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
};

const traceId = '0af7651916cd43dd8448eb211c80319c';
const caller = { traceparent: `00-${traceId}-b7ad6b7169203331-01`, tracestate: 'vendor=value' };

describe('traces are', () => {
  it.each([
    [{}, undefined],
    [{ OTEL_SERVICE_NAME: 'name' }, undefined],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector' }, ['otlp']],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector' }, ['otlp']],
    [{ OTEL_TRACES_EXPORTER: 'otlp, console' }, ['otlp', 'console']],
    [{ OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector' }, undefined],
    [{ OTEL_SDK_DISABLED: 'true', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector' }, undefined],
    [{ OTEL_SDK_DISABLED: 'no', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector' }, ['otlp']],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }, undefined],
  ])('with %j sent by %s', (env, exporters) => {
    expect(wantedExporters(env)).toEqual(exporters);
  });

  it('off without the variables, and with an exporter or a protocol that we do not speak', async () => {
    expect(await startTracing('harborwatch', logger)).toBeUndefined();
    set({ OTEL_TRACES_EXPORTER: 'zipkin' });
    expect(await startTracing('harborwatch', logger)).toBeUndefined();
    set({ OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' });
    expect(await startTracing('harborwatch', logger)).toBeUndefined();
  });
});

describe('a trace that is sent as JSON', () => {
  it('holds the steps of a request as parts of the caller’s trace, with the resource of the variables', async () => {
    const { url, collected } = await start();
    set({
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_HEADERS: 'x-key=secret',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=test',
    });
    const tracing = (await startTracing('harborwatch-gateway', logger))!;
    const request = tracing.startRequest('POST /graphql', caller, { 'http.request.method': 'POST' });
    const operation = request.child('query', 'internal', { 'graphql.operation.name': 'Overview' });
    const fetched = operation.child('subgraph jobs', 'client');
    const sentOn = fetched.headers();
    fetched.fail('SUBGRAPH_TIMEOUT');
    for (const span of [fetched, operation, request]) span.end();
    await tracing.close();

    expect(collected.map(({ path, type, headers }) => [path, type, headers['x-key']])).toEqual([
      ['/v1/traces', 'application/json', 'secret'],
    ]);
    const spans = spansOf(collected);
    const named = (name: string) => spans.find((span) => span.name === name);
    expect(spans).toHaveLength(3);
    expect(spans.every((span) => span.traceId === traceId)).toBe(true);
    expect(named('POST /graphql')).toMatchObject({ parentSpanId: 'b7ad6b7169203331', kind: 2 });
    expect(named('query')).toMatchObject({ parentSpanId: named('POST /graphql').spanId, kind: 1 });
    expect(named('subgraph jobs')).toMatchObject({ parentSpanId: named('query').spanId, kind: 3, status: { code: 2 } });
    expect(attributesOf(named('query'))).toEqual({ 'graphql.operation.name': 'Overview' });
    expect(attributesOf(named('subgraph jobs'))).toEqual({ 'error.type': 'SUBGRAPH_TIMEOUT' });
    expect(sentOn).toEqual({
      traceparent: `00-${traceId}-${named('subgraph jobs').spanId}-01`,
      tracestate: 'vendor=value',
    });
    expect(named('query').resource).toMatchObject({
      'service.name': 'harborwatch-gateway',
      'deployment.environment': 'test',
    });
  });

  it('is named by OTEL_SERVICE_NAME', async () => {
    const { url, collected } = await start();
    set({
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${url}/own/path`,
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
      OTEL_SERVICE_NAME: 'edge',
    });
    const tracing = (await startTracing('harborwatch-gateway', logger))!;
    tracing.startRequest('GET', {}, {}).end();
    await tracing.close();
    expect(collected[0]!.path).toBe('/own/path');
    expect(spansOf(collected)[0].resource['service.name']).toBe('edge');
  });

  it.each([
    ['always_off', caller, 0, '00'],
    ['always_on', { traceparent: `00-${traceId}-b7ad6b7169203331-00` }, 1, '01'],
    ['parentbased_always_on', { traceparent: `00-${traceId}-b7ad6b7169203331-00` }, 0, '00'],
    ['parentbased_always_off', caller, 1, '01'],
  ])('keeps to the sampler %s, and tells the next one', async (sampler, headers, count, flags) => {
    const { url, collected } = await start();
    set({
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_TRACES_SAMPLER: sampler,
    });
    const tracing = (await startTracing('harborwatch', logger))!;
    const span = tracing.startRequest('GET', headers, {});
    expect(span.headers().traceparent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-${flags}$`));
    span.end();
    await tracing.close();
    expect(spansOf(collected)).toHaveLength(count);
  });
});

it('a trace is sent as protobuf where nothing else is asked for', async () => {
  const { url, collected } = await start();
  set({ OTEL_EXPORTER_OTLP_ENDPOINT: url });
  const tracing = (await startTracing('harborwatch', logger))!;
  tracing.startRequest('POST /graphql', caller, {}).end();
  await tracing.close();
  expect(collected[0]!.type).toBe('application/x-protobuf');
  expect(collected[0]!.body.includes(Buffer.from(traceId, 'hex'))).toBe(true);
  expect(collected[0]!.body.includes('POST /graphql')).toBe(true);
});

describe('where nothing is traced, the caller’s context', () => {
  it('is passed on as it came', () => {
    expect(passedOnTrace(caller)).toEqual(caller);
    expect(passedOnTrace({ traceparent: caller.traceparent })).toEqual({ traceparent: caller.traceparent });
  });

  it.each([
    undefined,
    'nonsense',
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `ff-${traceId}-b7ad6b7169203331-01`,
    `00-${traceId.toUpperCase()}-b7ad6b7169203331-01`,
    `00-${traceId}-b7ad6b7169203331-01-more`,
  ])('is dropped where it is "%s"', (traceparent) => {
    expect(passedOnTrace({ traceparent, tracestate: 'vendor=value' })).toBeUndefined();
  });

  it('loses a tracestate that is too long', () => {
    expect(passedOnTrace({ ...caller, tracestate: 'x'.repeat(513) })).toEqual({ traceparent: caller.traceparent });
  });
});
