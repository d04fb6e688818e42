/**
 * One call of a subgraph over HTTP: attempts within a deadline, a bounded answer, a checked one. It is undici's response
 * handler itself, so that a call costs one object and one promise: this is the gateway's hottest path.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher, Pool } from 'undici';
import type { HopSigner } from '../../platform/hop-tokens.js';
import { isJsonObject } from '../../platform/json.js';
import type { Logger } from '../../platform/logging.js';
import type { RequestContext } from '../context.js';
import type { Breaker, Outcome, Permit } from './breaker.js';
import { type FailureCode, failed, refused } from './failure.js';
import type { FetchOperation, SubgraphAnswer } from './source.js';

/** What all calls of one subgraph share. */
export interface Target {
  name: string;
  pool: Pool;
  path: string;
  breaker: Breaker;
  timeoutMs: number;
  answerBytes: number;
  signer: HopSigner | undefined;
  logger: Logger;
}

/** Long enough for a connection that was just closed to be opened anew, short beside a deadline. */
const retryPauseMs = 20;
/** What proxies and subgraphs answer that cannot be asked now. */
const busy = new Set([502, 503, 504]);

export class HttpCall implements Dispatcher.DispatchHandler {
  #deadline = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Of the attempt under way. */
  #permit: Permit | undefined;
  #retried = false;
  #done = false;
  /** Whether the subgraph may have seen the request. */
  #sent = false;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #cacheControl: string | undefined;
  #size = 0;
  readonly #chunks: Buffer[] = [];

  constructor(
    private readonly target: Target,
    private readonly kind: FetchOperation['kind'],
    private readonly body: string,
    private readonly context: RequestContext,
    private readonly resolve: (answer: SubgraphAnswer) => void,
  ) {}

  start(): void {
    const now = Date.now();
    const { deadline } = this.context;
    // What became of a mutation that is given up is not known: it has all of its operation's time.
    this.#deadline = this.kind === 'mutation' ? deadline : Math.min(now + this.target.timeoutMs, deadline);
    if (this.#deadline > now) {
      this.#timer = setTimeout(onDeadline, this.#deadline - now, this);
      this.#attempt();
    } else {
      this.#settle(failed('SUBGRAPH_TIMEOUT'));
    }
  }

  #attempt(): void {
    const { target, context, body } = this;
    this.#permit = target.breaker.admit();
    if (this.#permit === undefined) {
      this.#settle(refused());
      return;
    }
    this.#sent = false;
    this.#controller = undefined;
    this.#size = 0;
    this.#chunks.length = 0;
    const headers = [
      'content-type',
      'application/json',
      'accept',
      'application/json, application/graphql-response+json;q=0.9',
      'x-request-id',
      context.requestId,
    ];
    for (const name in context.traceHeaders) headers.push(name, context.traceHeaders[name]!);
    for (const name in context.forwardedHeaders) {
      // The caller's own token would stand in the place of ours.
      if (target.signer && name === 'authorization') continue;
      headers.push(name, context.forwardedHeaders[name]!);
    }
    if (target.signer) {
      // A repeated call has a token of its own: a subgraph takes each once.
      headers.push('authorization', `Bearer ${target.signer.sign(target.name, body, context, this.#deadline)}`);
    }
    target.pool.dispatch({ path: target.path, method: 'POST', headers, body }, this);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#sent = true;
    this.#controller = controller;
    // It waited for a connection until its time was over.
    if (this.#done) controller.abort(new Error('nobody waits for the answer any more'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    // A list where the header comes more than once.
    this.#cacheControl = headers['cache-control']?.toString();
    if (Number(headers['content-length'] ?? 0) > this.target.answerBytes) this.#tooLarge();
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > this.target.answerBytes) this.#tooLarge();
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    if (this.#done) return;
    const status = this.#status;
    const text = (this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.#size)).toString();
    const answer = parseAnswer(text, this.#cacheControl);
    if (busy.has(status)) {
      const outcome = status === 504 ? this.#timeoutOutcome() : 'failure';
      this.#fail('SUBGRAPH_UNAVAILABLE', outcome, { status }, answer);
    } else if (status === 401 && this.target.signer) {
      this.#fail('SUBGRAPH_UNAVAILABLE', 'failure', { status, reason: 'it refuses our token' });
    } else if (answer) {
      this.#settle(answer, 'success');
    } else {
      this.#giveUp('SUBGRAPH_INVALID_ANSWER', 'failure', { status, begin: text.slice(0, 100) });
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (!this.#done) this.#fail('SUBGRAPH_UNAVAILABLE', 'failure', { error: error.message || String(error) });
  }

  /** The time is over. */
  expire(): void {
    this.#giveUp('SUBGRAPH_TIMEOUT', this.#timeoutOutcome(), { timeoutMs: this.target.timeoutMs });
    this.#controller?.abort(new Error('its time is over'));
  }

  /** A call whose request had little time left when it began tells nothing about the subgraph. */
  #timeoutOutcome(): Outcome {
    return this.#deadline < this.context.deadline ? 'failure' : 'neutral';
  }

  #tooLarge(): void {
    if (this.#done) return;
    const limit = this.target.answerBytes.toLocaleString('en');
    const message = `The part of the graph that answers this field answered more than ${limit} bytes; ask for less at once.`;
    this.#settle(failed('SUBGRAPH_INVALID_ANSWER', message), 'success');
    this.#controller?.abort(new Error('the answer is too large'));
  }

  /** An attempt that failed: another one, where that can do no harm and there is time, or the end. */
  #fail(code: FailureCode, outcome: Outcome, details: object, answer?: SubgraphAnswer): void {
    const harmless = this.kind === 'query' || !this.#sent;
    if (this.#retried || !harmless || Date.now() + retryPauseMs >= this.#deadline) {
      this.#giveUp(code, outcome, details, answer);
    } else {
      this.#retried = true;
      this.#report(outcome);
      setTimeout(again, retryPauseMs, this);
    }
  }

  retry(): void {
    if (!this.#done) this.#attempt();
  }

  #giveUp(code: FailureCode, outcome: Outcome, details: object, answer: SubgraphAnswer = failed(code)): void {
    const { target, context } = this;
    target.logger.warn(
      { ...details, code, subgraph: target.name, requestId: context.requestId },
      'subgraph call failed',
    );
    this.#settle(answer, outcome);
  }

  #settle(answer: SubgraphAnswer, outcome: Outcome = 'neutral'): void {
    this.#done = true;
    clearTimeout(this.#timer);
    this.#report(outcome);
    this.resolve(answer);
  }

  #report(outcome: Outcome): void {
    if (this.#permit !== undefined) this.target.breaker.report(this.#permit, outcome);
    this.#permit = undefined;
  }
}

const onDeadline = (call: HttpCall) => call.expire();
const again = (call: HttpCall) => call.retry();

/** The answer in a body; undefined where it is not GraphQL's. */
function parseAnswer(text: string, cacheControl: string | undefined): SubgraphAnswer | undefined {
  let parsed: { data?: unknown; errors?: unknown } | null;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  return checkAnswer(parsed, cacheControl);
}

/** The answer as the caller gets it; undefined where its shape is not that of GraphQL. */
export function checkAnswer(value: unknown, cacheControl?: string): SubgraphAnswer | undefined {
  if (!isJsonObject(value)) return undefined;
  const { data, errors } = value;
  if (data == null ? data === undefined && errors == null : !isJsonObject(data)) return undefined;
  if (errors == null) return { data: data as SubgraphAnswer['data'], cacheControl };
  if (!Array.isArray(errors) || !errors.every(isError)) return undefined;
  return { data: data as SubgraphAnswer['data'], errors, cacheControl };
}

const isError = (value: unknown): boolean =>
  isJsonObject(value) &&
  typeof value.message === 'string' &&
  (value.path == null || Array.isArray(value.path)) &&
  (value.extensions == null || isJsonObject(value.extensions));
