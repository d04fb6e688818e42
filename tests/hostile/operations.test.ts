/** Operations of a hostile client: bombs, circles, and what parsers, validators and planners stumble over. */
import { describe, expect, it } from 'vitest';
import { expectKnown, expectNoStall, expectTold, hostileClient, operation } from '../setup/hostile.js';

const { send, openSocket } = hostileClient();

describe('an operation', () => {
  const times = (count: number, make: (index: number) => string) =>
    Array.from({ length: count }, (_, n) => make(n)).join(' ');
  const attacks: [string, string][] = [
    [
      'a fragment bomb',
      `{ ...F0 } ${times(21, (i) => `fragment F${i} on Query { ${i < 20 ? `...F${i + 1} ... { ...F${i + 1} }` : '__typename'} }`)}`,
    ],
    ['a cycle of fragments', '{ viewer { org { ...A } } } fragment A on Org { id ...B } fragment B on Org { id ...A }'],
    ['a fragment in itself', '{ ...A } fragment A on Query { ...A }'],
    ['half a million lines before its errors', `${'\n'.repeat(500_000)}{ ${times(150, (i) => `x${i}`)} }`],
    ['340,000 comments', `${'#\n'.repeat(340_000)}{ __typename }`],
    ['a text of many lines', `{ job(id: """${'\n a'.repeat(250_000)}""") { id } }`],
    ['a name of a million letters', `{ ${'a'.repeat(1_000_000)} }`],
    ['20 names of 50,000 letters', `{ ${times(20, (i) => `a${i}${'b'.repeat(50_000)}`)} }`],
    ['a million opening braces', '{'.repeat(1_000_000)],
    ['many tokens', `{ ${'a '.repeat(500_000)} }`],
    ['a deep list', `{ collection(id: "x") { lookup(key: ${'['.repeat(990)}${']'.repeat(990)}) { key } } }`],
    ['a deep list without an end', `{ job(id: ${'['.repeat(1_990)}`],
    ['a deep variable type', `query ($x: ${'['.repeat(900)}Int${']'.repeat(900)}) { __typename @include(if: $x) }`],
    ['the same field 280 times', `{ ${'viewer { org { id } } '.repeat(280)} }`],
    ['the same leaf 1,990 times', `{ viewer { org { ${'id '.repeat(1_990)} } } }`],
    ['inline fragments in each other', `{ viewer ${'{ ... '.repeat(600)} { __typename } ${'} '.repeat(600)} }`],
    [
      '200 fragments',
      `{ viewer { ${times(200, (i) => `...F${i}`)} } } ${times(200, (i) => `fragment F${i} on Viewer { __typename }`)}`,
    ],
    ['500 operations', times(280, (i) => `query Q${i} { __typename }`)],
    ['directives without number', `{ __typename ${'@skip(if: false) '.repeat(300)} }`],
    ['variables without number', `query (${times(490, (i) => `$v${i}: Int`)}) { __typename }`],
    [
      'a condition on a subscription',
      'subscription ($x: Boolean!) { eventTail(dataset: "logs") @include(if: $x) { cursor } }',
    ],
    [
      'a subscription of several fields',
      'subscription { a: eventTail(dataset: "logs") { cursor } b: eventTail(dataset: "logs") { cursor } }',
    ],
    ['a subscription of __typename', 'subscription { __typename }'],
    ['an operation kind that the schema lacks nothing of', 'mutation { __typename }'],
    ['a definition of a type', 'type Query { x: Int } { __typename }'],
    ['an extension of the schema', 'extend schema @link(url: "x") { query: Query }'],
    ['federation’s own fields', '{ _entities(representations: []) { __typename } _service { sdl } }'],
    ['introspection in circles', `{ __schema { types { ${'fields { type { '.repeat(8)} name ${'} } '.repeat(8)} } } }`],
    ['a lone surrogate', '{ job(id: "\\ud800") { id } }'],
    ['a NUL in a text', '{ job(id: "\\u0000") { id } dataset(name: "\\u0000") { name } org(id: "\\u0000") { id } }'],
    [
      'a NUL in another text',
      '{ activityLog(app: "a\\u0000", days: 1) { nodes { id } } collection(id: "\\u0000") { id } widgets { totalEvents(dataset: "\\u0000") { totalEvents } } }',
    ],
    ['numbers beyond all bounds', '{ jobs(first: 99999999999999999999) { nodes { id } } }'],
    ['a fraction for a whole number', '{ jobs(first: 1e999) { nodes { id } } }'],
    ['no definition', '# nothing'],
    ['control characters', '\u0007{ __typename }\u0000'],
  ];

  it.each(attacks)('with %s is told over HTTP', async (_name, query) => {
    const body = operation(query);
    await expectNoStall(async () => expectTold(await send(body)));
  });

  it.each(attacks.filter(([, query]) => query.length < 50_000))(
    'with %s is told over a WebSocket',
    async (_name, query) => {
      const socket = await openSocket();
      const answers = await socket.ask({ query });
      const codes = answers.flatMap(({ errors }) => errors.map(({ extensions }) => extensions?.code));
      expectKnown(codes, JSON.stringify(answers));
      // It can be used as before.
      expect(await socket.ask({ query: '{ __typename }' })).toEqual([{ errors: [], data: { __typename: 'Query' } }]);
      socket.close();
    },
  );
});
