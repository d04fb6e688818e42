/** The specification of GraphQL over HTTP, as the package `graphql-http` checks it. */
import { auditServer } from 'graphql-http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from './setup/gateway.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.close());

it('fails none of the 61 checks of the specification', async () => {
  const authorization = `Bearer ${await gateway.tokenFor(gateway.orgs[0])}`;
  const results = await auditServer({
    url: `${gateway.url}/graphql`,
    fetchFn: (url: string, { headers, ...init }: RequestInit = {}) =>
      fetch(url, { ...init, headers: { ...(headers as Record<string, string>), authorization } }),
  });
  const failed = results.filter(({ status }) => status !== 'ok').map(({ id, name, status }) => ({ id, name, status }));
  expect(failed).toEqual([]);
  expect(results).toHaveLength(61);
});

it('answers a GET without a token or another header that a browser asks about first with 400, whatever it asks for', async () => {
  const url = `${gateway.url}/graphql?query=${encodeURIComponent('{ __typename }')}`;
  const harmless: Record<string, string>[] = [{}, { accept: 'application/json' }, { 'content-type': 'text/plain' }];
  for (const headers of harmless) {
    const response = await fetch(url, { headers });
    const body = (await response.json()) as { errors: { extensions: { code: string } }[] };
    expect([response.status, body.errors[0]?.extensions.code]).toEqual([400, 'BAD_REQUEST']);
  }
  expect((await fetch(url, { headers: { 'apollo-require-preflight': '1' } })).status).toBe(200);
});

it('answers what is wrong with an operation with 200 to clients of application/json, and with 400 to others', async () => {
  const statuses = async (accept: string, body: object) => {
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept },
      body: JSON.stringify(body),
    });
    const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] };
    return [response.status, errors[0]?.extensions.code];
  };
  const cases: [object, string][] = [
    [{ query: '{' }, 'GRAPHQL_PARSE_FAILED'],
    [{ query: '{ nope }' }, 'GRAPHQL_VALIDATION_FAILED'],
    [{ query: `{ ${'__typename '.repeat(21)} }` }, 'OPERATION_LIMIT_EXCEEDED'],
    [{ query: 'query ($id: ID!) { job(id: $id) { id } }', variables: { id: null } }, 'BAD_USER_INPUT'],
  ];
  for (const [body, code] of cases) {
    expect(await statuses('application/json', body)).toEqual([200, code]);
    expect(await statuses('application/graphql-response+json', body)).toEqual([400, code]);
  }
  expect(await statuses('application/json', { query: 7 })).toEqual([400, 'BAD_REQUEST']);
});
