/** Changes that a plan makes to representations on their way out and to data on its way in. */
import type { Rewrite } from '../planning/plan.js';
import type { JsonObject, ResponsePath } from './paths.js';
import { matchesAny, type TypeMatcher } from './type-matcher.js';

type Segment = string | ReadonlySet<string>;

/** Applies rewrites in their order to an object or to every item of a list. Undefined where there are none. */
export function compileRewrites(
  rewrites: readonly Rewrite[],
  matcher: TypeMatcher,
): ((value: unknown) => void) | undefined {
  if (rewrites.length === 0) return undefined;
  const compiled = rewrites.map((rewrite) => {
    const path = rewrite.path.map(
      (segment): Segment => (typeof segment === 'string' ? segment : matchesAny(matcher, segment.onTypes)),
    );
    const change = (target: JsonObject, key: string) => {
      if (!(key in target)) return;
      if (rewrite.kind === 'SetValue') target[key] = rewrite.value;
      else {
        target[rewrite.to] = target[key];
        delete target[key];
      }
    };
    return (value: unknown) => walk(value, path, 0, change);
  });
  return (value) => {
    for (const apply of compiled) apply(value);
  };
}

function walk(value: unknown, path: Segment[], index: number, change: (target: JsonObject, key: string) => void): void {
  if (value === null || typeof value !== 'object') return;
  if (Array.isArray(value)) {
    for (const item of value) walk(item, path, index, change);
    return;
  }
  const target = value as JsonObject;
  const segment = path[index]!;
  if (typeof segment !== 'string') {
    if (segment.has(target.__typename as string)) walk(value, path, index + 1, change);
  } else if (index === path.length - 1) change(target, segment);
  else walk(target[segment], path, index + 1, change);
}

/** Gives the keys of an error's path, from the rewritten object on, the names that the client knows. */
export function compilePathRenames(rewrites: readonly Rewrite[]): (path: ResponsePath) => ResponsePath {
  const renames = rewrites.flatMap((rewrite) =>
    rewrite.kind === 'RenameKey'
      ? [{ keys: rewrite.path.filter((segment) => typeof segment === 'string'), to: rewrite.to }]
      : [],
  );
  if (renames.length === 0) return (path) => path;
  return (path) => {
    const renamed = [...path];
    for (const { keys, to } of renames) {
      let matched = 0;
      for (const [index, key] of path.entries()) {
        if (typeof key === 'number') continue;
        if (key !== keys[matched]) break;
        matched += 1;
        if (matched === keys.length) {
          renamed[index] = to;
          break;
        }
      }
    }
    return renamed;
  };
}
