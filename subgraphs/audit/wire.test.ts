import { describe, expect, it } from 'vitest';
import type { HarborwatchError } from '../../platform/errors.js';
import { parseEntry, textLimits } from './wire.js';

const now = Date.parse('2026-03-01T00:00:00Z');
const when = '2026-02-28T23:59:59.123456789Z';
const read = (entry: object) =>
  parseEntry({ type: 'A', when, ...entry }, { app: 'shop', nowMs: now, maxBytes: 262_144 });

const refusal = (entry: unknown): { code: string; field: string | undefined; message: string } => {
  try {
    parseEntry(entry, { app: undefined, nowMs: now, maxBytes: 262_144 });
  } catch (error) {
    const { code, message, details } = error as HarborwatchError;
    return { code, field: details.argument, message };
  }
  throw new Error('the entry was taken');
};

describe('an entry as LogHarbour’s clients send it', () => {
  it('is read with its nanoseconds, and a status that was left out is a success', () => {
    expect(
      read({
        id: '2fS8zUjR7jMYCpkBBGfZ7E6dVcn',
        app: 'bank',
        system: 'srv1',
        module: 'loans',
        pri: 'Warn',
        who: 'ana',
        op: 'approve',
        class: 'loan',
        instance: '7',
        remote_ip: '10.1.2.3',
        msg: 'approved',
        data: { activity_data: 'note' },
        span_id: 's',
        trace_id: 't',
      }),
    ).toEqual({
      id: '2fS8zUjR7jMYCpkBBGfZ7E6dVcn',
      app: 'bank',
      system: 'srv1',
      module: 'loans',
      type: 'A',
      pri: 4,
      whenNs: '1772323199123456789',
      who: 'ana',
      op: 'approve',
      class: 'loan',
      instanceId: '7',
      status: 'SUCCESS',
      error: null,
      remote: '10.1.2.3',
      remoteIp: '10.1.2.3',
      msg: 'approved',
      data: 'note',
      traceId: 't',
      spanId: 's',
      attributes: {},
      bytes: 304,
    });
  });

  it('has instance or instance_id', () => {
    expect(read({ instance: 'a' }).instanceId).toBe('a');
    expect(read({ instance_id: 'b' }).instanceId).toBe('b');
    expect(read({ instance: '', instance_id: 'b' }).instanceId).toBe('b');
  });

  it('has a priority in any case, Info where there is none', () => {
    const written = ['Debug2', 'DEBUG1', 'debug0', 'Info', 'wArN', 'Err', 'CRIT', 'sec'];
    expect(written.map((pri) => read({ pri }).pri)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(read({}).pri).toBe(3);
  });

  it('has a status as an integer or a word', () => {
    const given = [0, 1, 'Success', 'failure', null];
    expect(given.map((status) => read({ status }).status)).toEqual(['SUCCESS', 'FAILURE', 'SUCCESS', 'FAILURE', null]);
  });

  it('keeps a remote that is no address, and knows an address in any spelling', () => {
    const remotes = ['LOCAL', '::ffff:192.0.2.1', '2001:DB8:0:0::1', 'fe80::1%eth0', 'host.example'];
    expect(remotes.map((remote_ip) => read({ remote_ip }).remoteIp)).toEqual([
      null,
      '192.0.2.1',
      '2001:db8::1',
      'fe80::1',
      null,
    ]);
    expect(read({ remote_ip: 'LOCAL' }).remote).toBe('LOCAL');
  });

  it('has change data in the clients’ and in the documents’ shape', () => {
    const change = { entity: 'user', op: 'update', changes: [{ field: 'name', old_value: 'a', new_value: 'b' }] };
    for (const data of [change, { change_data: change }]) {
      expect(read({ type: 'C', data })).toMatchObject({ type: 'C', op: 'update', data: change });
    }
    expect(read({ type: 'C', op: 'own', data: { entity: 'user', op: 'update', changes: null } })).toMatchObject({
      op: 'own',
      data: { changes: [] },
    });
  });

  it('has debug data in both shapes', () => {
    const debug = { pid: 7, runtime: 'go1.22', file: 'a.go', line: 3, func: 'main', stackTrace: 'x', data: { k: 1 } };
    for (const data of [debug, { debug_data: debug }]) expect(read({ type: 'D', data }).data).toEqual(debug);
    expect(read({ type: 'D' }).data).toBeNull();
  });

  it('may be of an unknown type', () => {
    expect(read({ type: 'U', data: { any: 1 } })).toMatchObject({ type: 'U', data: { any: 1 } });
  });

  it('keeps fields that nobody declared, and gets an id where it has none', () => {
    const entry = read({ tenant: { a: 1 } });
    expect(entry.attributes).toEqual({ tenant: { a: 1 } });
    expect(entry.id).toMatch(/^[0-9A-Za-z]{27}$/);
  });

  it('has its time in any offset', () => {
    expect(read({ when: '2026-01-01T05:30:00.5+05:30' }).whenNs).toBe('1767225600500000000');
  });
});

describe('an entry that does not fit is refused by its field', () => {
  const good = { app: 'shop', type: 'A', when };
  let deep: object = {};
  for (let level = 0; level < 100_000; level += 1) deep = { deep };
  it.each<[string, unknown, string | undefined]>([
    ['not an object', 'text', undefined],
    ['a list', [], undefined],
    ['no app', { type: 'A', when }, 'app'],
    ['an app that is no text', { ...good, app: 7 }, 'app'],
    ['no type', { app: 'shop', when }, 'type'],
    ['another type', { ...good, type: 'X' }, 'type'],
    ['a name of Object as type', { ...good, type: 'constructor' }, 'type'],
    ['another priority', { ...good, pri: 'High' }, 'pri'],
    ['a number as priority', { ...good, pri: 3 }, 'pri'],
    ['no time', { app: 'shop', type: 'A' }, 'when'],
    ['a day that does not exist', { ...good, when: '2026-02-30T00:00:00Z' }, 'when'],
    ['a time before 1970', { ...good, when: '1969-12-31T23:59:59Z' }, 'when'],
    ['a time beyond tomorrow', { ...good, when: '2026-03-02T00:00:01Z' }, 'when'],
    ['another status', { ...good, status: 2 }, 'status'],
    ['a long name', { ...good, who: 'ä'.repeat(textLimits.who) }, 'who'],
    ['a long message', { ...good, msg: 'x'.repeat(textLimits.msg + 1) }, 'msg'],
    ['a NUL', { ...good, msg: 'a\u0000b' }, 'msg'],
    ['half a surrogate pair', { ...good, data: { x: ['\ud800'] } }, 'data'],
    ['objects without end', { ...good, data: deep }, 'data'],
    ['a change without data', { ...good, type: 'C' }, 'data'],
    ['a change without an entity', { ...good, type: 'C', data: { changes: [] } }, 'data.entity'],
    ['changes that are no list', { ...good, type: 'C', data: { entity: 'e', changes: {} } }, 'data.changes'],
    [
      'a change without a field',
      { ...good, type: 'C', data: { entity: 'e', changes: [{ field: 'f' }, {}] } },
      'data.changes[1]',
    ],
    ['a process id that is none', { ...good, type: 'D', data: { pid: 1.5 } }, 'data.pid'],
    ['a line beyond 32 bits', { ...good, type: 'D', data: { debug_data: { line: 2 ** 31 } } }, 'data.line'],
  ])('%s', (_, entry, field) => {
    const refused = refusal(entry);
    expect([refused.code, refused.field]).toEqual(['EVENT_INVALID', field]);
    expect(refused.message.length).toBeLessThan(200);
  });

  it('one over 256 KB is too large', () => {
    expect(refusal({ ...good, data: 'x'.repeat(262_144) }).code).toBe('EVENT_TOO_LARGE');
  });
});
