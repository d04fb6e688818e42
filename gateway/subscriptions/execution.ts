/**
 * One subscription as its equal subscribers share it: every event is completed with the fields of other subgraphs once,
 * serialised once, and sent to all of them.
 */

import type { GatewayMetrics } from '../../platform/metrics.js';
import type {
  CoercedVariables,
  CompiledOperation,
  OperationResult,
  PlannedSubscription,
} from '../execution/compiled-operation.js';
import type { SubgraphAnswer } from '../sources/source.js';
import { FanOut } from './fan-out.js';
import { Gap, Message } from './message.js';
import type { Sharing } from './stream-sharing.js';
import { type QueueBounds, type Sink, Subscriber } from './subscriber.js';
import type { Downstream, Upstream } from './upstream.js';

/** How many events wait to be completed before a source waits that nobody else hurries. */
const eventsInHand = 4;

/** What an execution runs; a new supergraph may replace it. */
export interface Subscribed {
  compiled: CompiledOperation;
  subscription: PlannedSubscription;
  variables: CoercedVariables;
}

export interface ExecutionOptions {
  sharing: Sharing;
  bounds: QueueBounds;
  /** Completes one event; never throws. */
  complete(subscribed: Subscribed, event: SubgraphAnswer): Promise<OperationResult>;
  /** What clients are told of errors that ended the stream. */
  explain(failure: SubgraphAnswer): Message;
  /** Called once, when the stream has ended or nobody wants it any more. */
  onEnd(): void;
  metrics: Pick<GatewayMetrics, 'begin' | 'end' | 'count'>;
}

interface Task {
  event: SubgraphAnswer;
  /** The late joiners that it is for; undefined where it is for all. */
  to?: Set<Subscriber>;
}

export class Execution implements Downstream {
  readonly #fanOut = new FanOut(() => this.#goOn());
  #backlog: (Task | Gap)[] = [];
  #current: Task | undefined;
  #working = false;
  #ended = false;
  #lastWords: Message | undefined;
  #replan: (() => Promise<Subscribed | Message>) | undefined;

  constructor(
    private subscribed: Subscribed,
    readonly upstream: Upstream,
    private readonly options: ExecutionOptions,
  ) {
    upstream.join(this);
  }

  /** Whether one more may join a subscription that was compiled to this, see Sharing. */
  joinableFor(compiled: CompiledOperation): boolean {
    if (this.#ended || this.subscribed.compiled !== compiled) return false;
    return this.upstream.joinable || (this.options.sharing === 'before-first-event' && !this.#fanOut.started);
  }

  join(sink: Sink): Subscriber {
    const { sharing, bounds, metrics } = this.options;
    metrics.begin('subscriptions');
    const subscriber: Subscriber = new Subscriber(sink, sharing, bounds, {
      leave: () => {
        metrics.end('subscriptions');
        this.#fanOut.delete(subscriber);
        if (this.#fanOut.size === 0) this.#end();
      },
      wake: () => this.upstream.wake(),
      sent: () => metrics.count('subscriptionEvents'),
    });
    this.#fanOut.add(subscriber);
    if (sharing === 'state' && this.#fanOut.started) this.#completeLatestFor(subscriber);
    this.upstream.wake();
    return subscriber;
  }

  get ready(): boolean {
    return this.#backlog.length < eventsInHand && this.#fanOut.ready;
  }

  take(event: SubgraphAnswer): void {
    const last = this.#backlog.at(-1);
    if (this.#backlog.length < this.options.bounds.messages) this.#backlog.push({ event });
    else if (this.options.sharing === 'state') this.#backlog.splice(-1, 1, { event });
    else if (last instanceof Gap) last.missed += 1;
    else this.#backlog.push(new Gap(1));
    this.#goOn();
  }

  end(failure: SubgraphAnswer | undefined): void {
    this.#end(failure && this.options.explain(failure));
  }

  /** Plans again, behind the event in hand and before the next. @param plan answers what to go on with, or last words */
  replan(plan: () => Promise<Subscribed | Message>): void {
    this.#replan = plan;
    this.#goOn();
  }

  /** A late joiner of a stream of states gets what is on its way to all, or else the latest state, completed anew. */
  #completeLatestFor(subscriber: Subscriber): void {
    const isForAll = (task: Task | Gap | undefined) => task !== undefined && !(task instanceof Gap) && !task.to;
    if (isForAll(this.#current) || this.#backlog.some(isForAll) || this.#fanOut.pending) return;
    const shared = [this.#current, ...this.#backlog].find((task) => task && 'to' in task);
    const event = this.upstream.last;
    if (shared) (shared as Task).to!.add(subscriber);
    else if (event) this.#backlog.push({ event, to: new Set([subscriber]) });
    this.#goOn();
  }

  #goOn(): void {
    if (this.#working) return;
    this.#working = true;
    void this.#work();
  }

  async #work(): Promise<void> {
    while (this.#replan || (this.#backlog.length > 0 && !this.#fanOut.full)) {
      const plan = this.#replan;
      if (plan) {
        this.#replan = undefined;
        const planned = await plan();
        if (!(planned instanceof Message)) {
          this.subscribed = planned;
        } else if (!this.#ended) {
          this.#backlog = [];
          this.#end(planned);
        }
        continue;
      }
      const task = this.#backlog.shift()!;
      if (task instanceof Gap) {
        this.#fanOut.push(task);
        continue;
      }
      this.#current = task;
      const result = await this.options.complete(this.subscribed, task.event);
      this.#current = undefined;
      this.#fanOut.push(new Message(result), task.to);
      this.upstream.wake();
    }
    this.#working = false;
    if (!this.#ended) {
      this.upstream.wake();
    } else if (this.#backlog.length === 0) {
      if (this.#lastWords) this.#fanOut.push(this.#lastWords);
      this.#lastWords = undefined;
      this.#fanOut.finish();
    }
  }

  /** No more events come; those in hand still go out, and then the last words. */
  #end(lastWords?: Message): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#lastWords = lastWords;
    this.upstream.leave(this);
    this.options.onEnd();
    if (this.#fanOut.size === 0) this.#backlog = [];
    this.#goOn();
  }
}
