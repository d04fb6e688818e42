/** The answers that the gateway gives in the place of a subgraph that gives none. */
import type { SubgraphAnswer } from './source.js';

export type FailureCode =
  | 'SUBGRAPH_UNAVAILABLE'
  | 'SUBGRAPH_TIMEOUT'
  | 'SUBGRAPH_INVALID_ANSWER'
  | 'SUBGRAPH_CONNECTION_LOST';

/** They name no part by name: which one it is stands in the log. */
const messages: Record<FailureCode, string> = {
  SUBGRAPH_UNAVAILABLE: 'The part of the graph that answers this field is not available; try again.',
  SUBGRAPH_TIMEOUT: 'The part of the graph that answers this field did not answer in time; ask for less or try again.',
  SUBGRAPH_INVALID_ANSWER: 'The part of the graph that answers this field gave no valid answer.',
  SUBGRAPH_CONNECTION_LOST:
    'The connection to the part of the graph that sends these events was lost; subscribe again, from the last cursor where there is one.',
};

/** An answer of one error. @param message where the usual one does not tell enough */
export function failed(code: FailureCode, message: string = messages[code]): SubgraphAnswer {
  return { errors: [{ message, extensions: { code } }] };
}

const notMade = new WeakSet<SubgraphAnswer>();

/** The answer to a call that is not made, since the subgraph is to be left alone. */
export function refused(): SubgraphAnswer {
  const answer = failed('SUBGRAPH_UNAVAILABLE');
  notMade.add(answer);
  return answer;
}

/** Whether the call was not made. */
export const wasRefused = (answer: SubgraphAnswer): boolean => notMade.has(answer);
