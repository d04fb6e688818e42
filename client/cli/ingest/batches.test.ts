import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Batch, readBatches } from './batches.js';
import { createNdjsonReader } from './ndjson.js';

async function batchesOf(pieces: string[], limits = { rows: 3, bytes: 1_000 }) {
  const batches: Batch[] = [];
  const unreadable: number[] = [];
  async function* text() {
    yield* pieces;
  }
  for await (const reading of readBatches(text(), createNdjsonReader(), limits)) {
    if ('batch' in reading) batches.push(reading.batch);
    else unreadable.push(...reading.unreadable.map(({ line }) => line));
  }
  return { batches, unreadable };
}

const event = (n: number) => `{"n":${n}}\n`;

describe('batches', () => {
  it('have the same content and the same names in every run, wherever the pieces are cut', async () => {
    const text = [1, 2, 3, 4, 5, 6, 7].map(event).join('');
    const whole = await batchesOf([text]);
    expect(whole.batches.map(({ records }) => records.length)).toEqual([3, 3, 1]);
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length), async (at) => {
        expect(await batchesOf([text.slice(0, at), text.slice(at)])).toEqual(whole);
      }),
    );
  });

  it('with equal content at different places of a file have different names', async () => {
    const { batches } = await batchesOf([event(1).repeat(6)]);
    expect(batches[0]!.body).toBe(batches[1]!.body);
    expect(batches[0]!.id).not.toBe(batches[1]!.id);
  });

  it('stay within the bytes that the server takes, but for a record that is larger by itself', async () => {
    const wide = (n: number) => `{"n":"${'é'.repeat(n)}"}\n`;
    const { batches } = await batchesOf([wide(30), wide(30), wide(200), wide(10)], { rows: 100, bytes: 150 });
    expect(batches.map(({ records }) => records.map(({ line }) => line))).toEqual([[1, 2], [3], [4]]);
  });

  it('leave out what cannot be read, and tell its lines', async () => {
    const { batches, unreadable } = await batchesOf([event(1), 'broken\n', event(2)]);
    expect(batches.map(({ body }) => body)).toEqual(['{"n":1}\n{"n":2}\n']);
    expect(unreadable).toEqual([2]);
  });
});
