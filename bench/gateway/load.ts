/** Load in a process of its own, which takes one order after the other over IPC. */
import { isDeepStrictEqual } from 'node:util';
import { percentile } from '../frame.js';
import { type AnswerCheck, drive, postRequest } from './http-client.js';

export type Order = RepeatOrder | OnceOrder;

/** The same request again and again, for some seconds. */
export interface RepeatOrder {
  kind: 'repeat';
  port: number;
  path: string;
  /** The request's body, JSON. */
  body: string;
  /** The access token that every request shows. */
  token?: string;
  connections: number;
  seconds: number;
  /** What every answer must deep-equal. */
  expected: unknown;
}

/** Each of many requests once. */
export interface OnceOrder {
  kind: 'once';
  port: number;
  path: string;
  bodies: string[];
  connections: number;
}

export interface LoadResult {
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  requests: number;
  /** Answers that were not what they must be. */
  errors: number;
  /** What was wrong with the first of them; empty where none was. */
  firstError: string;
  answerBytes: number;
}

/** One of so many answers is compared byte for byte with one that was compared deeply; the length of every one is. */
const comparedOneOf = 16;
const maxKnownBodies = 16;

class Check implements AnswerCheck {
  errors = 0;
  firstError = '';
  bytes = 0;

  wantsBody(_length: number): boolean {
    return true;
  }

  /** Whatever carries data and no errors. */
  body(body: Buffer): void {
    if (body.includes('{"data"') && !body.includes('"errors"')) this.bytes = body.length;
    else this.fail(`an answer without data: ${body.toString('utf8', 0, 300)}`);
  }

  fail(message: string): void {
    this.errors += 1;
    this.firstError ||= message;
  }
}

/** Answers that must deep-equal a value. */
class EqualityCheck extends Check {
  readonly #expected: unknown;
  readonly #known: Buffer[] = [];
  readonly #lengths = new Set<number>();
  #seen = 0;

  constructor(expected: unknown) {
    super();
    this.#expected = expected;
  }

  override wantsBody(length: number): boolean {
    this.#seen += 1;
    return this.#seen % comparedOneOf === 0 || !this.#lengths.has(length);
  }

  override body(body: Buffer): void {
    if (this.#known.some((known) => known.equals(body))) return;
    let value: unknown;
    try {
      value = JSON.parse(body.toString());
    } catch {
      value = undefined;
    }
    if (!isDeepStrictEqual(value, this.#expected)) {
      this.fail(`another answer: ${body.toString('utf8', 0, 300)}`);
      return;
    }
    this.#lengths.add(body.length);
    this.bytes = body.length;
    if (this.#known.length < maxKnownBodies) this.#known.push(Buffer.from(body));
  }
}

async function run(order: Order): Promise<LoadResult> {
  const { port, path } = order;
  const started = performance.now();
  let check: Check;
  let next: () => Buffer | undefined;
  if (order.kind === 'repeat') {
    const request = postRequest(port, path, order.body, order.token);
    const end = started + order.seconds * 1_000;
    check = new EqualityCheck(order.expected);
    next = () => (performance.now() < end ? request : undefined);
  } else {
    let at = 0;
    check = new Check();
    next = () => (at < order.bodies.length ? postRequest(port, path, order.bodies[at++]!) : undefined);
  }
  const times: number[] = [];
  const onTime = (ms: number) => void times.push(ms);
  await Promise.all(Array.from({ length: order.connections }, () => drive(port, next, check, onTime)));
  const elapsedSeconds = (performance.now() - started) / 1_000;
  if (times.length === 0) throw new Error(`There was no answer: ${check.firstError}`);
  const sorted = Float64Array.from(times).sort();
  return {
    requestsPerSecond: sorted.length / elapsedSeconds,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    maxMs: sorted.at(-1)!,
    requests: sorted.length,
    errors: check.errors,
    firstError: check.firstError,
    answerBytes: check.bytes,
  };
}

process.on('message', (order: Order) => {
  run(order).then(
    (result) => process.send?.({ result }),
    (error: Error) => process.send?.({ error: error.message }),
  );
});
process.once('disconnect', () => process.exit());
