import { describe, expect, it } from 'vitest';
import { HarborwatchClientError, type IngestReceipt } from '../../index.js';
import { Interrupted } from '../interruption.js';
import type { Batch } from './batches.js';
import { Sender, type SenderOptions } from './sender.js';

const batch = (id: string): Batch => ({ id, body: '', records: [] });
const receipt: IngestReceipt = { accepted: 1, rejected: [], batchId: '', duplicate: false };
const unreachable = new HarborwatchClientError('UNREACHABLE', 'Gone.');
const busy = new HarborwatchClientError('SERVICE_UNAVAILABLE', 'Busy.', { status: 503 });

function setUp(send: (id: string, attempt: number) => Promise<IngestReceipt>, options: Partial<SenderOptions> = {}) {
  const attempts = new Map<string, number>();
  const arrived: [string, boolean][] = [];
  const controller = new AbortController();
  const sender = new Sender({
    send: ({ id }) => {
      attempts.set(id, (attempts.get(id) ?? 0) + 1);
      return send(id, attempts.get(id)!);
    },
    onReceipt: async ({ id }, _, repeated) => void arrived.push([id, repeated]),
    onRetry: () => {},
    signal: controller.signal,
    firstWaitMs: 1,
    ...options,
  });
  return { sender, attempts, arrived, controller };
}

describe('sending batches', () => {
  it('has as many on the way as it may, and no more', async () => {
    let present = 0;
    let most = 0;
    const { sender, arrived } = setUp(async () => {
      most = Math.max(most, ++present);
      await new Promise(setImmediate);
      present--;
      return receipt;
    });
    for (const id of ['a', 'b', 'c', 'd', 'e']) await sender.add(batch(id));
    await sender.finish();
    expect(most).toBe(2);
    expect(arrived.map(([id]) => id).sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('repeats a batch under its name while the server is busy or gone for a moment, and tells that it was repeated', async () => {
    const { sender, arrived } = setUp(async (_, attempt) => {
      if (attempt === 1) throw busy;
      if (attempt === 2) throw unreachable;
      return receipt;
    });
    await sender.add(batch('a'));
    await sender.finish();
    expect(arrived).toEqual([['a', true]]);
  });

  it('does not wait for a server that was never there', async () => {
    const { sender, attempts } = setUp(() => Promise.reject(unreachable));
    await sender.add(batch('a'));
    await expect(sender.finish()).rejects.toThrow(unreachable);
    expect(attempts.get('a')).toBe(1);
  });

  it('gives up in the end, and at once on what will not pass', async () => {
    const late = setUp(() => Promise.reject(busy), { retryForMs: 20 });
    await late.sender.add(batch('a'));
    await expect(late.sender.finish()).rejects.toThrow(busy);
    expect(late.attempts.get('a')).toBeGreaterThan(1);
    const wrong = setUp(() => Promise.reject(new HarborwatchClientError('UNKNOWN_DATASET', 'No.', { status: 400 })));
    await wrong.sender.add(batch('a'));
    await expect(wrong.sender.finish()).rejects.toThrow('No.');
    expect(wrong.attempts.get('a')).toBe(1);
    await expect(wrong.sender.add(batch('b'))).rejects.toThrow('No.');
    const full = setUp(() => Promise.reject(new HarborwatchClientError('QUOTA_EXCEEDED', 'Full.', { status: 429 })));
    await full.sender.add(batch('a'));
    await expect(full.sender.finish()).rejects.toThrow('Full.');
    expect(full.attempts.get('a')).toBe(1);
  });

  it('lets what is on its way arrive after Ctrl-C, and tries nothing again', async () => {
    const answer = Promise.withResolvers<IngestReceipt>();
    const { sender, arrived, controller } = setUp((id) => (id === 'a' ? answer.promise : Promise.reject(busy)), {
      firstWaitMs: 60_000,
      retryForMs: 600_000,
    });
    await sender.add(batch('a'));
    await sender.add(batch('b'));
    controller.abort();
    answer.resolve(receipt);
    await expect(sender.finish()).rejects.toThrow(Interrupted);
    expect(arrived).toEqual([['a', false]]);
  });
});
