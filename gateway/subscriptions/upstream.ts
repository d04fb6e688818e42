/** A stream of one subgraph, shared by the executions that complete its events. */
import type { Source, SubgraphAnswer } from '../sources/source.js';
import type { Sharing } from './stream-sharing.js';

/** Who completes the events of an upstream. */
export interface Downstream {
  /** Whether it takes an event now. */
  readonly ready: boolean;
  /** Given every event, ready or not: one that is slower than others bounds itself. The event is its own to write into. */
  take(event: SubgraphAnswer): void;
  /** Nothing more comes. @param failure the errors that ended the stream, or kept it from opening */
  end(failure: SubgraphAnswer | undefined): void;
}

export class Upstream {
  readonly #members = new Set<Downstream>();
  #iterator: AsyncIterator<SubgraphAnswer> | undefined;
  #pulling = false;
  #delivered = false;
  #ended = false;
  #last: SubgraphAnswer | undefined;

  constructor(
    readonly source: Source,
    private readonly sharing: Sharing,
    private readonly hooks: {
      /** Called once, when the stream has ended or nobody wants it any more. */
      onEnd(): void;
      /** What the client is told of an error that the stream threw. */
      explain(error: unknown): SubgraphAnswer;
    },
  ) {}

  /** Whether one more may join, see Sharing. A live stream has to be at its end: what came before is history to a joiner. */
  get joinable(): boolean {
    if (this.#ended || this.sharing === 'own') return false;
    return !this.#delivered || this.sharing === 'state' || (this.sharing === 'live' && this.#pulling);
  }

  /** A copy of the latest event of a stream of states. */
  get last(): SubgraphAnswer | undefined {
    return this.#last && copy(this.#last);
  }

  /** @param opening the source's answer to `subscribe` */
  async open(opening: ReturnType<Source['subscribe']>): Promise<void> {
    try {
      const opened = await opening;
      if (!(Symbol.asyncIterator in opened)) {
        // Completed like an event: its errors get the paths of the client's own operation.
        this.#deliver(opened);
        this.#finish(undefined);
        return;
      }
      this.#iterator = opened[Symbol.asyncIterator]();
    } catch (error) {
      this.#finish(this.hooks.explain(error));
      return;
    }
    if (this.#ended) this.#close();
    else this.wake();
  }

  join(member: Downstream): void {
    this.#members.add(member);
    const { last } = this;
    if (last) member.take(last);
    else this.wake();
  }

  /** The stream is closed at its source with the last one that leaves, also while the source has nothing to say. */
  leave(member: Downstream): void {
    if (!this.#members.delete(member) || this.#members.size > 0 || this.#ended) return;
    this.#finish(undefined);
    this.#close();
  }

  /** Asks the source for the next event, as soon as one member takes it: the fastest sets the pace. */
  wake(): void {
    if (this.#pulling || this.#ended || !this.#iterator || !this.#someReady()) return;
    this.#pulling = true;
    this.#iterator.next().then(
      ({ done, value }) => {
        this.#pulling = false;
        if (this.#ended) return;
        if (done) this.#finish(undefined);
        else this.#deliver(value);
      },
      (error) => {
        this.#finish(this.hooks.explain(error));
        // What failed may be the event and not its stream, which would live on.
        this.#close();
      },
    );
  }

  #deliver(event: SubgraphAnswer): void {
    this.#delivered = true;
    if (this.sharing === 'state') this.#last = copy(event);
    let others = this.#members.size;
    for (const member of this.#members) {
      others -= 1;
      member.take(others > 0 ? copy(event) : event);
    }
    this.wake();
  }

  #someReady(): boolean {
    for (const member of this.#members) if (member.ready) return true;
    return false;
  }

  #finish(failure: SubgraphAnswer | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.hooks.onEnd();
    for (const member of this.#members) member.end(failure);
    this.#members.clear();
  }

  #close(): void {
    // A source that cannot even end has nobody left to tell.
    this.#iterator?.return?.()?.catch(() => {});
  }
}

const copy = (event: SubgraphAnswer): SubgraphAnswer =>
  event.data ? { ...event, data: structuredClone(event.data) } : { ...event };
