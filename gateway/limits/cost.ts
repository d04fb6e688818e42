/**
 * What an operation costs, by the IBM specification of GraphQL cost as Apollo reads it: an object weighs 1, a scalar 0, a
 * list as many times its item as its @listSize says, a mutation 10 more; @cost gives another weight.
 *
 * An operation compiles to its constant, or to the few steps that hang on variables, in the order in which they build on
 * each other: what its variables make it cost is then a matter of nanoseconds.
 */
import {
  type ArgumentNode,
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  GraphQLError,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isCompositeType,
  isInputObjectType,
  isListType,
  isNonNullType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  valueFromASTUntyped,
} from 'graphql';
import { type CostDirectives, type ListSize, readCostDirectives } from './cost-directives.js';

/** How long a list is taken to be of which the schema says nothing. */
const defaultListSize = 10;

const mutationCost = 10;

type Variables = Readonly<Record<string, unknown>>;

/** A number, or the step that gives it once the variables are known. */
type Amount = number | { step: number };
type Step = (variables: Variables, values: Float64Array) => number;

/** Tells what the operations of a supergraph cost. @param apiSchema what its clients see */
export function costOf(supergraph: DocumentNode, apiSchema: GraphQLSchema) {
  const directives = readCostDirectives(supergraph);
  return (document: DocumentNode, operation: OperationDefinitionNode) =>
    compileCost(apiSchema, directives, document, operation);
}

/**
 * Compiles the cost of an operation that the schema has validated.
 * @returns what tells the cost with given variables, as they were sent or coerced
 * @throws GraphQLError where a field is not given exactly one slicing argument though its `@listSize` asks for it
 */
function compileCost(
  schema: GraphQLSchema,
  directives: CostDirectives,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): (variables: Variables) => number {
  const compiler = new Compiler(schema, directives, document, operation);
  const total = compiler.operation();
  if (typeof total === 'number') return () => total;
  const { steps } = compiler;
  const values = new Float64Array(steps.length);
  return (variables) => {
    for (let step = 0; step < steps.length; step += 1) values[step] = steps[step]!(variables, values);
    return values[total.step]!;
  };
}

class Compiler {
  readonly steps: Step[] = [];
  readonly #schema: GraphQLSchema;
  readonly #directives: CostDirectives;
  readonly #operation: OperationDefinitionNode;
  readonly #fragments = new Map<string, FragmentDefinitionNode>();
  readonly #defaults: Variables;
  readonly #known = new Map<string, Amount>();
  readonly #ids = new Map<FieldNode, number>();

  constructor(
    schema: GraphQLSchema,
    directives: CostDirectives,
    document: DocumentNode,
    operation: OperationDefinitionNode,
  ) {
    this.#schema = schema;
    this.#directives = directives;
    this.#operation = operation;
    for (const definition of document.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) this.#fragments.set(definition.name.value, definition);
    }
    const defaults = (operation.variableDefinitions ?? []).map(
      ({ variable, defaultValue }) => [variable.name.value, defaultValue && valueFromASTUntyped(defaultValue)] as const,
    );
    this.#defaults = Object.fromEntries(defaults.filter(([, value]) => value !== undefined));
  }

  operation(): Amount {
    const { operation: kind, selectionSet } = this.#operation;
    const fields = this.#fields(this.#schema.getRootType(kind)!, [selectionSet]);
    return this.#sum([kind === 'mutation' ? mutationCost : 0, fields]);
  }

  /**
   * The cost of an object under some fields of one response name: of the dearest type that it may be.
   * @param weight what the field says that it weighs
   */
  #object(
    type: GraphQLCompositeType,
    nodes: readonly FieldNode[],
    weight: number | undefined,
    sizes: Map<string, Amount>,
  ): Amount {
    const sized = [...sizes].map(([name, size]) => `${name}=${typeof size === 'number' ? size : `$${size.step}`}`);
    const key = `${type.name} ${nodes.map((node) => this.#idOf(node)).join()} ${weight} ${sized.join()}`;
    return this.#once(key, () => {
      const selectionSets = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
      const types = isAbstractType(type) ? this.#schema.getPossibleTypes(type) : [type];
      return this.#max(
        types.map((object) => {
          const own = weight ?? this.#directives.weights.get(object.name) ?? 1;
          return this.#sum([own, this.#fields(object, selectionSets, sizes)]);
        }),
      );
    });
  }

  /** The same fields come up again under each type that spreads them: compiled each time, they would grow exponentially. */
  #once(key: string, compile: () => Amount): Amount {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const amount = compile();
    this.#known.set(key, amount);
    return amount;
  }

  #fields(
    type: GraphQLObjectType,
    selectionSets: readonly SelectionSetNode[],
    sizes = new Map<string, Amount>(),
  ): Amount {
    const byResponseName = new Map<string, FieldNode[]>();
    for (const selectionSet of selectionSets) this.#collect(type, selectionSet, byResponseName, new Set());
    return this.#sum([...byResponseName.values()].map((nodes) => this.#field(type, nodes, sizes)));
  }

  /** The fields that the selections give an object of the type; those under conditions count. */
  #collect(
    type: GraphQLObjectType,
    { selections }: SelectionSetNode,
    into: Map<string, FieldNode[]>,
    spread: Set<string>,
  ): void {
    for (const selection of selections) {
      if (isNever(selection.directives)) continue;
      if (selection.kind === Kind.FIELD) {
        const name = (selection.alias ?? selection.name).value;
        const nodes = into.get(name);
        if (nodes) nodes.push(selection);
        else into.set(name, [selection]);
        continue;
      }
      const named = selection.kind === Kind.FRAGMENT_SPREAD ? selection.name.value : undefined;
      const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? this.#fragments.get(selection.name.value) : selection;
      if (!fragment || (named !== undefined && spread.has(named)) || !this.#applies(fragment.typeCondition, type))
        continue;
      if (named !== undefined) spread.add(named);
      this.#collect(type, fragment.selectionSet, into, spread);
    }
  }

  #applies(condition: { name: { value: string } } | undefined, type: GraphQLObjectType): boolean {
    if (!condition || condition.name.value === type.name) return true;
    const wanted = this.#schema.getType(condition.name.value);
    return isAbstractType(wanted) && this.#schema.isSubType(wanted, type);
  }

  #field(parent: GraphQLObjectType, nodes: readonly FieldNode[], sizes: Map<string, Amount>): Amount {
    const node = nodes[0]!;
    const name = node.name.value;
    const field = parent.getFields()[name];
    // Introspection is answered by the gateway itself, and graphql-js bounds it.
    if (!field) return 0;
    const coordinate = `${parent.name}.${name}`;
    const type = getNamedType(field.type);
    const listSize = this.#find(this.#directives.listSizes, parent, name);
    const length =
      listSize &&
      this.#once(`${coordinate} ${this.#idOf(node)}`, () => this.#length(listSize, coordinate, field, node));
    const weight = this.#find(this.#directives.weights, parent, name);
    const below = new Map((listSize?.sizedFields ?? []).map((sized) => [sized, length!]));
    const each = isCompositeType(type)
      ? this.#object(type, nodes, weight, below)
      : (weight ?? this.#directives.weights.get(type.name) ?? 0);
    const own = listSize?.sizedFields.length === 0 ? length : undefined;
    const size = isListType(getNullableType(field.type)) ? (sizes.get(name) ?? own ?? defaultListSize) : 1;
    return this.#sum([this.#product(size, each), ...this.#arguments(coordinate, field, node)]);
  }

  /** What a field is marked with: on the object type, or on an interface of it. */
  #find<T>(marks: ReadonlyMap<string, T>, parent: GraphQLObjectType, field: string): T | undefined {
    const own = marks.get(`${parent.name}.${field}`);
    if (own !== undefined) return own;
    const marked = parent.getInterfaces().find((type) => marks.has(`${type.name}.${field}`));
    return marked && marks.get(`${marked.name}.${field}`);
  }

  /** How long the field's lists are: as the longest slicing argument says. */
  #length(
    { slicingArguments, requireOneSlicingArgument, assumedSize = defaultListSize }: ListSize,
    coordinate: string,
    field: GraphQLField<unknown, unknown>,
    node: FieldNode,
  ): Amount {
    const names = new Set(slicingArguments.map(([name]) => name!));
    const given = (node.arguments ?? []).filter(({ name, value }) => names.has(name.value) && value.kind !== Kind.NULL);
    if (requireOneSlicingArgument && given.length !== 1) {
      const message = `${coordinate} takes exactly one of ${[...names].join(', ')}; ${given.length} are given.`;
      throw new GraphQLError(message, { nodes: node, extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } });
    }
    const readers = slicingArguments.map(([name, ...path]) => {
      const read = this.#argument(field, node, name!);
      return (variables: Variables) => at(read(variables), path);
    });
    const length = (variables: Variables) => {
      let longest = -1;
      for (const read of readers) {
        const value = read(variables);
        if (typeof value === 'number') longest = Math.max(longest, value, 0);
      }
      return longest < 0 ? assumedSize : longest;
    };
    return given.some(hasVariable) ? this.#step(length) : length({});
  }

  /** What the arguments weigh: input objects 1 each, scalars 0. */
  #arguments(coordinate: string, field: GraphQLField<unknown, unknown>, node: FieldNode): Amount[] {
    return field.args.map((argument) => {
      const own = this.#directives.weights.get(`${coordinate}(${argument.name}:)`);
      if (own === undefined && this.#isFree(argument.type)) return 0;
      const given = node.arguments?.find(({ name }) => name.value === argument.name);
      const read = this.#argument(field, node, argument.name);
      const cost = (variables: Variables) => this.#inputCost(argument.type, read(variables), own);
      return given && hasVariable(given) ? this.#step(cost) : cost({});
    });
  }

  #inputCost(type: GraphQLInputType, value: unknown, own?: number): number {
    if (value === undefined || value === null || (own === undefined && this.#isFree(type))) return 0;
    if (isNonNullType(type)) return this.#inputCost(type.ofType, value, own);
    if (isListType(type)) {
      const items: unknown[] = Array.isArray(value) ? value : [value];
      return items.reduce<number>((sum, item) => sum + this.#inputCost(type.ofType, item, own), 0);
    }
    const weight = own ?? this.#directives.weights.get(type.name);
    if (!isInputObjectType(type)) return weight ?? 0;
    let cost = weight ?? 1;
    for (const { name, type: inner } of Object.values(type.getFields())) {
      const given = (value as Record<string, unknown>)[name];
      cost += this.#inputCost(inner, given, this.#directives.weights.get(`${type.name}.${name}`));
    }
    return cost;
  }

  #isFree(type: GraphQLInputType): boolean {
    const named = getNamedType(type);
    return !isInputObjectType(named) && !this.#directives.weights.get(named.name);
  }

  /** Reads an argument: as it is written, from a variable with its default, or the default of the schema. */
  #argument(field: GraphQLField<unknown, unknown>, node: FieldNode, name: string): (variables: Variables) => unknown {
    const value = node.arguments?.find((argument) => argument.name.value === name)?.value;
    const fallback = field.args.find((argument) => argument.name === name)?.defaultValue;
    if (!value) return () => fallback;
    if (value.kind === Kind.VARIABLE) {
      const variable = value.name.value;
      const preset = this.#defaults[variable] ?? fallback;
      return (variables) => (variables[variable] === undefined ? preset : variables[variable]);
    }
    return (variables) => valueFromASTUntyped(value, { ...this.#defaults, ...variables });
  }

  #idOf(node: FieldNode): number {
    const id = this.#ids.get(node) ?? this.#ids.size;
    this.#ids.set(node, id);
    return id;
  }

  #sum = (amounts: readonly Amount[]): Amount => this.#fold(amounts, 0, (a, b) => a + b);
  #max = (amounts: readonly Amount[]): Amount => this.#fold(amounts, 0, Math.max);

  #product(size: Amount, each: Amount): Amount {
    return size === 0 || each === 0 ? 0 : this.#fold([size, each], 1, (a, b) => a * b);
  }

  /** Combines what is constant now, and the rest once the variables are known. */
  #fold(amounts: readonly Amount[], start: number, combine: (a: number, b: number) => number): Amount {
    let constant = start;
    const open: number[] = [];
    for (const amount of amounts) {
      if (typeof amount === 'number') constant = combine(constant, amount);
      else open.push(amount.step);
    }
    if (open.length === 0) return constant;
    if (open.length === 1 && constant === start) return { step: open[0]! };
    return this.#step((_variables, values) => {
      let result = constant;
      for (let index = 0; index < open.length; index += 1) result = combine(result, values[open[index]!]!);
      return result;
    });
  }

  #step(step: Step): Amount {
    return { step: this.steps.push(step) - 1 };
  }
}

const at = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | null | undefined)?.[key], value);

/** Whether a selection is left out whatever the variables are. */
const isNever = (directives: readonly DirectiveNode[] = []): boolean =>
  directives.some(({ name, arguments: [argument] = [] }) => {
    if (argument?.value.kind !== Kind.BOOLEAN) return false;
    return (name.value === 'skip' && argument.value.value) || (name.value === 'include' && !argument.value.value);
  });

const hasVariable = ({ value }: ArgumentNode): boolean => valueHasVariable(value);

function valueHasVariable(value: ArgumentNode['value']): boolean {
  if (value.kind === Kind.VARIABLE) return true;
  if (value.kind === Kind.LIST) return value.values.some(valueHasVariable);
  return value.kind === Kind.OBJECT && value.fields.some((field) => valueHasVariable(field.value));
}
