/** Random operations that are valid on a schema, and smaller ones that still fail. */
import {
  astFromValue,
  type DocumentNode,
  type GraphQLAbstractType,
  type GraphQLArgument,
  type GraphQLCompositeType,
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  isUnionType,
  parse,
  print,
  type ValueNode,
  validate,
  visit,
} from 'graphql';

export interface RandomOperation {
  text: string;
  variables: Record<string, unknown>;
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Values that arguments of these types get, beside null. */
const scalarValues: Record<string, unknown[]> = {
  Int: [0, 1, 2, 100],
  Float: [0.5, 2],
  String: ['', 'a', 'USD', 'EUR'],
  ID: ['1', '2', 'i1', 'i3', 'none'],
  Boolean: [true, false],
};

/** Writes one operation. */
class Writer {
  readonly #schema: GraphQLSchema;
  readonly #random: () => number;
  readonly #variables = new Map<string, { type: GraphQLInputType; value: unknown }>();
  readonly #fragments = new Map<string, string>();
  /** Selections that may still be written. */
  #budget: number;

  constructor(schema: GraphQLSchema, seed: number) {
    this.#schema = schema;
    this.#random = randomNumbers(seed);
    this.#budget = 10 + Math.floor(this.#random() * 40);
  }

  write(): RandomOperation {
    const body = this.#selectionSet(this.#schema.getQueryType()!, 0);
    const definitions = [...this.#variables].map(([name, { type }]) => `$${name}: ${type}`);
    return {
      text: print(
        parse(
          `query ${definitions.length > 0 ? `(${definitions.join(', ')})` : ''} ${body} ${[...this.#fragments.values()].join(' ')}`,
        ),
      ),
      variables: Object.fromEntries(
        [...this.#variables].flatMap(([name, { value }]) => (value === undefined ? [] : [[name, value]])),
      ),
    };
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)]!;
  }

  #selectionSet(type: GraphQLCompositeType, depth: number): string {
    const count = 1 + Math.floor(this.#random() * 4);
    const selections: string[] = [];
    for (let index = 0; index < count && this.#budget > 0; index += 1) {
      this.#budget -= 1;
      selections.push(
        this.#chance(0.2) || !('getFields' in type) ? this.#fragment(type, depth) : this.#field(type, depth),
      );
    }
    if (selections.length === 0 || this.#chance(0.1)) {
      selections.push(this.#chance(0.7) ? '__typename' : `${this.#pick(['kind', 'id', 'title'])}: __typename`);
    }
    return `{ ${selections.join(' ')} }`;
  }

  #field(type: Extract<GraphQLCompositeType, { getFields(): unknown }>, depth: number): string {
    const all = Object.values(type.getFields());
    const leaves = all.filter((field) => !isCompositeType(getNamedType(field.type)));
    const field = this.#pick(depth > 5 && leaves.length > 0 ? leaves : all);
    const named = getNamedType(field.type);
    const below = isCompositeType(named) ? ` ${this.#selectionSet(named, depth + 1)}` : '';
    const alias = this.#chance(0.25)
      ? `${this.#chance(0.5) ? this.#pick(all).name : this.#pick(['a', 'b', 'id'])}: `
      : '';
    return `${alias}${field.name}${this.#arguments(field.args)}${this.#directive()}${below}`;
  }

  #fragment(type: GraphQLCompositeType, depth: number): string {
    const possible = isAbstractType(type) ? this.#schema.getPossibleTypes(type) : [type];
    const wider = isObjectType(type) ? type.getInterfaces() : [];
    // Not unions in the place of an interface: where that is an interface object the native planner loses fields.
    const others = Object.values(this.#schema.getTypeMap()).filter(
      (other) =>
        (isUnionType(type) ? isAbstractType(other) : isInterfaceType(other)) &&
        possible.some((each) => this.#schema.isSubType(other as GraphQLAbstractType, each)),
    ) as GraphQLCompositeType[];
    const on = this.#pick([...possible, ...wider, ...others]);
    const body = this.#selectionSet(on, depth);
    if (this.#chance(0.2) && isCompositeType(on)) {
      const name = `F${this.#fragments.size}`;
      this.#fragments.set(name, `fragment ${name} on ${on.name} ${body}`);
      return `...${name}${this.#directive()}`;
    }
    return `... ${on === type && this.#chance(0.5) ? '' : `on ${on.name}`}${this.#directive()} ${body}`;
  }

  #directive(): string {
    if (!this.#chance(0.12)) return '';
    const condition = this.#chance(0.2) ? String(this.#chance(0.5)) : `$${this.#pick(['yes', 'no'])}`;
    if (condition.startsWith('$')) {
      this.#variables.set(condition.slice(1), {
        type: this.#schema.getDirective('include')!.args[0]!.type,
        value: condition === '$yes',
      });
    }
    return ` @${this.#pick(['include', 'skip'])}(if: ${condition})`;
  }

  #arguments(args: readonly GraphQLArgument[]): string {
    const given = args.flatMap(({ name, type, defaultValue }) => {
      const required = isNonNullType(type) && defaultValue === undefined;
      if (!required && this.#chance(0.5)) return [];
      const value = this.#value(type);
      if (this.#chance(0.4)) {
        const variable = `v${this.#variables.size}`;
        this.#variables.set(variable, {
          type,
          value: !required && !isNonNullType(type) && this.#chance(0.2) ? undefined : value,
        });
        return [`${name}: $${variable}`];
      }
      return [`${name}: ${print(astFromValue(value, type) as ValueNode)}`];
    });
    return given.length > 0 ? `(${given.join(', ')})` : '';
  }

  #value(type: GraphQLInputType, depth = 0): unknown {
    if (isNonNullType(type)) return this.#value(type.ofType, depth) ?? this.#value(type, depth);
    if (this.#chance(0.1)) return null;
    if (isListType(type))
      return this.#chance(0.3) ? [] : [this.#value(type.ofType, depth), this.#value(type.ofType, depth)];
    if (isEnumType(type)) return this.#pick(type.getValues()).name;
    if (!isInputObjectType(type)) return this.#pick(scalarValues[type.name]!);
    const fields = Object.values(type.getFields()).filter(
      (field) => depth < 2 || !isInputObjectType(getNamedType(field.type)),
    );
    return Object.fromEntries(
      fields.flatMap((field) => (this.#chance(0.5) ? [[field.name, this.#value(field.type, depth + 1)]] : [])),
    );
  }
}

/** The operation of a seed; undefined where what came out is not valid, as when two aliases conflict. */
export function randomOperation(schema: GraphQLSchema, seed: number): RandomOperation | undefined {
  const operation = new Writer(schema, seed).write();
  return isValid(schema, operation.text) ? operation : undefined;
}

function isValid(schema: GraphQLSchema, text: string): boolean {
  try {
    return validate(schema, parse(text)).length === 0;
  } catch {
    return false; // An empty selection does not even parse.
  }
}

/** The operation with selections, arguments, aliases and directives left out, as long as it `fails`. */
export async function shrink(
  schema: GraphQLSchema,
  operation: RandomOperation,
  fails: (operation: RandomOperation) => Promise<boolean>,
): Promise<RandomOperation> {
  let smallest = operation;
  for (let index = 0; ; ) {
    const document = without(parse(smallest.text), index);
    if (!document) return smallest;
    const candidate = { text: print(document), variables: smallest.variables };
    const isSmaller = candidate.text !== smallest.text && isValid(schema, candidate.text);
    if (isSmaller && (await fails(candidate))) smallest = candidate;
    else index += 1;
  }
}

/** The document without its n-th part; undefined where it has fewer. */
function without(document: DocumentNode, index: number): DocumentNode | undefined {
  let count = -1;
  const isMeant = () => {
    count += 1;
    return count === index;
  };
  const drop = () => (isMeant() ? null : undefined);
  const changed = visit(document, {
    Field(node) {
      if (isMeant()) return null;
      return node.alias && isMeant() ? { ...node, alias: undefined } : undefined;
    },
    InlineFragment: drop,
    FragmentSpread: drop,
    FragmentDefinition: drop,
    VariableDefinition: drop,
    Argument: drop,
    Directive: drop,
  });
  return count < index ? undefined : changed;
}
