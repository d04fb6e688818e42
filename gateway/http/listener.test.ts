import { afterEach, describe, expect, it, vi } from 'vitest';
import { fail } from '../../platform/errors.js';
import { createLogger } from '../../platform/logging.js';
import { startTracing, type Tracing } from '../../platform/tracing.js';
import { attributesOf, type Collector, spansOf, startCollector } from '../../tests/setup/collector.js';
import { type Exchange, sendJson } from './listener.js';
import { apiRoute, serveRoutes, type TestServer } from './testing.js';

let server: TestServer | undefined;
let collector: Collector | undefined;
afterEach(async () => {
  vi.unstubAllEnvs();
  await server?.close();
  await collector?.close();
  server = undefined;
  collector = undefined;
});

const traceId = '0af7651916cd43dd8448eb211c80319c';
const caller = { traceparent: `00-${traceId}-b7ad6b7169203331-01`, tracestate: 'vendor=value' };
/** Answers what subgraphs would be sent along. */
const echo = ({ response, traceHeaders }: Exchange) => sendJson(response, 200, traceHeaders ?? null);
const ask = async (path: string, headers: Record<string, string> = {}) => {
  const answer = await fetch(server!.url + path, { headers });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as any };
};

describe('every answer', () => {
  it('carries the request’s id, one that the caller may choose', async () => {
    server = await serveRoutes([apiRoute(echo)]);
    expect((await ask('/graphql', { 'x-request-id': 'mine-1' })).headers.get('x-request-id')).toBe('mine-1');
    for (const id of ['with space', 'x'.repeat(65), '"quoted"']) {
      expect((await ask('/graphql', { 'x-request-id': id })).headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  it('that tells an error may be kept by nobody, and tells nothing of what went wrong inside', async () => {
    server = await serveRoutes([
      apiRoute(() => fail('CONFLICT', 'It exists.', { argument: 'name' }), '/known'),
      apiRoute(() => Promise.reject(Object.assign(new Error('password'), { code: 'ECONNRESET' })), '/unknown'),
    ]);
    const known = await ask('/known');
    expect([known.status, known.headers.get('cache-control')]).toEqual([409, 'no-store']);
    expect(known.body.errors).toEqual([{ message: 'It exists.', extensions: { code: 'CONFLICT', argument: 'name' } }]);
    const unknown = await ask('/unknown', { 'x-request-id': 'mine-2' });
    expect([unknown.status, unknown.headers.get('cache-control')]).toEqual([500, 'no-store']);
    expect(unknown.body.errors[0].extensions).toEqual({ code: 'INTERNAL_SERVER_ERROR', requestId: 'mine-2' });
    expect(JSON.stringify(unknown.body)).not.toContain('password');
  });
});

describe('the caller’s trace', () => {
  it('is passed on where nothing is traced, and is none where the caller sent none', async () => {
    server = await serveRoutes([apiRoute(echo)]);
    expect((await ask('/graphql', caller)).body).toEqual(caller);
    expect((await ask('/graphql')).body).toBeNull();
  });

  it('goes on with a span for the request, which tells how it ended', async () => {
    collector = await startCollector();
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', collector.url);
    vi.stubEnv('OTEL_EXPORTER_OTLP_PROTOCOL', 'http/json');
    const tracing = (await startTracing('harborwatch', createLogger('test', 'silent'))) as Tracing;
    const broken = apiRoute(() => Promise.reject(new Error('broken')), '/broken');
    server = await serveRoutes([apiRoute(echo), broken], {}, { tracing });
    const { body } = await ask('/graphql?query=secret', caller);
    await ask('/broken');
    await ask('/guessed');
    await server.close();
    await tracing.close();

    const spans = spansOf(collector.collected);
    const [answered, failed, lost] = ['GET /graphql', 'GET /broken', 'GET'].map((name) =>
      spans.find((span) => span.name === name),
    );
    expect(body).toEqual({ traceparent: `00-${traceId}-${answered.spanId}-01`, tracestate: 'vendor=value' });
    expect(answered).toMatchObject({ traceId, parentSpanId: 'b7ad6b7169203331', kind: 2 });
    expect(attributesOf(answered)).toMatchObject({
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'http.route': '/graphql',
      'url.path': '/graphql',
    });
    expect([failed.status.code, attributesOf(failed)['http.response.status_code']]).toEqual([2, 500]);
    expect(attributesOf(lost)['http.response.status_code']).toBe(404);
    expect(JSON.stringify(spans)).not.toContain('secret');
  });
});
