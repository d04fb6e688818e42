/** Answers as texts that can be compared. */
import type { Answer } from './cases.js';
import type { Way } from './gateways.js';

interface Given {
  data?: unknown;
  errors?: readonly {
    message?: string;
    path?: readonly (string | number)[] | undefined;
    code?: string;
    extensions?: Record<string, unknown>;
  }[];
}

/** The gateway's words for a subgraph that does not answer: one in the same process throws, one over HTTP has many ways. */
const failures = new Set(['INTERNAL_SERVER_ERROR', 'SUBGRAPH_UNAVAILABLE', 'SUBGRAPH_INVALID_ANSWER']);

/**
 * The data with its keys in their order, and the errors in that of their paths. Messages count where the wanted answer has
 * them all.
 */
export function comparable(answer: Given, wanted: Answer, way?: Way): string {
  const withMessages = wanted.errors?.every(({ message }) => message !== undefined) ?? false;
  const errors = answer.errors?.map(({ message, path, code, extensions }) => {
    const given = String(code ?? extensions?.code);
    return {
      path: path ?? null,
      code: way?.transport === 'in process' && failures.has(given) ? 'a subgraph failed' : given,
      ...(withMessages ? { message } : {}),
    };
  });
  errors?.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return JSON.stringify({ data: answer.data, errors }, null, 2);
}
