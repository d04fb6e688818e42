import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { capabilitiesOf } from '../../platform/identity.js';
import { eventually } from '../../tests/setup/until.js';
import { identityOf, type StreamGraph, startStreamGraph } from './testing.js';

const forbidden = (...path: string[]) => ({
  message: 'This needs the capability org:admin. Ask an administrator of your organisation for it.',
  path,
  extensions: { code: 'FORBIDDEN', capability: 'org:admin' },
});
const unauthenticated = (...path: string[]) => ({
  message: 'Sign in first, and send the access token as `Authorization: Bearer <token>`.',
  path,
  extensions: { code: 'UNAUTHENTICATED' },
});

describe('subscriptions under rules of access', () => {
  let graph: StreamGraph;
  beforeAll(async () => {
    graph = await startStreamGraph();
  });
  afterAll(() => graph?.close());

  const analyst = identityOf('org', 'ann');
  const admin = identityOf('org', 'eve', { capabilities: capabilitiesOf(['ADMIN']) });
  const query = 'subscription ($t: String!) { it: forAdmins(topic: $t) { n } }';

  it.each([
    ['without the capability', analyst, forbidden('it')],
    ['without a token', undefined, unauthenticated('it')],
  ])('are refused over WebSocket %s, and never open', async (_who, identity, error) => {
    const name = crypto.randomUUID();
    const client = await graph.client(identity);
    const events = client.iterate({ query, variables: { t: name } });
    expect((await events.next()).value).toEqual({ errors: [error] });
    expect((await events.next()).done).toBe(true);
    expect(graph.feed(name).opened).toBe(0);
    await client.dispose();
  });

  it('are refused over server-sent events, and never open', async () => {
    const name = crypto.randomUUID();
    for (const [identity, error] of [
      [analyst, forbidden('it')],
      [undefined, unauthenticated('it')],
    ] as const) {
      const response = await fetch(`${graph.url}/graphql`, {
        method: 'POST',
        headers: {
          accept: 'text/event-stream',
          'content-type': 'application/json',
          ...(identity ? { authorization: `Bearer ${await graph.tokenFor(identity)}` } : {}),
        },
        body: JSON.stringify({ query, variables: { t: name } }),
      });
      const [event] = (await response.text()).split('\n\n').filter((part) => part.startsWith('event: next'));
      expect(JSON.parse(event!.slice(event!.indexOf('data:') + 'data:'.length))).toEqual({ errors: [error] });
    }
    expect(graph.feed(name).opened).toBe(0);
  });

  it('open for who may ask, and null in every event what may not be asked for', async () => {
    const name = crypto.randomUUID();
    const partly = 'subscription ($t: String!) { forUsers(topic: $t) { n figure } }';
    const one = await graph.client(admin);
    const other = await graph.client(analyst);
    const whole = one.iterate({ query: partly, variables: { t: name } });
    const part = other.iterate({ query: partly, variables: { t: name } });
    const [first, second] = [whole.next(), part.next()];
    await eventually(() => expect(graph.feed(name).open).toBe(2));
    graph.feed(name).publish({ n: 1, figure: 7 });
    expect((await first).value).toEqual({ data: { forUsers: { n: 1, figure: 7 } } });
    expect((await second).value).toEqual({
      data: { forUsers: { n: 1, figure: null } },
      errors: [forbidden('forUsers', 'figure')],
    });
    await one.dispose();
    await other.dispose();
  });
});
