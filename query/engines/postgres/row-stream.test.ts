/** Rows off a wire that cuts them anywhere and stops at any moment: none is lost, and no reader waits for ever. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../tests/setup/database.js';
import { literal, project, rangeRows } from '../../plan/build.js';
import { call } from '../../plan/functions/index.js';
import type { Expr, Plan } from '../../plan/types.js';
import { runPlan } from './run.js';

const orgId = '00000000-0000-4000-8000-000000000001';
const runs = process.env.HARBORWATCH_DEEP ? 2_000 : 100;
/** How often the wire may stand still until the next turn of the event loop: beyond this it is only slow. */
const maxPieces = 200;

let database: TestDatabase;
let wire: Server;
let pool: pg.Pool;
/** How many bytes of an answer come at once. */
let pieceBytes = 1_000;

beforeAll(async () => {
  database = await createTestDatabase();
  const url = new URL(database.url('query'));
  const { hostname, port } = url;
  wire = createServer((client) => passOn(client, Number(port), hostname));
  await new Promise<void>((resolve) => wire.listen(0, '127.0.0.1', resolve));
  url.hostname = '127.0.0.1';
  url.port = String((wire.address() as { port: number }).port);
  pool = new pg.Pool({ connectionString: url.toString(), max: 2 });
  pool.on('error', () => {});
});

afterAll(async () => {
  await pool?.end();
  await new Promise((resolve) => wire?.close(resolve));
  await database?.drop();
});

function passOn(client: Socket, port: number, host: string): void {
  const server = connect(port, host);
  client.setNoDelay(true);
  client.pipe(server);
  const answer = async () => {
    for await (const chunk of server as AsyncIterable<Buffer>) {
      const size = Math.max(pieceBytes, Math.ceil(chunk.length / maxPieces));
      for (let at = 0; at < chunk.length; at += size) {
        if (!client.write(chunk.subarray(at, at + size))) await drained(client);
        await nextTurn();
      }
    }
    client.end();
  };
  answer().catch(() => client.destroy());
  client.on('error', () => server.destroy());
  client.on('close', () => server.destroy());
}

const drained = (socket: Socket): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once('drain', resolve);
    socket.once('close', () => reject(new Error('The reader has gone.')));
  });

const long = (value: number): Expr => literal('long', value);
const n: Expr = { kind: 'column', name: 'n', type: 'long' };

/** Numbers from 1, each beside a text; the one at which it breaks leaves the range of longs. */
function numbers(count: number, width: number, breaksAt = 0): Plan {
  const more = call('iff', [call('==', [n, long(breaksAt)]), literal('long', '9223372036854775807'), long(0)]);
  return project(rangeRows('n', long(1), long(count), long(1)), [
    { name: 'n', value: call('+', [n, more]) },
    { name: 'text', value: call('strrep', [literal('string', 'x'), long(width)]) },
  ]);
}

const situations = fc.record({
  pieceBytes: fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 60 }), fc.integer({ min: 61, max: 5_000 })),
  batchRows: fc.integer({ min: 1, max: 120 }),
  count: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom(49, 50, 51, 100, 5_000)),
  width: fc.constantFrom(0, 1, 40, 1_000),
  /** How the reader takes its time between batches. */
  reader: fc.constantFrom('AT_ONCE', 'LATER', 'ASKS_MORE'),
  leavesAfter: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined, freq: 4 }),
  breaksAt: fc.option(fc.constantFrom(1, 3, 50, 51, 4_999), { nil: undefined, freq: 4 }),
});

test('every row comes once and in time, however the wire cuts them, the reader reads, and the query ends', {
  timeout: 600_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(situations, async ({ count, width, reader, leavesAfter, breaksAt, batchRows, ...cut }) => {
      pieceBytes = cut.pieceBytes;
      const options = { orgId, timeoutMs: 15_000, batchRows };
      const seen: number[] = [];
      let batches = 0;
      const read = async () => {
        for await (const { rows } of runPlan(pool, numbers(count, width, breaksAt), options)) {
          for (const [number, text] of rows) {
            seen.push(Number(number));
            expect(text).toHaveLength(width);
          }
          if (++batches === leavesAfter) return 'LEFT';
          if (reader === 'LATER') await nextTurn();
          if (reader === 'ASKS_MORE' && batches <= 3) {
            const others = await Array.fromAsync(runPlan(pool, numbers(2, 1), options));
            expect(others.flatMap((batch) => batch.rows)).toEqual([
              [1, 'x'],
              [2, 'x'],
            ]);
          }
        }
        return 'READ';
      };
      const breaks = breaksAt !== undefined && breaksAt <= count;
      const outcome = await read().catch((error: { code?: string }) => {
        if (error.code === undefined) throw error;
        return error.code;
      });
      expect(seen).toEqual(seen.map((_, index) => index + 1));
      if (outcome === 'LEFT') return;
      expect(outcome).toBe(breaks ? 'QUERY_FAILED' : 'READ');
      if (!breaks) expect(seen).toHaveLength(count);
    }),
    { numRuns: runs },
  );
  expect(pool.waitingCount).toBe(0);
});
