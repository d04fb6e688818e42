import { GraphQLError, Source } from 'graphql';
import { describe, expect, it } from 'vitest';
import { newSecret, publicPart } from './authentication/api-keys.js';
import { createLogger, type Logger } from './logging.js';
import { withoutLiterals } from './redaction.js';

/** What a logger writes. */
function linesOf(write: (logger: Logger) => void): string {
  let lines = '';
  write(createLogger('test', 'trace', { write: (line) => (lines += line) }));
  return lines;
}

describe('a log line', () => {
  const jwt = 'eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl';
  const apiKey = `${publicPart(crypto.randomUUID(), crypto.randomUUID())}.${newSecret()}`;
  const refreshToken = `${crypto.randomUUID()}.${crypto.randomUUID()}.${newSecret()}`;
  const callbackSecret = `whsec_${newSecret()}=`;

  it.each([
    ['a password field', (logger: Logger) => logger.info({ input: { password: 'canary' } }, 'x')],
    [
      'a field deep inside',
      (logger: Logger) => logger.info({ a: { b: { c: { d: { 'Set-Cookie': 'canary' } } } } }, 'x'),
    ],
    ['a field of a list', (logger: Logger) => logger.warn({ list: [{ refresh_token: 'canary' }] }, 'x')],
    ['headers', (logger: Logger) => logger.info({ headers: { authorization: 'canary', Cookie: 'canary' } }, 'x')],
    ['an authorization value in a message', (logger: Logger) => logger.info('refused Bearer canary')],
    ['a password in a URL', (logger: Logger) => logger.info({ url: 'postgres://user:canary@127.0.0.1/db' }, 'x')],
    ['variables', (logger: Logger) => logger.info({ variables: { who: 'canary' } }, 'x')],
    ['the literals of a query', (logger: Logger) => logger.info({ query: `SELECT 1 WHERE a = 'canary'` }, 'x')],
    ['an error of GraphQL', (logger: Logger) => logger.error({ err: graphqlError() }, 'x')],
    ['an error of PostgreSQL', (logger: Logger) => logger.error({ err: databaseError() }, 'x')],
    ['a cause', (logger: Logger) => logger.error({ err: new Error('x', { cause: databaseError() }) }, 'x')],
  ])('does not tell %s', (_what, write) => {
    const lines = linesOf(write);
    expect(lines).not.toContain('canary');
    expect(JSON.parse(lines)).toMatchObject({ part: 'test' });
  });

  it.each([jwt, apiKey, refreshToken, callbackSecret])('does not tell a token wherever it stands', (token) => {
    const lines = linesOf((logger) => {
      logger.info({ odd: { place: [`see ${token}.`] } }, `and ${token}`);
      logger.error({ err: new Error(`for ${token}`) }, 'x');
    });
    expect(lines).not.toContain(token.slice(-20));
  });

  it('keeps what helps: the message, the code, the stack and the names in them', () => {
    const error = Object.assign(new Error('relation "jobs" does not exist'), { code: '42P01' });
    expect(JSON.parse(linesOf((logger) => logger.error({ err: error, requestId: 'r1' }, 'it broke')))).toMatchObject({
      msg: 'it broke',
      requestId: 'r1',
      err: { type: 'Error', message: 'relation "jobs" does not exist', code: '42P01', stack: expect.any(String) },
    });
  });
});

describe('a query without its literals', () => {
  it.each([
    [`SELECT * FROM logs WHERE host = 'it''s' AND n > 10.5`, 'SELECT * FROM logs WHERE host = ? AND n > ?'],
    [
      'SecurityEvent | where Account == "ada\\"x" and EventID == 4624',
      'SecurityEvent | where Account == ? and EventID == ?',
    ],
    ['{ job(id: "1") { id } }', '{ job(id: ?) { id } }'],
    ['SELECT $tag$secret$tag$, t1.c2 FROM t1', 'SELECT ?, t1.c2 FROM t1'],
  ])('%s', (query, expected) => expect(withoutLiterals(query)).toBe(expected));
});

const graphqlError = () =>
  new GraphQLError('Int cannot represent "canary"', { source: new Source('{ f(a: "canary") }'), positions: [2] });
const databaseError = () =>
  Object.assign(new Error('invalid input syntax for type integer: "canary"'), {
    code: '22P02',
    detail: 'canary',
    where: 'canary',
    internalQuery: 'canary',
  });
