/** A hit as OpenSearch shows it. */
import { userIndexName } from '../engines/opensearch/index-names.js';
import { globMatcher } from '../glob.js';
import type { HitsPlan, SearchPlans, SourceColumns } from '../languages/opensearch/search-plans.js';
import type { JsonValue } from '../result.js';
import { toMillis } from './moments.js';

export type Hit = Record<string, JsonValue>;

/** Makes hits of the rows of a plan; `leading` columns stand before the hit's own. */
export function hitShaper(
  { dataset }: SearchPlans,
  { sort, source }: HitsPlan,
  leading = 0,
): (row: JsonValue[]) => Hit {
  const firstSort = leading + 2;
  const firstSource = firstSort + sort.length;
  const shapeSource = sourceShaper(source);
  return (row) => {
    const time = row[leading + 1] as string;
    const shown = shapeSource(row.slice(firstSource, firstSource + source.names.length));
    return {
      _index: userIndexName(dataset, time.slice(0, 7).replace('-', '.')),
      _id: row[leading]!,
      _score: sort.length === 0 ? 1 : null,
      ...(shown !== undefined && { _source: shown }),
      ...(sort.length > 0 && {
        sort: sort.map((kind, index) => {
          const value = row[firstSort + index]!;
          return kind === 'date' && value !== null ? toMillis(value) : value;
        }),
      }),
    };
  };
}

/** What is null is not there, as in a document that was stored without it. */
function sourceShaper({
  shown,
  names,
  includes,
  excludes,
}: SourceColumns): (values: JsonValue[]) => JsonValue | undefined {
  if (!shown) return () => undefined;
  const isIncluded = pathMatcher(includes);
  const isExcluded = pathMatcher(excludes);
  const whole = includes.length === 0 && excludes.length === 0;
  return (values) => {
    const entries = names.map((name, index) => [name, values[index]!] as const).filter(([, value]) => value !== null);
    const source = Object.fromEntries(entries);
    return whole ? source : (pruned(source, '', includes.length === 0, isIncluded, isExcluded) ?? {});
  };
}

const maxKnownPaths = 10_000;

/** Whether a pattern names the path itself. */
function pathMatcher(patterns: string[]): (path: string) => boolean {
  const matchers = patterns.map(globMatcher);
  // The paths of one hit are those of the next.
  const known = new Map<string, boolean>();
  return (path) => {
    let isNamed = known.get(path);
    if (isNamed === undefined) {
      isNamed = matchers.some((matches) => matches(path));
      if (known.size < maxKnownPaths) known.set(path, isNamed);
    }
    return isNamed;
  };
}

/** OpenSearch leaves these out of lists. */
const isEmptyObject = (value: JsonValue): boolean =>
  value !== null && typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length === 0;

function pruned(
  value: JsonValue,
  path: string,
  included: boolean,
  isIncluded: (path: string) => boolean,
  isExcluded: (path: string) => boolean,
): JsonValue | undefined {
  if (Array.isArray(value)) {
    const kept = value.map((item) => pruned(item, path, included, isIncluded, isExcluded));
    const rest = kept.filter((item): item is JsonValue => item !== undefined && !isEmptyObject(item));
    return rest.length === 0 && !included ? undefined : rest;
  }
  if (value === null || typeof value !== 'object') return included ? value : undefined;
  const kept = Object.entries(value).flatMap(([key, inner]) => {
    const at = path === '' ? key : `${path}.${key}`;
    if (isExcluded(at)) return [];
    const rest = pruned(inner, at, included || isIncluded(at), isIncluded, isExcluded);
    return rest === undefined ? [] : [[key, rest] as const];
  });
  return kept.length === 0 && !included ? undefined : Object.fromEntries(kept);
}
