/**
 * A graph as data: what is true of it, and what single subgraphs say differently. The same data answers through every
 * subgraph and, for comparison, through one server that knows everything.
 *
 * `data.json` holds the fields of the root types and rows by type and label: `{"Query": {"me": "User/1"}, "User": {"1": {...}}}`.
 * Under `in`, by subgraph, are fields that this subgraph sees differently; a row of null is one that it does not have.
 * Where a field's type is an object a text names a row, `TYPE/LABEL`, and an object is a value of its own, with its
 * `__typename` where the type is abstract. These objects are computed:
 *
 * | value | answers |
 * |---|---|
 * | `{"$text": "{price} in {args.currency}"}` | the text, with fields of the same object, of objects below it, and arguments |
 * | `{"$find": "User"}` | the row whose fields equal the arguments, or null |
 * | `{"$where": "User"}` | all rows whose fields equal the arguments |
 * | `{"$first": [...]}` | the list's beginning, as long as the argument `first` says |
 * | `{"$error": "message", "code": "CODE"}` | an error |
 * | `{"$garbage": anything}` | this very value in the subgraph's answer, whatever the schema says |
 * | `{"$step": "text", "then": value}` | the value, after the text was written down as a step; for mutations |
 * | `{"$steps": true}` | the steps so far, of all subgraphs |
 */
import {
  type FieldNode,
  GraphQLError,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type SelectionNode,
} from 'graphql';
import type { Knowledge } from './knowledge.js';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Row = Record<string, Json>;
type Rows = Record<string, Record<string, Row | null>>;
export type GraphData = Rows & { in?: Record<string, Rows> };

/** An object on its way through a schema's resolvers. */
export interface Node {
  __typename: string;
  /** What is stored of it. */
  row: Row;
  /** The representation it came with: the only place where a subgraph finds fields of others. */
  sent?: Row | undefined;
  /** Fields of others that the way here provides. */
  provided?: readonly SelectionNode[] | undefined;
}

/** A value that goes into an answer as it is. */
export class Garbage {
  constructor(readonly value: Json) {}
}

const isRecord = (value: unknown): value is Row => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The data as one schema shows it. */
export class GraphView {
  readonly #data: GraphData;
  readonly #schema: GraphQLSchema;
  readonly #knowledge: Knowledge;
  readonly #steps: string[];

  /** @param steps what mutations of all views write down */
  constructor(data: GraphData, schema: GraphQLSchema, knowledge: Knowledge, steps: string[]) {
    this.#data = data;
    this.#schema = schema;
    this.#knowledge = knowledge;
    this.#steps = steps;
  }

  /** The object of a root type. */
  root(typeName: string): Node {
    const here = this.#knowledge.subgraph === undefined ? undefined : this.#data.in?.[this.#knowledge.subgraph];
    return { __typename: typeName, row: { ...this.#data[typeName], ...here?.[typeName] } as Row };
  }

  /** A field's value, ready for graphql-js. @throws the error that the data has in its place, or that the subgraph cannot know the field */
  read(node: Node, fieldName: string, args: Record<string, unknown>, type: GraphQLOutputType): unknown {
    const external = this.#knowledge.isExternal(node.__typename, fieldName);
    const provided = external ? selected(node.provided, fieldName) : undefined;
    if (external && !provided) {
      const sent = node.sent?.[fieldName];
      if (sent === undefined) throw new Error(`${this.#name} does not know ${node.__typename}.${fieldName}.`);
      return this.#complete(sent, type, node, args, undefined);
    }
    const below = [
      ...(provided?.flatMap((field) => field.selectionSet?.selections ?? []) ?? []),
      ...this.#knowledge.provides(node.__typename, fieldName),
    ];
    return this.#complete(node.row[fieldName] ?? null, type, node, args, below);
  }

  /** The entity of a representation; null where there is none. @throws where the representation has no complete key */
  entity(representation: Row): Node | null {
    const typeName = String(representation.__typename);
    const keys = this.#knowledge.keys(typeName).filter((key) => isSent(key, representation));
    if (keys.length === 0) {
      throw new Error(`${this.#name} cannot find a ${typeName} by ${JSON.stringify(representation)}.`);
    }
    const found = this.#rowsOf(typeName).find((node) => keys.every((key) => this.#matches(key, representation, node)));
    return found ? { ...found, sent: representation } : null;
  }

  get #name(): string {
    return this.#knowledge.subgraph ?? 'the graph';
  }

  #complete(
    value: Json,
    type: GraphQLOutputType,
    self: Node,
    args: Record<string, unknown>,
    provided: readonly SelectionNode[] | undefined,
  ): unknown {
    if (isRecord(value)) {
      const computed = this.#compute(value, type, self, args);
      if (computed !== value)
        return computed instanceof Garbage ? computed : this.#complete(computed, type, self, args, provided);
    }
    const nullable = isNonNullType(type) ? type.ofType : type;
    if (isListType(nullable)) {
      if (!Array.isArray(value)) return value;
      return value.map((item) => {
        try {
          return this.#complete(item, nullable.ofType, self, args, provided);
        } catch (error) {
          return error; // An item of its own: graphql-js makes it that item's error.
        }
      });
    }
    if (value === null || !isCompositeType(nullable)) return value;
    if (typeof value === 'string') return { ...this.#row(value), provided };
    const typeName = (value as Row).__typename ?? nullable.name;
    return { __typename: String(typeName), row: value as Row, sent: self.sent && (value as Row), provided };
  }

  #compute(value: Row, type: GraphQLOutputType, self: Node, args: Record<string, unknown>): Json | Garbage {
    const labels = (typeName: string) =>
      this.#labelled(typeName).flatMap(([label, row]) =>
        Object.entries(args).every(([name, arg]) => JSON.stringify(row[name]) === JSON.stringify(arg)) ? [label] : [],
      );
    if (value.$text !== undefined) {
      const text = this.#text(String(value.$text), self, args);
      return ['Int', 'Float'].includes(getNamedType(type).name) ? Number(text) : text;
    }
    if (value.$find !== undefined) return labels(String(value.$find))[0] ?? null;
    if (value.$where !== undefined) return labels(String(value.$where));
    if (value.$first !== undefined)
      return (value.$first as Json[]).slice(0, (args.first as number | null) ?? undefined);
    if (value.$error !== undefined) {
      throw new GraphQLError(String(value.$error), { extensions: { code: value.code ?? 'FAILED' } });
    }
    if (value.$garbage !== undefined) return new Garbage(value.$garbage);
    if (value.$steps !== undefined) return [...this.#steps];
    if (value.$step !== undefined) {
      this.#steps.push(this.#text(String(value.$step), self, args));
      return value.then ?? null;
    }
    return value;
  }

  /** Replaces `{args.name}`, `{args}`, `{field.below}` and `{field({"argument": 1}).below}`. */
  #text(template: string, self: Node, args: Record<string, unknown>): string {
    return template.replace(/\{(\w+)(?:\((\{.*?\})\))?((?:\.\w+)*)\}/g, (_, head, given, rest) => {
      const steps = String(rest).split('.').slice(1);
      const start = head === 'args' ? args : this.#field(self, String(head), given ? JSON.parse(given) : {});
      const value = steps.reduce<unknown>((current, step) => this.#step(current, step), start);
      return typeof value === 'string' ? value : JSON.stringify(value ?? null);
    });
  }

  #step(current: unknown, step: string): unknown {
    if (Array.isArray(current)) return current.map((item) => this.#step(item, step));
    if (!isRecord(current)) return null;
    return 'row' in current && '__typename' in current
      ? this.#field(current as unknown as Node, step, {})
      : (current[step] ?? null);
  }

  #field(node: Node, fieldName: string, args: Record<string, unknown>): unknown {
    const type = this.#schema.getType(node.__typename);
    const field = isObjectType(type) ? type.getFields()[fieldName] : undefined;
    // A field that the API hides is still there for those that require it.
    return field ? this.read(node, fieldName, args, field.type) : (node.row[fieldName] ?? null);
  }

  #matches(selections: readonly SelectionNode[], sent: Row, node: Node): boolean {
    return selections.every((selection) => {
      if (selection.kind !== Kind.FIELD) return true;
      const name = selection.name.value;
      const below = selection.selectionSet?.selections;
      const stored = this.#field(node, name, {});
      const same = (given: Json | undefined, own: unknown): boolean =>
        Array.isArray(given)
          ? Array.isArray(own) && given.length === own.length && given.every((item, index) => same(item, own[index]))
          : below && isRecord(given) && own
            ? this.#matches(below, given, own as Node)
            : JSON.stringify(given ?? null) === JSON.stringify(own ?? null);
      return same(sent[name], stored);
    });
  }

  /** A row by its name, as this schema types it: a subgraph with an interface object knows no implementations. */
  #row(name: string): Node {
    const [typeName = '', label = ''] = name.split(/\/(.*)/s);
    const row = this.#stored(typeName, label);
    if (!row) throw new Error(`${this.#name} has no row ${name}.`);
    return { __typename: this.#typeHere(typeName), row };
  }

  #typeHere(typeName: string): string {
    if (isObjectType(this.#schema.getType(typeName))) return typeName;
    return this.#knowledge.interfacesOf(typeName).find((name) => isObjectType(this.#schema.getType(name))) ?? typeName;
  }

  #rowsOf(typeName: string): Node[] {
    const isAbstract = isInterfaceType(this.#schema.getType(typeName));
    return this.#labelled(typeName).map(([label, row]) => ({
      __typename: isAbstract ? label.split('/')[0]! : typeName,
      row,
    }));
  }

  #labelled(typeName: string): [string, Row][] {
    return [typeName, ...this.#knowledge.implementationsOf(typeName)].flatMap((name) =>
      Object.keys({ ...this.#data[name], ...this.#here?.[name] }).flatMap((label): [string, Row][] => {
        const row = this.#stored(name, label);
        return row ? [[`${name}/${label}`, row]] : [];
      }),
    );
  }

  get #here(): Rows | undefined {
    return this.#knowledge.subgraph === undefined ? undefined : this.#data.in?.[this.#knowledge.subgraph];
  }

  #stored(typeName: string, label: string): Row | null {
    const own = this.#here?.[typeName]?.[label];
    if (own === null) return null;
    const common = this.#data[typeName]?.[label];
    return common || own ? { ...common, ...own } : null;
  }
}

/** What of a list of selections is this field, under fragments too; undefined where it is not selected. */
function selected(selections: readonly SelectionNode[] | undefined, fieldName: string): FieldNode[] | undefined {
  const found = selections?.flatMap((selection): FieldNode[] => {
    if (selection.kind === Kind.INLINE_FRAGMENT) return selected(selection.selectionSet.selections, fieldName) ?? [];
    return selection.kind === Kind.FIELD && selection.name.value === fieldName ? [selection] : [];
  });
  return found?.length ? found : undefined;
}

/** Whether a representation has all fields of a key. */
function isSent(key: readonly SelectionNode[], sent: Json | undefined): boolean {
  if (Array.isArray(sent)) return sent.every((item) => isSent(key, item));
  if (!isRecord(sent)) return false;
  return key.every((selection) => {
    if (selection.kind !== Kind.FIELD) return true;
    const value = sent[selection.name.value];
    if (value === undefined) return false;
    return !selection.selectionSet || value === null || isSent(selection.selectionSet.selections, value);
  });
}
