/** Values for arguments: what is known under an argument's name and type, and general ones for what is new. */
import {
  type GraphQLInputField,
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isObjectType,
  isRequiredInputField,
} from 'graphql';
import { isCursorName, type Knowledge } from './knowledge.js';
import { type Arguments, isList, type Slot, type Step, type Target } from './targets.js';

type Named = { name: string; type: GraphQLInputType };

/** What opens a door is no value to be confused by. */
const credential = /password|secret|token|signature/i;
/** Texts in a language: one that was changed is no text of it any more. */
const language = /^(query|sql)$/i;

export class Values {
  #made = 0;

  /** @param keysOf the fields of an entity's keys */
  constructor(
    private readonly schema: GraphQLSchema,
    private readonly keysOf: (type: string) => string[],
  ) {}

  /** The required arguments of every step, of what `own` knows. @throws Unfillable */
  required(target: Target, own: Knowledge): Arguments {
    return target.steps.map((step) =>
      Object.fromEntries(
        step.field.args
          .filter(({ type, defaultValue }) => isRequired(type) && defaultValue === undefined)
          .map((argument) => [argument.name, this.#value(argument, step, own)]),
      ),
    );
  }

  /** What a slot can hold of an organisation: ids, names, cursors. */
  known({ input, step }: Slot, target: Target, of: Knowledge): unknown[] {
    return this.#known(input, target.steps[step]!, of);
  }

  #value(input: Named, step: Step, own: Knowledge): unknown {
    const type = getNamedType(input.type);
    const one = () => {
      if (isInputObjectType(type)) {
        const fields = Object.values(type.getFields()).filter(isRequiredInputField);
        return Object.fromEntries(
          fields.map((field: GraphQLInputField) => [field.name, this.#value(field, step, own)]),
        );
      }
      return this.#known(input, step, own)[0] ?? this.#general(input, step);
    };
    const value = one();
    return isList(input.type) ? [value] : value;
  }

  #known({ name, type: inputType }: Named, { parent, on, field }: Step, of: Knowledge): unknown[] {
    const type = getNamedType(inputType).name;
    if (!/^(ID|String|JSON)$/.test(type) || credential.test(name) || language.test(name)) return [];
    const around = [...this.#typesBelow(field.type), on ?? parent];
    if (isCursorName(name)) return of.cursors(on ?? parent, field.name);
    const capitalised = name[0]!.toUpperCase() + name.slice(1);
    const places: [string, string][] = [
      ...around.flatMap((object) => this.#fieldOf(object, name)),
      // `userId` is a User's id, `app` an App's name, `org` an Org's slug.
      ...(/Ids?$/.test(name) ? [[capitalised.replace(/Ids?$/, ''), 'id'] as [string, string]] : []),
      ...(['name', 'slug', 'id'] as const).map((key): [string, string] => [capitalised, key]),
      ...Object.keys(this.schema.getTypeMap())
        .filter((object) => type !== 'JSON' && name !== 'id' && name !== 'name' && !object.startsWith('__'))
        .map((object): [string, string] => [object, name]),
    ];
    const found = new Set(places.flatMap(([object, key]) => of.of(object, key)));
    return [...found].map((value) => (type === 'JSON' ? asJson(value) : value));
  }

  /** A field's places; where it answers objects, those of their keys. */
  #fieldOf(object: string, name: string): [string, string][] {
    const type = this.schema.getType(object);
    const field = isCompositeType(type) && 'getFields' in type ? type.getFields()[name] : undefined;
    if (!field) return [];
    const answer = getNamedType(field.type);
    if (!isObjectType(answer)) return this.#concrete(object).map((one) => [one, name]);
    return this.keysOf(answer.name).map((key) => [answer.name, key]);
  }

  #concrete(type: string): string[] {
    const found = this.schema.getType(type);
    return isCompositeType(found) && !isObjectType(found)
      ? this.schema.getPossibleTypes(found).map(({ name }) => name)
      : [type];
  }

  /** The answered type, with the objects that it wraps: nodes of a page, the thing in a payload. */
  #typesBelow(answer: Step['field']['type']): string[] {
    const type = getNamedType(answer);
    if (!isCompositeType(type) || !('getFields' in type)) return [];
    const below = Object.values(type.getFields()).flatMap(({ name, type: inner }) => {
      const object = getNamedType(inner);
      const isWrapped = ['edges', 'pageInfo', 'totalCount'].includes(name) || !isCompositeType(object);
      return isWrapped ? [] : [object.name];
    });
    return [type.name, ...below];
  }

  #general({ name, type: inputType }: Named, step: Step): unknown {
    const type = getNamedType(inputType);
    // The last is the least: roles and tiers stand in the order of what they admit.
    if (isEnumType(type)) return type.getValues().at(-1)!.name;
    this.#made += 1;
    switch (type.name) {
      case 'Boolean':
        return true;
      case 'Int':
      case 'Float':
        return 7;
      case 'BigInt':
        return '86400';
      case 'DateTime':
        return new Date().toISOString();
      case 'JSON':
        return {};
    }
    const byName: [RegExp, string][] = [
      [language, 'SELECT timestamp, host FROM logs'],
      [/fields?$/i, 'host'],
      [/email/i, `probe${this.#made}@probe.example`],
      // One of its own each time: what one probe made, another must not open.
      [credential, `correct horse battery ${crypto.randomUUID()}`],
      [/slug/i, `probe-${this.#made}`],
      [/action|scope/i, 'events:read'],
      [/name/i, `probe ${this.#made}`],
    ];
    const [, value] = byName.find(([pattern]) => pattern.test(name)) ?? [];
    if (value !== undefined) return value;
    const place = `${step.on ?? step.parent}.${step.field.name}`;
    throw new Unfillable(`${place}: nothing of the scene fits the required argument "${name}: ${inputType}"`);
  }
}

/** An argument that must be given, and for which nothing is known. */
export class Unfillable extends Error {}

const isRequired = (type: GraphQLInputType): boolean => String(type).endsWith('!');

function asJson(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** A value of the same form and length that names nothing. */
export function twinOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(twinOf);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, twinOf(one)]));
  }
  if (typeof value !== 'string') return value;
  if (uuid.test(value)) return crypto.randomUUID();
  const next = (character: string, from: string, count: number) =>
    String.fromCharCode(((character.charCodeAt(0) - from.charCodeAt(0) + 1) % count) + from.charCodeAt(0));
  return value
    .replace(/[a-z]/g, (character) => next(character, 'a', 26))
    .replace(/[A-Z]/g, (character) => next(character, 'A', 26))
    .replace(/[0-9]/g, (character) => next(character, '0', 10));
}
