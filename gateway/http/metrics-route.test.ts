import { afterEach, expect, it } from 'vitest';
import { createGatewayMetrics, type GatewayMetrics } from '../../platform/metrics.js';
import { eventually } from '../../tests/setup/until.js';
import { sendJson } from './listener.js';
import { metricsRoute } from './metrics-route.js';
import { apiRoute, serveRoutes, type TestServer } from './testing.js';

let server: TestServer | undefined;
let metrics: GatewayMetrics;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const start = async (token?: string) => {
  metrics = createGatewayMetrics();
  const api = apiRoute(({ response }) => sendJson(response, 200, {}));
  const never = apiRoute(() => new Promise(() => {}), '/never');
  server = await serveRoutes([api, never, metricsRoute([metrics], token)], {}, { metrics });
};
const scrape = (headers: Record<string, string> = {}) => fetch(`${server!.url}/metrics`, { headers });

it('the figures count requests by route, also those that found none and those that nobody waited for', async () => {
  await start();
  await fetch(`${server!.url}/graphql?query=secret`, { method: 'POST' });
  await fetch(`${server!.url}/some/guess`);
  await fetch(`${server!.url}/graphql`, { method: 'DELETE' });
  const aborting = new AbortController();
  const aborted = fetch(`${server!.url}/never`, { signal: aborting.signal });
  await eventually(async () => expect(await metrics.text()).toContain('harborwatch_http_requests_in_flight 1'));
  aborting.abort();
  await expect(aborted).rejects.toThrow();
  await eventually(async () => expect(await metrics.text()).toContain('harborwatch_http_requests_in_flight 0'));
  const text = await (await scrape()).text();
  for (const labels of [
    'route="/graphql",method="POST",status="200"',
    'route="none",method="GET",status="404"',
    'route="/graphql",method="DELETE",status="405"',
    'route="/never",method="GET",status="499"',
  ]) {
    expect(text).toContain(`harborwatch_http_request_duration_seconds_count{${labels}} 1`);
  }
  expect(text).toContain('process_cpu_seconds_total');
  expect(text).not.toMatch(/secret|guess/);
});

it('without a token, callers on this machine may read them, and those who come through a proxy may not', async () => {
  await start();
  const answer = await scrape();
  expect([answer.status, answer.headers.get('content-type'), answer.headers.get('cache-control')]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
    'no-store',
  ]);
  for (const header of ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via']) {
    const refused = await scrape({ [header]: 'for=192.0.2.1' });
    expect([refused.status, await refused.json()]).toMatchObject([
      403,
      { errors: [{ extensions: { code: 'FORBIDDEN' } }] },
    ]);
  }
});

it('with a token, only its holders may read them', async () => {
  const token = 'a-token-of-the-scraper';
  await start(token);
  expect((await scrape({ authorization: `Bearer ${token}` })).status).toBe(200);
  for (const authorization of ['', 'Bearer', `Bearer ${token}x`, `Bearer ${token.slice(1)}`, `Basic ${token}`]) {
    expect((await scrape({ authorization })).status).toBe(401);
  }
});
