/** The caller's own headers that go on to subgraphs. */
import type { IncomingMessage } from 'node:http';

/** The headers of these names that the request has. @param names in lower case */
export function forwardedFrom(request: IncomingMessage, names: readonly string[]): Record<string, string> {
  const forwarded: Record<string, string> = {};
  for (const name of names) {
    const value = request.headers[name];
    if (value !== undefined) forwarded[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return forwarded;
}
