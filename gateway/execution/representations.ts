/** Makes an entity's representation, which tells a subgraph which entity is meant, from the data at hand. */
import type { RequiredSelection } from '../planning/plan.js';
import type { JsonObject } from './paths.js';
import { matchesAny, type TypeMatcher } from './type-matcher.js';

/** Answers undefined for an entity that lacks what the subgraph requires. */
export type MakeRepresentation = (entity: JsonObject) => JsonObject | undefined;

/** Writes the selection of `entity` into `out`; false where something required is missing. */
type Project = (entity: JsonObject, out: JsonObject) => boolean;

export function compileRepresentation(
  requires: readonly RequiredSelection[],
  matcher: TypeMatcher,
): MakeRepresentation {
  const project = compileSelections(requires, matcher);
  return (entity) => {
    const representation: JsonObject = {};
    return project(entity, representation) && representation.__typename !== undefined ? representation : undefined;
  };
}

function compileSelections(selections: readonly RequiredSelection[], matcher: TypeMatcher): Project {
  const steps = selections.map((selection) => compileSelection(selection, matcher));
  if (steps.length === 1) return steps[0]!;
  return (entity, out) => {
    for (let index = 0; index < steps.length; index += 1) if (!steps[index]!(entity, out)) return false;
    return true;
  };
}

function compileSelection(selection: RequiredSelection, matcher: TypeMatcher): Project {
  if (selection.kind === 'Field') return compileField(selection, matcher);
  const { onType } = selection;
  const names = onType === undefined ? undefined : matchesAny(matcher, [onType]);
  const project = compileSelections(selection.selections, matcher);
  if (!names) return project;
  return (entity, out) => !names.has(entity.__typename as string) || project(entity, out);
}

function compileField({ name, selections }: RequiredSelection & { kind: 'Field' }, matcher: TypeMatcher): Project {
  if (!selections) {
    return (entity, out) => {
      const value = entity[name];
      if (value === undefined) return false;
      out[name] = value;
      return true;
    };
  }
  const project = compileSelections(selections, matcher);
  /** Undefined where an object lacks something required. */
  const copy = (value: unknown): unknown => {
    if (value === null || typeof value !== 'object') return value;
    if (!Array.isArray(value)) {
      const out: JsonObject = {};
      return project(value as JsonObject, out) ? out : undefined;
    }
    const items = value.map(copy);
    return items.includes(undefined) ? undefined : items;
  };
  return (entity, out) => {
    const value = copy(entity[name]);
    if (value === undefined) return false;
    const present = out[name];
    // Two fragments may ask for different parts of one object.
    if (present !== undefined && isPlain(present) && isPlain(value)) Object.assign(present, value);
    else out[name] = value;
    return true;
  };
}

const isPlain = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
