/** What a supergraph says of cost: `@cost` and `@listSize`, under whatever names it links them. */
import { type ConstDirectiveNode, type DocumentNode, Kind, valueFromASTUntyped } from 'graphql';

/** How long the lists of a field are. */
export interface ListSize {
  /** Where no slicing argument is given. */
  assumedSize?: number;
  /** Arguments that give the length, each as a path: `input.first` is `['input', 'first']`. */
  slicingArguments: readonly (readonly string[])[];
  /** The fields of the answer that are as long; empty where the field itself is the list. */
  sizedFields: readonly string[];
  /** Whether exactly one slicing argument has to be given. */
  requireOneSlicingArgument: boolean;
}

/** By schema coordinate: `Type`, `Type.field`, `Type.field(argument:)`. */
export interface CostDirectives {
  weights: ReadonlyMap<string, number>;
  listSizes: ReadonlyMap<string, ListSize>;
}

/** Reads them from a supergraph's definition. */
export function readCostDirectives(supergraph: DocumentNode): CostDirectives {
  const names = namesOf(supergraph);
  const weights = new Map<string, number>();
  const listSizes = new Map<string, ListSize>();
  const read = (coordinate: string, directives: readonly ConstDirectiveNode[] = []) => {
    for (const directive of directives) {
      if (directive.name.value === names.cost) weights.set(coordinate, Number(argumentsOf(directive).weight) || 0);
      if (directive.name.value === names.listSize) listSizes.set(coordinate, toListSize(argumentsOf(directive)));
    }
  };
  for (const definition of supergraph.definitions) {
    if (!('name' in definition) || definition.kind === Kind.DIRECTIVE_DEFINITION) continue;
    const type = definition.name?.value;
    if (type === undefined || !('directives' in definition)) continue;
    read(type, definition.directives as readonly ConstDirectiveNode[]);
    if (!('fields' in definition)) continue;
    for (const field of definition.fields ?? []) {
      read(`${type}.${field.name.value}`, field.directives);
      if (field.kind !== Kind.FIELD_DEFINITION) continue;
      for (const { name, directives } of field.arguments ?? []) {
        read(`${type}.${field.name.value}(${name.value}:)`, directives);
      }
    }
  }
  return { weights, listSizes };
}

/** The names of the directives in this document, by its link to the cost specification. */
function namesOf(supergraph: DocumentNode): { cost: string | undefined; listSize: string | undefined } {
  for (const definition of supergraph.definitions) {
    if (definition.kind !== Kind.SCHEMA_DEFINITION && definition.kind !== Kind.SCHEMA_EXTENSION) continue;
    for (const directive of definition.directives ?? []) {
      const { url, as, import: imports } = argumentsOf(directive);
      if (directive.name.value !== 'link' || !/\/cost\/v0\.\d+$/.test(String(url))) continue;
      const prefix = typeof as === 'string' ? as : 'cost';
      const imported = new Map<string, string>();
      for (const item of (imports ?? []) as (string | { name: string; as?: string })[]) {
        const { name, as: alias } = typeof item === 'string' ? { name: item, as: item } : item;
        imported.set(name, (alias ?? name).slice(1));
      }
      // The directive that is called as its specification stands under the specification's own name.
      return { cost: imported.get('@cost') ?? prefix, listSize: imported.get('@listSize') ?? `${prefix}__listSize` };
    }
  }
  return { cost: undefined, listSize: undefined };
}

function toListSize({
  assumedSize,
  slicingArguments,
  sizedFields,
  requireOneSlicingArgument,
}: Record<string, unknown>): ListSize {
  return {
    ...(typeof assumedSize === 'number' ? { assumedSize } : {}),
    slicingArguments: ((slicingArguments ?? []) as string[]).map((path) => path.split('.')),
    sizedFields: (sizedFields ?? []) as string[],
    requireOneSlicingArgument: requireOneSlicingArgument !== false && slicingArguments !== undefined,
  };
}

const argumentsOf = ({ arguments: given = [] }: ConstDirectiveNode): Record<string, unknown> =>
  Object.fromEntries(given.map(({ name, value }) => [name.value, valueFromASTUntyped(value)]));
