import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from '../../tests/setup/gateway.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.close());

it.each([
  ['an answer', 'POST', '/graphql', '{"query":"{ __typename }"}', 200],
  ['a refused operation', 'POST', '/graphql', '{', 400],
  ['an address that is none', 'GET', '/nowhere', undefined, 404],
  ['a wrong method', 'DELETE', '/graphql', undefined, 405],
  ['ingest without a token', 'POST', '/ingest/logs', '{}', 401],
  ['health', 'GET', '/health/live', undefined, 200],
])('%s tells browsers to run, frame and guess nothing', async (_what, method, path, body, status) => {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(gateway.url + path, { method, headers, ...(body ? { body } : {}) });
  expect(response.status).toBe(status);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
    'cross-origin-resource-policy': 'same-origin',
  });
  expect([...response.headers.keys()]).not.toContain('x-powered-by');
});
