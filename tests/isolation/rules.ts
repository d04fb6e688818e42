/** The rules of access that the supergraph declares, read by the test itself: what the gateway ought to enforce. */
import {
  type DirectiveNode,
  type FieldDefinitionNode,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isObjectType,
  Kind,
  parse,
  valueFromASTUntyped,
} from 'graphql';
import type { Step } from './targets.js';

/** Each list is alternatives of what must be held together. */
interface Rule {
  authenticated: boolean;
  scopes: string[][] | undefined;
}

export class Rules {
  readonly #rules = new Map<string, Rule>();

  constructor(
    supergraph: string,
    private readonly schema: GraphQLSchema,
  ) {
    for (const definition of parse(supergraph, { noLocation: true }).definitions) {
      if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION) continue;
      this.#read(definition.name.value, definition.directives);
      for (const field of definition.fields ?? []) this.#readField(definition.name.value, field);
    }
  }

  /** Whether anything is declared at all. */
  get areDeclared(): boolean {
    return this.#rules.size > 0;
  }

  /** Whether a caller with these actions may have the last of the steps; `undefined` is one without a token. */
  allows(steps: readonly Step[], actions: ReadonlySet<string> | undefined): boolean {
    return this.#of(steps).every((rule) => holds(rule, actions));
  }

  /** The actions that the last of the steps asks for, of itself or else of the nearest field above. */
  actionsOf(steps: readonly Step[]): Set<string> {
    for (let length = steps.length; length > 0; length -= 1) {
      const rules = [...this.#ofStep(steps[length - 1]!)];
      const actions = new Set(rules.flatMap(({ scopes }) => scopes?.flat() ?? []));
      if (actions.size > 0) return actions;
    }
    return new Set();
  }

  #of(steps: readonly Step[]): Rule[] {
    return steps.flatMap((step) => [...this.#ofStep(step)]);
  }

  *#ofStep({ parent, on, field }: Step): Iterable<Rule> {
    const stands = this.schema.getType(on ?? parent);
    // On an interface the concrete type counts: what one of them allows may be answered.
    const types = isAbstractType(stands) ? this.schema.getPossibleTypes(stands) : [stands!];
    const places = types.map(({ name }) => [this.#rules.get(name), this.#rules.get(`${name}.${field.name}`)]);
    if (places.every((place) => JSON.stringify(place) === JSON.stringify(places[0]))) {
      for (const rule of places[0]!) if (rule) yield rule;
    }
    const answer = getNamedType(field.type);
    const rule = isObjectType(answer) ? this.#rules.get(answer.name) : undefined;
    if (rule) yield rule;
  }

  #readField(type: string, { name, directives }: FieldDefinitionNode): void {
    this.#read(`${type}.${name.value}`, directives);
  }

  #read(place: string, directives: readonly DirectiveNode[] = []): void {
    const rule: Rule = { authenticated: false, scopes: undefined };
    let isDeclared = false;
    for (const { name, arguments: given } of directives) {
      const value = given?.[0] && (valueFromASTUntyped(given[0].value) as string[][]);
      if (name.value === 'authenticated') rule.authenticated = true;
      else if (name.value === 'requiresScopes') rule.scopes = value;
      else if (name.value !== 'policy') continue; // "public", the one that there is, always holds
      isDeclared = true;
    }
    if (isDeclared) this.#rules.set(place, rule);
  }
}

function holds(rule: Rule, actions: ReadonlySet<string> | undefined): boolean {
  if (rule.authenticated && !actions) return false;
  return rule.scopes === undefined || rule.scopes.some((all) => all.every((action) => actions?.has(action)));
}
