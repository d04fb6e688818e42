/** The searches of one run, each cut to the organisation's events; every request of the engine is made here. */
import { fail } from '../../../platform/errors.js';
import { AnswerTooLarge, type Search, SearchRefusal, type SearchRequest } from '../../../platform/search.js';
import type { RunOptions } from '../engine.js';
import type { SearchQuery } from './conditions.js';
import { Declined } from './declined.js';
import { readAlias } from './index-names.js';
import { metaFields } from './mapping.js';

interface SearchTarget {
  dataset: string;
  query: SearchQuery[];
}

/** A hit as OpenSearch answers it. */
export interface RawHit {
  _source: Record<string, unknown>;
  sort?: unknown[];
}

export interface RawAnswer {
  timed_out: boolean;
  hits: { total?: { value: number }; hits: RawHit[] };
  // biome-ignore lint/suspicious/noExplicitAny: the shape follows from the request
  aggregations?: any;
}

/** What OpenSearch is given beyond a run's time, to tell that it is over. */
const graceMs = 1_000;
/** OpenSearch's own bound. */
const maxKeepAliveMs = 24 * 60 * 60 * 1_000;

/** What a run has of OpenSearch: who asks, until when, and of which moment. */
export class Requests {
  readonly #endMs: number;
  /** Aborts when the run is over, for whatever reason. */
  readonly #over: AbortSignal;
  /** Points in time by their datasets: views that later writes do not change. */
  readonly #views = new Map<string, string>();

  constructor(
    readonly search: Search,
    readonly options: Pick<RunOptions, 'orgId' | 'timeoutMs' | 'signal'>,
  ) {
    this.#endMs = performance.now() + options.timeoutMs;
    const late = AbortSignal.timeout(options.timeoutMs + graceMs);
    this.#over = options.signal === undefined ? late : AbortSignal.any([options.signal, late]);
  }

  /** Milliseconds that the run still has. @throws QUERY_TIMEOUT */
  get leftMs(): number {
    const leftMs = Math.floor(this.#endMs - performance.now());
    return leftMs >= 1 ? leftMs : timedOut();
  }

  /** Runs work that a signal ends. @throws QUERY_CANCELLED, QUERY_TIMEOUT where that is why it ended */
  async bounded<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await work(this.#over);
    } catch (error) {
      if (this.options.signal?.aborted) fail('QUERY_CANCELLED', 'The query was cancelled.');
      if (performance.now() >= this.#endMs) timedOut();
      throw error;
    }
  }

  /**
   * @param maxBytes of the answer: AnswerTooLarge beyond, where it is told
   * @throws QUERY_TIMEOUT, QUERY_CANCELLED, SERVICE_UNAVAILABLE also where a part of the index does not answer
   */
  async find({ dataset, query }: SearchTarget, body: object, maxBytes?: number): Promise<RawAnswer> {
    const own = { term: { [metaFields.orgId]: this.options.orgId } };
    const view = this.#views.get(dataset);
    const { leftMs } = this;
    const answer = await this.#send<RawAnswer>({
      path: view === undefined ? `/${readAlias(this.search.prefix, dataset)}/_search` : '/_search',
      // Half an answer is none.
      query: { allow_partial_search_results: false },
      body: {
        ...body,
        query: { bool: { filter: [own, ...query] } },
        timeout: `${leftMs + 1}ms`,
        // As long as the run may take: its reader may be slow. It is closed before.
        ...(view !== undefined && { pit: { id: view, keep_alive: `${Math.min(leftMs + graceMs, maxKeepAliveMs)}ms` } }),
      },
      ...(maxBytes !== undefined && { maxBytes }),
    });
    if (answer.timed_out) timedOut();
    return answer;
  }

  /** From now on, searches on the dataset see one and the same state of it. */
  async fix(dataset: string): Promise<void> {
    if (this.#views.has(dataset)) return;
    const path = `/${readAlias(this.search.prefix, dataset)}/_search/point_in_time`;
    const { pit_id: id } = await this.#send<{ pit_id: string }>({ path, query: { keep_alive: '1m' } });
    this.#views.set(dataset, id);
  }

  /** Lets go of what `fix` holds. Never fails: what stays open ends by itself. */
  async close(): Promise<void> {
    const views = [...this.#views.values()];
    this.#views.clear();
    if (views.length === 0) return;
    const body = { pit_id: views };
    const closing = this.search
      .request({ method: 'DELETE', path: '/_search/point_in_time', body, timeoutMs: 2_000 })
      .catch(() => {});
    // Whoever cancels does not wait for it.
    if (!this.options.signal?.aborted) await closing;
  }

  async #send<Body>(request: Pick<SearchRequest, 'path' | 'query' | 'body' | 'maxBytes'>): Promise<Body> {
    const timeoutMs = this.leftMs + graceMs;
    try {
      return await this.bounded(
        async (signal) => (await this.search.request<Body>({ method: 'POST', ...request, timeoutMs, signal })).body,
      );
    } catch (error) {
      if (error instanceof AnswerTooLarge && request.maxBytes === undefined) throw new Declined();
      if (!(error instanceof SearchRefusal)) throw error;
      if (error.type === 'search_context_missing_exception') {
        fail('SERVICE_UNAVAILABLE', 'The search index was restarted while the query ran. Run the query again.');
      }
      // It has no such index yet, or takes the search for too large.
      throw new Declined();
    }
  }
}

const timedOut = (): never =>
  fail('QUERY_TIMEOUT', 'The query ran past its timeout. Narrow the time range, or allow it more time.');
