import type { ServerResponse } from 'node:http';

/** Adds names to the answer's `Vary`, each once. */
export function appendVary(response: ServerResponse, ...names: string[]): void {
  const given = response.getHeader('vary');
  const all = new Map(
    (given === undefined ? [] : String(given).split(/, */)).map((name) => [name.toLowerCase(), name]),
  );
  for (const name of names) all.set(name.toLowerCase(), name);
  response.setHeader('vary', [...all.values()].join(', '));
}
