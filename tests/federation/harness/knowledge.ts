/** What a subgraph's SDL says of its part in the graph. */
import {
  type DocumentNode,
  type FieldDefinitionNode,
  Kind,
  type ObjectTypeDefinitionNode,
  type OperationDefinitionNode,
  parse,
  type SelectionNode,
} from 'graphql';

/** Who implements what, over all subgraphs: one with an interface object does not say it itself. */
export type Implementations = Map<string, Set<string>>;

interface Definition {
  name: string;
  directives: NonNullable<ObjectTypeDefinitionNode['directives']>;
  interfaces: string[];
  fields: readonly FieldDefinitionNode[];
}

export class Knowledge {
  readonly #external = new Set<string>();
  readonly #provides = new Map<string, readonly SelectionNode[]>();
  readonly #keys = new Map<string, (readonly SelectionNode[])[]>();
  readonly #implementations: Implementations;

  /**
   * @param subgraph undefined for one server that knows everything
   * @param sdl the subgraph's own schema
   */
  constructor(
    readonly subgraph: string | undefined,
    sdl: DocumentNode | undefined,
    implementations: Implementations,
  ) {
    this.#implementations = implementations;
    const all = sdl ? definitions(sdl) : [];
    const keyFields = new Set<string>();
    for (const { name, directives } of all) {
      for (const directive of directives.filter((candidate) => candidate.name.value === 'key')) {
        const key = fieldSet(argument(directive, 'fields'));
        for (const selection of key)
          if (selection.kind === Kind.FIELD) keyFields.add(`${name}.${selection.name.value}`);
        if (argument(directive, 'resolvable') !== 'false') this.#keys.set(name, [...(this.#keys.get(name) ?? []), key]);
      }
    }
    for (const { name, directives, fields } of all) {
      const typeIsExternal = directives.some((directive) => directive.name.value === 'external');
      for (const field of fields) {
        const coordinate = `${name}.${field.name.value}`;
        const directive = (wanted: string) => field.directives?.find((candidate) => candidate.name.value === wanted);
        if ((typeIsExternal || directive('external')) && !keyFields.has(coordinate)) this.#external.add(coordinate);
        const provides = directive('provides');
        if (provides) this.#provides.set(coordinate, fieldSet(argument(provides, 'fields')));
      }
    }
  }

  /** Whether the field is another subgraph's. */
  isExternal(typeName: string, fieldName: string): boolean {
    return this.#external.has(`${typeName}.${fieldName}`);
  }

  /** Fields of others that this one gives below the field. */
  provides(typeName: string, fieldName: string): readonly SelectionNode[] {
    return this.#provides.get(`${typeName}.${fieldName}`) ?? [];
  }

  /** The keys by which the subgraph finds entities of the type, or of its interfaces. */
  keys(typeName: string): (readonly SelectionNode[])[] {
    return [typeName, ...this.interfacesOf(typeName)].flatMap((name) => this.#keys.get(name) ?? []);
  }

  /** The types that have keys here. */
  get entityTypes(): string[] {
    return [...this.#keys.keys()];
  }

  implementationsOf(typeName: string): string[] {
    return [...(this.#implementations.get(typeName) ?? [])];
  }

  interfacesOf(typeName: string): string[] {
    return [...this.#implementations].flatMap(([name, types]) => (types.has(typeName) ? [name] : []));
  }
}

/** Reads who implements what from all subgraphs. */
export function implementationsIn(documents: DocumentNode[]): Implementations {
  const implementations: Implementations = new Map();
  for (const { name, interfaces } of documents.flatMap(definitions)) {
    for (const implemented of interfaces) {
      implementations.set(implemented, (implementations.get(implemented) ?? new Set()).add(name));
    }
  }
  return implementations;
}

function definitions(document: DocumentNode): Definition[] {
  return document.definitions.flatMap((definition) =>
    definition.kind === Kind.OBJECT_TYPE_DEFINITION ||
    definition.kind === Kind.OBJECT_TYPE_EXTENSION ||
    definition.kind === Kind.INTERFACE_TYPE_DEFINITION
      ? [
          {
            name: definition.name.value,
            directives: definition.directives ?? [],
            interfaces: definition.interfaces?.map((type) => type.name.value) ?? [],
            fields: definition.fields ?? [],
          },
        ]
      : [],
  );
}

function argument(directive: Definition['directives'][number], name: string): string {
  const value = directive.arguments?.find((candidate) => candidate.name.value === name)?.value;
  return value && 'value' in value ? String(value.value) : '';
}

const fieldSet = (text: string): readonly SelectionNode[] =>
  (parse(`{ ${text} }`).definitions[0] as OperationDefinitionNode).selectionSet.selections;
