/** A subgraph that runs in the gateway's own process. */
import { type ExecutionResult, GraphQLError } from 'graphql';
import { mapAsyncIterable } from '../../platform/async-iterable.js';
import type { SubgraphExecutor } from '../../platform/subgraph.js';
import type { RequestContext } from '../context.js';
import { failed } from './failure.js';
import type { FetchOperation, Source, SubgraphAnswer, Variables } from './source.js';

/** How a subgraph is asked whether it can answer. */
export type HealthCheck = () => Promise<boolean>;

export class InProcessSource implements Source {
  readonly name: string;

  /** @param timeoutMs how long a call may take, within the deadline of its operation */
  constructor(
    private readonly executor: SubgraphExecutor,
    private readonly timeoutMs: number,
    readonly isHealthy: HealthCheck = async () => true,
  ) {
    this.name = executor.name;
  }

  execute(
    { text, kind }: FetchOperation,
    variables: Variables | undefined,
    context: RequestContext,
  ): SubgraphAnswer | Promise<SubgraphAnswer> {
    try {
      const result = this.executor.execute({ query: text, variables }, context);
      const answer = (settled: ExecutionResult) => this.#answer(settled, text);
      if (!(result instanceof Promise)) return answer(result);
      return this.#withinTime(result.then(answer).catch(toFailure), kind, context);
    } catch (error) {
      return toFailure(error);
    }
  }

  async subscribe({ text }: FetchOperation, variables: Variables | undefined, context: RequestContext) {
    const result = await this.executor.subscribe({ query: text, variables }, context);
    return Symbol.asyncIterator in result ? mapAsyncIterable(result, toAnswer) : toAnswer(result);
  }

  async close(): Promise<void> {}

  #answer(result: ExecutionResult, text: string): SubgraphAnswer {
    if (result.errors) return toAnswer(result);
    const cacheControl = this.executor.cacheControlOf(text);
    return cacheControl === undefined ? { data: result.data ?? null } : { data: result.data ?? null, cacheControl };
  }

  #withinTime(
    answer: Promise<SubgraphAnswer>,
    kind: FetchOperation['kind'],
    { deadline }: RequestContext,
  ): Promise<SubgraphAnswer> {
    const leftMs = Math.max(deadline - Date.now(), 0);
    // What became of a mutation that is given up is not known: it has all of its operation's time.
    const timeoutMs = kind === 'mutation' ? leftMs : Math.min(this.timeoutMs, leftMs);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(failed('SUBGRAPH_TIMEOUT')), timeoutMs);
      void answer.then((settled) => {
        clearTimeout(timer);
        resolve(settled);
      });
    });
  }
}

const toAnswer = ({ data, errors }: ExecutionResult): SubgraphAnswer =>
  errors ? { data: data ?? null, errors: errors.map((error) => error.toJSON()) } : { data: data ?? null };

/** The executor masks what its resolvers throw; what it throws itself is a fault of the operation. */
const toFailure = (error: unknown): SubgraphAnswer => ({
  errors: [
    error instanceof GraphQLError
      ? error.toJSON()
      : { message: 'Something went wrong on our side.', extensions: { code: 'INTERNAL_SERVER_ERROR' } },
  ],
});
