/** A source whose calls are counted, timed and traced. */
import type { FetchOutcome, GatewayMetrics } from '../../platform/metrics.js';
import { wasRefused } from './failure.js';
import type { Source, SubgraphAnswer } from './source.js';

/** The same source; every call is a figure, and a step of the request's trace where it has one. */
export function observed(source: Source, metrics: GatewayMetrics): Source {
  const { name } = source;
  return {
    name,
    isHealthy: () => source.isHealthy(),
    close: () => source.close(),
    subscribe: (operation, variables, context) => source.subscribe(operation, variables, context),
    execute(operation, variables, context) {
      const started = performance.now();
      const span = context.span?.child(`subgraph ${name}`, 'client', { 'subgraph.name': name });
      const traced = span ? { ...context, traceHeaders: span.headers() } : context;
      const answer = source.execute(operation, variables, traced);
      const note = (settled: SubgraphAnswer): SubgraphAnswer => {
        const outcome = outcomeOf(settled);
        metrics.subgraphFetch(name, outcome, (performance.now() - started) / 1000);
        if (outcome !== 'ok') span?.fail(String(settled.errors?.[0]?.extensions?.code ?? 'SUBGRAPH_ERROR'));
        span?.end();
        return settled;
      };
      return answer instanceof Promise ? answer.then(note) : note(answer);
    },
  };
}

function outcomeOf(answer: SubgraphAnswer): FetchOutcome {
  const { errors, data } = answer;
  if (!errors?.length) return 'ok';
  if (data !== undefined && data !== null) return 'errors';
  if (wasRefused(answer)) return 'refused';
  switch (errors[0]!.extensions?.code) {
    case 'SUBGRAPH_TIMEOUT':
      return 'timeout';
    case 'SUBGRAPH_UNAVAILABLE':
    case 'SUBGRAPH_INVALID_ANSWER':
      return 'failed';
    default:
      return 'errors';
  }
}
