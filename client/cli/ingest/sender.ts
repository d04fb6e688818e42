/** Sends batches, a few at a time, and again where the server or the way to it fails for a while. */
import { type Client, HarborwatchClientError, type IngestReceipt } from '../../index.js';
import { Interrupted, pause } from '../interruption.js';
import type { Batch } from './batches.js';

export interface SenderOptions {
  /** Sends one batch once. */
  send(batch: Batch, signal: AbortSignal): Promise<IngestReceipt>;
  /** Called with the answer to a batch. `repeated`: an earlier try of ours may have stored it. */
  onReceipt(batch: Batch, receipt: IngestReceipt, repeated: boolean): Promise<void>;
  /** Called before each wait for another try. */
  onRetry(error: HarborwatchClientError, waitMs: number): void;
  /** No more tries after it; what is on its way has `graceMs` to arrive. */
  signal: AbortSignal;
  inFlight?: number;
  /** How long a batch is tried again and again. */
  retryForMs?: number;
  firstWaitMs?: number;
  graceMs?: number;
}

const retryable = new Set(['UNREACHABLE', 'TIMEOUT', 'SERVICE_UNAVAILABLE', 'DEADLINE_EXCEEDED', 'RATE_LIMITED']);
const retryableStatus = new Set([429, 502, 503, 504]);
const longestWaitMs = 10_000;

export class Sender {
  readonly #options: Required<SenderOptions>;
  readonly #onTheWay = new Set<Promise<void>>();
  readonly #hardStop = new AbortController();
  #grace: NodeJS.Timeout | undefined;
  #failure: unknown;
  /** The server has answered once: what fails after that may pass. */
  #reached = false;

  constructor(options: SenderOptions) {
    this.#options = { inFlight: 2, retryForMs: 60_000, firstWaitMs: 500, graceMs: 5_000, ...options };
    options.signal.addEventListener('abort', this.#limitGrace, { once: true });
  }

  /** Takes a batch as soon as there is a place for it. @throws the first failure of any batch */
  async add(batch: Batch): Promise<void> {
    while (this.#onTheWay.size >= this.#options.inFlight && this.#failure === undefined)
      await Promise.race(this.#onTheWay);
    this.#rethrow();
    const sending = this.#deliver(batch)
      .catch((error) => {
        this.#failure ??= error;
      })
      .finally(() => this.#onTheWay.delete(sending));
    this.#onTheWay.add(sending);
  }

  /** Waits until nothing is on its way. @throws the first failure of any batch */
  async finish(): Promise<void> {
    await Promise.all(this.#onTheWay);
    this.#options.signal.removeEventListener('abort', this.#limitGrace);
    clearTimeout(this.#grace);
    this.#rethrow();
  }

  readonly #limitGrace = () => {
    this.#grace = setTimeout(() => this.#hardStop.abort(), this.#options.graceMs);
  };

  async #deliver(batch: Batch): Promise<void> {
    const { send, onReceipt, onRetry, signal, retryForMs, firstWaitMs } = this.#options;
    const startedMs = performance.now();
    for (let attempt = 0; ; attempt++) {
      try {
        const receipt = await send(batch, this.#hardStop.signal);
        this.#reached = true;
        return await onReceipt(batch, receipt, attempt > 0);
      } catch (error) {
        if (!(error instanceof HarborwatchClientError)) throw error;
        if (error.code === 'ABORTED' || signal.aborted) throw new Interrupted();
        if (error.status !== undefined) this.#reached = true;
        const passing =
          error.code !== 'QUOTA_EXCEEDED' && // It is free again tomorrow, or when something has gone.
          (retryable.has(error.code) || (error.status !== undefined && retryableStatus.has(error.status)));
        // A server that was never there is a wrong address or one that does not run: tell it at once.
        if (!passing || !this.#reached || this.#failure !== undefined) throw error;
        const backoffMs = Math.min(firstWaitMs * 2 ** attempt, longestWaitMs) * (0.75 + Math.random() / 2);
        const waitMs = Math.max(backoffMs, error.retryAfterMs ?? 0);
        if (performance.now() - startedMs + waitMs > retryForMs) throw error;
        onRetry(error, waitMs);
        await pause(waitMs, signal);
      }
    }
  }

  #rethrow(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** How a client sends a batch to a dataset. */
export const sendTo =
  (
    client: Client,
    dataset: string,
    compress: ((body: string) => Promise<Uint8Array<ArrayBuffer>>) | undefined,
  ): SenderOptions['send'] =>
  async (batch, signal) => {
    const body = compress ? await compress(batch.body) : batch.body;
    return client.ingest(dataset, body, { batchId: batch.id, gzip: compress !== undefined, signal });
  };
