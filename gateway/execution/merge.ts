/** Joins what subgraphs answer into one tree. */
import type { JsonObject } from './paths.js';

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/**
 * Writes the fields of `source` into `target`, deeply; lists of the same length item by item. A null never replaces a
 * value: where two subgraphs share a field, what one of them knows stays.
 */
export function mergeInto(target: JsonObject, source: JsonObject): void {
  for (const key in source) {
    // Read or written like another key, it would be what every object inherits from.
    if (key === '__proto__') continue;
    const value = source[key];
    const present = target[key];
    if (present === undefined || present === null) {
      target[key] = value;
    } else if (Array.isArray(value)) {
      if (Array.isArray(present) && present.length === value.length) mergeLists(present, value);
      else target[key] = value;
    } else if (isObject(value)) {
      if (isObject(present)) mergeInto(present as JsonObject, value as JsonObject);
      else target[key] = value;
    } else if (value !== null && value !== undefined) {
      target[key] = value;
    }
  }
}

function mergeLists(target: unknown[], source: unknown[]): void {
  for (let index = 0; index < source.length; index += 1) {
    const value = source[index];
    const present = target[index];
    if (Array.isArray(value) && Array.isArray(present) && present.length === value.length) mergeLists(present, value);
    else if (isObject(value) && isObject(present) && !Array.isArray(value))
      mergeInto(present as JsonObject, value as JsonObject);
    else if (value !== null && value !== undefined) target[index] = value;
  }
}

/** A deep copy of JSON. */
export function cloneJson<Value>(value: Value): Value {
  if (Array.isArray(value)) return value.map(cloneJson) as Value;
  if (!isObject(value)) return value;
  const copy: JsonObject = {};
  for (const key in value) if (key !== '__proto__') copy[key] = cloneJson((value as JsonObject)[key]);
  return copy as Value;
}
