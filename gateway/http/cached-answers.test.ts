import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from '../../tests/setup/gateway.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.close());

const ask = async (query: string, headers: Record<string, string> = {}, method: 'GET' | 'POST' = 'GET') => {
  const authorization = `Bearer ${await gateway.tokenFor(gateway.orgs[0])}`;
  const url = `${gateway.url}/graphql`;
  const sent = { authorization, 'apollo-require-preflight': 'yes', ...headers };
  return method === 'GET'
    ? fetch(`${url}?${new URLSearchParams({ query })}`, { headers: sent })
    : fetch(url, {
        method,
        headers: { ...sent, 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      });
};
const slow = '{ datasets { name columns { name type } } }';

it('what changes slowly may be kept by the caller’s own browser, and is not sent again while it is the same', async () => {
  const first = await ask(slow);
  expect(first.headers.get('cache-control')).toBe('max-age=60, private');
  expect(first.headers.get('vary')?.toLowerCase()).toContain('authorization');
  const again = await ask(slow, { 'if-none-match': first.headers.get('etag')! });
  expect([again.status, await again.text()]).toEqual([304, '']);
});

it('over POST the same is told without a tag, also when the operation is known already', async () => {
  for (let run = 0; run < 2; run += 1) {
    const { headers } = await ask(slow, {}, 'POST');
    expect([headers.get('cache-control'), headers.get('etag')]).toEqual(['max-age=60, private', null]);
  }
});

it.each([
  ['counts', '{ datasets { name eventCount { value } } }'],
  ['moments that move', '{ datasets { name lastEventAt } }'],
  ['fields without a hint', '{ datasets { name } viewer { org { slug } } }'],
  ['errors', '{ dataset(name: "nope") { name } }'],
  ['broken operations', '{ datasets { nope } }'],
  ['mutations', 'mutation { signOut(input: { refreshToken: "x" }) { signedOut } }'],
])('%s may be kept by nobody', async (_what, query) => {
  for (const method of ['GET', 'POST'] as const) {
    const { headers } = await ask(query, {}, method);
    expect([headers.get('cache-control'), headers.get('etag')]).toEqual(['no-store', null]);
  }
});
