/** Every way to a field: from the composed schema alone, so that a new field is a new probe. */
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isCompositeType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isObjectType,
  isUnionType,
} from 'graphql';

export type Kind = 'query' | 'mutation' | 'subscription';

/** One field on the way, with the object type that answers it. */
export interface Step {
  /** The type that the selection stands on. */
  parent: string;
  /** The object type, where the parent is an interface or a union. */
  on?: string;
  field: GraphQLField<unknown, unknown>;
}

/** A field with a way to it, root field first. */
export interface Target {
  kind: Kind;
  steps: Step[];
}

export const leafOf = ({ steps }: Target): Step => steps.at(-1)!;
export const nameOf = ({ steps }: Target): string =>
  steps
    .map(({ parent, on, field }, index) =>
      index === 0 ? `${parent}.${field.name}` : on ? `${on}.${field.name}` : field.name,
    )
    .join(' > ');

/**
 * Every field of every object type within reach: entities' once for each kind of operation, those of other types once for each
 * field that answers the type, since each counts and pages by itself.
 */
export function targetsOf(schema: GraphQLSchema, isEntity: (type: string) => boolean): Target[] {
  const roots: [Kind, GraphQLNamedType | null | undefined][] = [
    ['query', schema.getQueryType()],
    ['mutation', schema.getMutationType()],
    ['subscription', schema.getSubscriptionType()],
  ];
  return roots.flatMap(([kind, root]) => {
    if (!isObjectType(root)) return [];
    const seen = new Set<string>();
    const found: Target[] = [];
    let reached: Target[] = Object.values(root.getFields()).map((field) => ({
      kind,
      steps: [{ parent: root.name, field }],
    }));
    while (reached.length > 0) {
      found.push(...reached);
      reached = reached.flatMap((target) =>
        stepsBelow(schema, leafOf(target)).flatMap((step) => {
          const { parent, field } = leafOf(target);
          const type = step.on ?? step.parent;
          const from = isEntity(type) ? '' : `${parent}.${field.name}>`;
          const key = `${from}${step.parent}>${type}.${step.field.name}`;
          if (seen.has(key)) return [];
          seen.add(key);
          return [{ kind, steps: [...target.steps, step] }];
        }),
      );
    }
    return found;
  });
}

/** The fields that can be selected below a field. */
function stepsBelow(schema: GraphQLSchema, { field }: Step): Step[] {
  const type = getNamedType(field.type);
  if (!isCompositeType(type)) return [];
  const own = isUnionType(type)
    ? []
    : Object.values(type.getFields()).map((below): Step => ({ parent: type.name, field: below }));
  if (isObjectType(type)) return own;
  const possible = schema
    .getPossibleTypes(type)
    .flatMap((on) =>
      Object.values(on.getFields()).map((below): Step => ({ parent: type.name, on: on.name, field: below })),
    );
  return isInterfaceType(type) ? [...own, ...possible] : possible;
}

/** A place for one value within the arguments of a step. */
export interface Slot {
  step: number;
  /** The argument, then the input fields; 0 is the first item of a list. */
  path: (string | 0)[];
  input: GraphQLArgument | GraphQLInputField;
}

/** Every place for a value in the arguments on the way to a field. */
export function slotsOf({ steps }: Target): Slot[] {
  const within = (step: number, path: (string | 0)[], input: GraphQLArgument | GraphQLInputField): Slot[] => {
    const place = isList(input.type) ? [...path, 0 as const] : path;
    const type = getNamedType(input.type);
    if (!isInputObjectType(type)) return [{ step, path: place, input }];
    // An input type that holds itself is looked into once.
    if (path.length > 6) return [];
    return Object.values(type.getFields()).flatMap((field) => within(step, [...place, field.name], field));
  };
  return steps.flatMap(({ field }, step) => field.args.flatMap((argument) => within(step, [argument.name], argument)));
}

export const isList = (type: GraphQLInputType): boolean => isListType(getNullableType(type));

/** The arguments of each step, by name. */
export type Arguments = Record<string, unknown>[];

export interface Operation {
  query: string;
  variables: Record<string, unknown>;
}

/** The operation that asks for the target alone. */
export function operationOf({ kind, steps }: Target, values: Arguments): Operation {
  const variables: Record<string, unknown> = {};
  const definitions: string[] = [];
  let selection = isCompositeType(getNamedType(steps.at(-1)!.field.type)) ? ' { __typename }' : '';
  for (const [index, { field, on }] of [...steps.entries()].reverse()) {
    const given = field.args.filter(({ name }) => values[index]?.[name] !== undefined);
    const texts = given.map(({ name, type }) => {
      const variable = `v${index}_${name}`;
      variables[variable] = values[index]![name];
      definitions.push(`$${variable}: ${type}`);
      return `${name}: $${variable}`;
    });
    const selected = `${field.name}${texts.length === 0 ? '' : `(${texts.join(', ')})`}${selection}`;
    selection = ` { ${on === undefined ? selected : `... on ${on} { ${selected} }`} }`;
  }
  return {
    query: `${kind} Probe${definitions.length === 0 ? '' : `(${definitions.join(', ')})`}${selection}`,
    variables,
  };
}

/** A copy of the arguments with a value in a slot. */
export function withValue(values: Arguments, { step, path }: Slot, value: unknown): Arguments {
  const put = (into: unknown, [key, ...rest]: (string | 0)[]): unknown => {
    if (key === undefined) return value;
    if (key === 0) return [put(Array.isArray(into) ? into[0] : undefined, rest)];
    return { ...(into as object | undefined), [key]: put((into as Record<string, unknown> | undefined)?.[key], rest) };
  };
  return values.map((one, index) => (index === step ? (put(one, path) as Record<string, unknown>) : one));
}
