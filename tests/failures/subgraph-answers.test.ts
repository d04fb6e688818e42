/** A subgraph that is there and answers badly: the other fields are answered, in time, and its own tell what it was. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type Answerer,
  breaksOff,
  type FakeSubgraph,
  says,
  silent,
  startFakeSubgraph,
} from '../../gateway/sources/testing.js';
import { generateSigningKey } from '../../platform/authentication/token-keys.js';
import { startTestGateway, type TestGateway } from '../setup/gateway.js';

const timeoutMs = 1_000;
const answerBytes = 200_000;
let gateway: TestGateway;
let subgraph: FakeSubgraph;
beforeAll(async () => {
  subgraph = await startFakeSubgraph(silent);
  gateway = await startTestGateway({
    settings: {
      HOP_SIGNING_KEY: await generateSigningKey(),
      SUBGRAPH_URLS: `jobs=${subgraph.url}`,
      SUBGRAPH_TIMEOUT_MS: String(timeoutMs),
      SUBGRAPH_ANSWER_BYTES: String(answerBytes),
      // Each test is about one answer, not about the memory of those before.
      BREAKER_FAILURES: '10000',
      BREAKER_FAILURE_PERCENT: '100',
    },
  });
  // Planned and compiled: what is measured is the waiting alone.
  await ask(says('{"data":{"job":null}}'));
});
afterAll(async () => {
  await gateway.close();
  await subgraph.close();
});
beforeEach(() => {
  subgraph.requests = [];
});

const operation = '{ viewer { org { slug } } job(id: "1") { id } }';
const ask = async (answerer: Answerer, text = operation) => {
  subgraph.answers = [answerer];
  const started = performance.now();
  const { data, errors, status } = await gateway.query<any>(gateway.orgs[0], text);
  return { status, data, errors, ms: performance.now() - started };
};

const half: Answerer = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
  response.write('{"data":{"job":', () => response.destroy());
};
const huge: Answerer = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const more = () => response.write(`"${'x'.repeat(50_000)}",`, (error) => void (error || more()));
  more();
};
const trickle: Answerer = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const timer = setInterval(() => response.write(' '), 50);
  response.on('close', () => clearInterval(timer));
};

describe('a subgraph that', () => {
  it.each([
    ['never answers', silent],
    ['answers byte by byte', trickle],
  ])('%s costs its own field alone, within its deadline and half a second', async (_name, answerer) => {
    const { data, errors, ms, status } = await ask(answerer);
    expect([status, data]).toEqual([200, { viewer: { org: { slug: 'one' } }, job: null }]);
    expect(errors).toMatchObject([{ path: ['job'], extensions: { code: 'SUBGRAPH_TIMEOUT' } }]);
    expect(ms).toBeLessThan(timeoutMs + 500);
  });

  it.each([
    ['text that is no JSON', says('{"data":'), 'SUBGRAPH_INVALID_ANSWER'],
    ['an HTML page with status 200', says('<html></html>', 200), 'SUBGRAPH_INVALID_ANSWER'],
    ['an HTML page with status 502', says('<html>Bad gateway</html>', 502), 'SUBGRAPH_UNAVAILABLE'],
    ['half of it and breaks off', half, 'SUBGRAPH_UNAVAILABLE'],
    ['nothing and breaks off', breaksOff, 'SUBGRAPH_UNAVAILABLE'],
    ['without an end', huge, 'SUBGRAPH_INVALID_ANSWER'],
    ['a list', says('[]'), 'SUBGRAPH_INVALID_ANSWER'],
    ['an object of another kind', says('{"hello":"world"}'), 'SUBGRAPH_INVALID_ANSWER'],
    ['errors that are none', says('{"errors":"no"}'), 'SUBGRAPH_INVALID_ANSWER'],
    ['that it takes no token of this gateway', says('{"errors":[{"message":"No."}]}', 401), 'SUBGRAPH_UNAVAILABLE'],
  ])('answers %s costs its own field alone', async (_name, answerer, code) => {
    const { data, errors, status } = await ask(answerer);
    expect([status, data]).toEqual([200, { viewer: { org: { slug: 'one' } }, job: null }]);
    expect(errors).toMatchObject([{ path: ['job'], extensions: { code } }]);
    expect(JSON.stringify(errors)).not.toMatch(/127\.0\.0\.1|hello|html/);
  });

  it.each([
    ['a scalar in the place of an object', says('{"data":{"job":7}}')],
    ['an object in the place of a scalar', says('{"data":{"job":{"id":{"x":1}}}}')],
    ['a list in the place of an object', says('{"data":{"job":[{"id":"1"}]}}')],
    ['no field that was asked for', says('{"data":{}}')],
    ['keys that programs stumble over', says('{"data":{"job":{"__proto__":{"id":"1"},"constructor":1}}}')],
  ])('answers %s never breaks the other fields', async (_name, answerer) => {
    const { data, status } = await ask(answerer);
    expect(status).toBe(200);
    expect(data.viewer).toEqual({ org: { slug: 'one' } });
    expect(({} as { id?: string }).id).toBeUndefined();
  });

  it('fails is asked once more by a query, and never again by a mutation', async () => {
    await ask(says('', 503));
    expect(subgraph.requests).toHaveLength(2);
    subgraph.requests = [];
    const mutation = await ask(breaksOff, 'mutation { cancelJob(input: { id: "1" }) { cancelledAt } }');
    expect(mutation.errors).toMatchObject([{ extensions: { code: 'SUBGRAPH_UNAVAILABLE' } }]);
    expect(subgraph.requests).toHaveLength(1);
  });
});
