/** What is known of one organisation: every value that its own callers are answered, by the field that answers it. */
import { type GraphQLSchema, isObjectType } from 'graphql';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const isScalar = (value: Json): value is boolean | number | string => value !== null && typeof value !== 'object';

export class Knowledge {
  readonly #values = new Map<string, Set<boolean | number | string>>();
  /** Objects by type: keys of several fields belong together. */
  readonly #objects = new Map<string, Record<string, Json>[]>();
  readonly #cursors = new Map<string, Set<string>>();

  constructor(private readonly schema: GraphQLSchema) {}

  /** Reads an answer in which every object tells its `__typename`. */
  learn(root: string, data: object): void {
    this.#object({ __typename: root, ...data } as Record<string, Json>, undefined);
  }

  /** The values of a field of a type. */
  of(type: string, field: string): (boolean | number | string)[] {
    return [...(this.#values.get(`${type}.${field}`) ?? [])];
  }

  /** The objects of a type that have all of the fields. */
  objects(type: string, fields: readonly string[]): Record<string, Json>[] {
    return (this.#objects.get(type) ?? []).filter((object) =>
      fields.every((field) => object[field] !== undefined && object[field] !== null),
    );
  }

  /** The cursors of a list. */
  cursors(type: string, field: string): string[] {
    return [...(this.#cursors.get(`${type}.${field}`) ?? [])];
  }

  has(type: string, field: string, value: unknown): boolean {
    return this.#values.get(`${type}.${field}`)?.has(value as string) ?? false;
  }

  get scalars(): Set<boolean | number | string> {
    return new Set([...this.#values.values(), ...this.#cursors.values()].flatMap((values) => [...values]));
  }

  #object(object: Record<string, Json>, list: string | undefined): void {
    const type = String(object.__typename);
    const known = this.#objects.get(type) ?? [];
    if (known.length < 500) known.push(object);
    this.#objects.set(type, known);
    for (const [name, value] of Object.entries(object)) {
      if (name === '__typename') continue;
      this.#value(type, name, value, list);
    }
  }

  #value(type: string, name: string, value: Json, list: string | undefined): void {
    if (Array.isArray(value)) {
      for (const item of value) this.#value(type, name, item, list);
    } else if (isScalar(value)) {
      add(this.#values, `${type}.${name}`, value);
      if (/cursor$/i.test(name) && list !== undefined) add(this.#cursors, list, String(value));
    } else if (value !== null && typeof value.__typename === 'string') {
      const objectType = this.schema.getType(type);
      const field = isObjectType(objectType) ? objectType.getFields()[name] : undefined;
      const isPaged = field?.args.some((argument) => isCursorName(argument.name)) === true;
      this.#object(value, isPaged ? `${type}.${name}` : list);
    }
  }
}

/** Whether an argument takes a cursor. */
export const isCursorName = (name: string): boolean => /^(after|before)$|cursor$/i.test(name);

function add<Value>(map: Map<string, Set<Value>>, key: string, value: Value): void {
  const set = map.get(key) ?? new Set();
  set.add(value);
  map.set(key, set);
}
