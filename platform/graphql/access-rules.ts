/**
 * Who may ask for a field, declared beside it with federation's directives and checked twice: by the gateway before it
 * plans, and again by the subgraph before it resolves.
 * https://www.apollographql.com/docs/graphos/reference/federation/directives#managing-access
 */
import {
  type ConstDirectiveNode,
  type DefinitionNode,
  type DocumentNode,
  type EnumTypeDefinitionNode,
  type EnumTypeExtensionNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  getOperationAST,
  type InterfaceTypeDefinitionNode,
  type InterfaceTypeExtensionNode,
  isAbstractType,
  isCompositeType,
  isUnionType,
  Kind,
  type ObjectTypeDefinitionNode,
  type ObjectTypeExtensionNode,
  type ScalarTypeDefinitionNode,
  type ScalarTypeExtensionNode,
  type SelectionSetNode,
  valueFromASTUntyped,
} from 'graphql';
import { Directive } from 'type-graphql';
import { lacking, notSignedIn } from '../capabilities.js';
import type { HarborwatchError } from '../errors.js';
import { type Action, type Capability, type Identity, isSignedIn } from '../identity.js';

const publicPolicy = 'public';

/** Anybody, without a token: what one needs before one has one. */
export const Public = () => Directive(`@policy(policies: [["${publicPolicy}"]])`);

/** Whoever has signed in. */
export const Authenticated = () => Directive('@authenticated');

/**
 * Whoever holds one of the actions, in whatever scope; services and row policies look at the scope itself.
 * @param oneOf an array of actions takes all of them together
 */
export const Requires = (...oneOf: [Action | Action[], ...(Action | Action[])[]]) =>
  Directive(`@requiresScopes(scopes: ${JSON.stringify(oneOf.map((actions) => [actions].flat()))})`);

/**
 * What has to be held to ask for something. Of one `AccessRules`, equal rules are the same object. Where there is no
 * rule, anybody may ask.
 */
export interface AccessRule {
  /** One of these sets of scopes is held, in whatever capability; an empty set by whoever has signed in. */
  readonly anyOf: readonly (readonly string[])[];
}

/** The rules that a schema declares, be it a subgraph's or the supergraph's. */
export class AccessRules {
  readonly #rules = new Map<string, AccessRule>();
  /** By schema coordinate: `Type` and `Type.field`. Interfaces have none of their own, see `#spread`. */
  readonly #declared = new Map<string, AccessRule>();

  private constructor() {}

  /** @throws an Error that names a policy that is not known, or a rule that nobody could meet */
  static read(sdl: DocumentNode): AccessRules {
    const rules = new AccessRules();
    const kinds = directiveKinds(sdl);
    const declare = (coordinate: string, directives: readonly ConstDirectiveNode[] = []) => {
      for (const directive of directives) {
        const kind = kinds.get(directive.name.value);
        if (kind) rules.#and(coordinate, rules.#fromDirective(kind, directive, coordinate));
      }
    };
    const interfaces: InterfaceNode[] = [];
    const implementations = new Map<string, ObjectNode[]>();
    for (const definition of sdl.definitions) {
      if (!isRuled(definition)) continue;
      declare(definition.name.value, definition.directives);
      if (!('fields' in definition)) continue;
      for (const field of definition.fields ?? [])
        declare(`${definition.name.value}.${field.name.value}`, field.directives);
      if (isInterface(definition)) interfaces.push(definition);
      else {
        for (const { name } of definition.interfaces ?? []) {
          implementations.set(name.value, [...(implementations.get(name.value) ?? []), definition]);
        }
      }
    }
    for (const node of interfaces) rules.#spread(node, implementations.get(node.name.value) ?? []);
    return rules;
  }

  /** The rule of a field of an object type: of the field, of the object and of what it answers, all together. */
  ruleOf(typeName: string, fieldName: string, returnTypeName: string): AccessRule | undefined {
    const ofField = this.#both(this.ruleOfType(typeName), this.#declared.get(`${typeName}.${fieldName}`));
    return this.#both(ofField, this.ruleOfType(returnTypeName));
  }

  /** The rule of an object, a scalar or an enum wherever it stands, as of an entity that is asked for by key. */
  ruleOfType(typeName: string): AccessRule | undefined {
    return this.#declared.get(typeName);
  }

  /**
   * The rules of everything that an operation selects, each once, whatever its conditions leave out. Of an abstract
   * type every object counts that may stand there.
   * @param document a valid document
   */
  rulesOf(schema: GraphQLSchema, document: DocumentNode, operationName?: string | null): AccessRule[] {
    const operation = getOperationAST(document, operationName);
    const rootType = operation && schema.getRootType(operation.operation);
    if (!rootType) return [];
    const found = new Set<AccessRule>();
    const note = (rule: AccessRule | undefined) => rule && found.add(rule);
    const fragments = new Map<string, FragmentDefinitionNode>();
    for (const definition of document.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
    }
    const objectsOf = (type: GraphQLCompositeType): readonly GraphQLObjectType[] =>
      isAbstractType(type) ? schema.getPossibleTypes(type) : [type];
    // A second visit of a fragment could find nothing new, and many would take exponential time.
    const visited = new Set<string>();

    /** @param entities whether the parts with a type condition are entities that the gateway asks for by key */
    const visit = ({ selections }: SelectionSetNode, parent: GraphQLCompositeType, entities: boolean): void => {
      for (const node of selections) {
        if (node.kind === Kind.FIELD) {
          visitField(node, parent);
          continue;
        }
        if (node.kind === Kind.FRAGMENT_SPREAD) {
          const key = `${node.name.value} ${entities}`;
          if (visited.has(key)) continue;
          visited.add(key);
        }
        const part = node.kind === Kind.INLINE_FRAGMENT ? node : fragments.get(node.name.value);
        const type = part?.typeCondition ? schema.getType(part.typeCondition.name.value) : parent;
        if (!part || !isCompositeType(type)) continue;
        if (entities) for (const { name } of objectsOf(type)) note(this.ruleOfType(name));
        visit(part.selectionSet, type, entities);
      }
    };
    const visitField = (node: FieldNode, parent: GraphQLCompositeType): void => {
      const name = node.name.value;
      for (const object of objectsOf(parent)) {
        const field = object.getFields()[name];
        if (field) note(this.ruleOf(object.name, name, getNamedType(field.type).name));
      }
      const type = isUnionType(parent) ? undefined : getNamedType(parent.getFields()[name]?.type);
      if (node.selectionSet && isCompositeType(type)) visit(node.selectionSet, type, name === '_entities');
    };
    visit(operation.selectionSet, rootType, false);
    return [...found];
  }

  /**
   * Composition gives an interface the rules of all objects behind it together, which a client who asks for one of them
   * need not meet: those are judged one by one. A rule that is an interface's own counts for each of its objects.
   */
  #spread({ name, fields }: InterfaceNode, objects: readonly ObjectNode[]): void {
    const spread = (own: string, coordinates: string[]) => {
      const rule = this.#declared.get(own);
      if (!rule) return;
      this.#declared.delete(own);
      const ofObjects = coordinates.reduce<AccessRule | undefined>(
        (all, coordinate) => this.#both(all, this.#declared.get(coordinate)),
        undefined,
      );
      if (rule !== ofObjects) for (const coordinate of coordinates) this.#and(coordinate, rule);
    };
    const owners = objects.map((object) => object.name.value);
    spread(name.value, owners);
    for (const field of fields ?? []) {
      spread(
        `${name.value}.${field.name.value}`,
        owners.map((owner) => `${owner}.${field.name.value}`),
      );
    }
  }

  #and(coordinate: string, rule: AccessRule | undefined): void {
    const both = this.#both(this.#declared.get(coordinate), rule);
    if (both) this.#declared.set(coordinate, both);
  }

  #both(one: AccessRule | undefined, other: AccessRule | undefined): AccessRule | undefined {
    if (!one || !other || one === other) return one ?? other;
    return this.#intern(one.anyOf.flatMap((scopes) => other.anyOf.map((others) => [...scopes, ...others])));
  }

  #fromDirective(kind: RuleKind, { arguments: given }: ConstDirectiveNode, coordinate: string): AccessRule | undefined {
    if (kind === 'authenticated') return this.#intern([[]]);
    const value = given?.[0] && valueFromASTUntyped(given[0].value);
    const anyOf = [value].flat().map((all) => [all].flat());
    if (!given?.[0] || anyOf.length === 0) throw new Error(`The rule of access on ${coordinate} lets nobody through.`);
    if (kind === 'requiresScopes') return this.#intern(anyOf as string[][]);
    const unknown = anyOf.flat().find((policy) => policy !== publicPolicy);
    if (unknown !== undefined) {
      throw new Error(`The policy "${unknown}" on ${coordinate} is not known: "${publicPolicy}" is the only one.`);
    }
    return undefined;
  }

  /** The one rule that means the same, whatever the order of its sets, without those that ask for more than another. */
  #intern(anyOf: readonly (readonly string[])[]): AccessRule {
    const sets = anyOf.map((scopes) => [...new Set(scopes)]);
    const least = sets.filter(
      (scopes, index) =>
        !sets.some((other, at) => {
          const isWithin = other.every((scope) => scopes.includes(scope));
          return isWithin && (other.length < scopes.length || at < index);
        }),
    );
    const key = JSON.stringify(least.map((scopes) => JSON.stringify([...scopes].sort())).sort());
    const rule = this.#rules.get(key) ?? { anyOf: least };
    this.#rules.set(key, rule);
    return rule;
  }
}

/** Whether the caller meets the rule. A scope is an action: how narrow the capability is, services look at. */
export function allows({ anyOf }: AccessRule, identity: Identity | undefined): boolean {
  if (!identity) return false;
  const held = heldBy(identity.capabilities);
  for (const scopes of anyOf) {
    // Who comes from an opened address has what it was opened to, and has not signed in.
    if (scopes.length === 0 ? isSignedIn(identity) : scopes.every((scope) => held.has(scope))) return true;
  }
  return false;
}

/** What a caller who does not meet the rule is told: to sign in, or which capability is missing. */
export function denialOf({ anyOf }: AccessRule, identity: Identity | undefined): HarborwatchError {
  if (!isSignedIn(identity)) return notSignedIn();
  const held = heldBy(identity.capabilities);
  const missing = anyOf.map((scopes) => scopes.filter((scope) => !held.has(scope)));
  return lacking([...new Set(missing.map((scopes) => scopes.join(' and ')))].join(' or '), missing[0]![0]!);
}

/** A token's capabilities are one object as long as the token is known, and asked for every rule of every request. */
const actionsHeld = new WeakMap<readonly Capability[], ReadonlySet<string>>();

function heldBy(capabilities: readonly Capability[]): ReadonlySet<string> {
  let held = actionsHeld.get(capabilities);
  if (!held) {
    held = new Set(capabilities.map(({ action }) => action));
    actionsHeld.set(capabilities, held);
  }
  return held;
}

type ObjectNode = ObjectTypeDefinitionNode | ObjectTypeExtensionNode;
type InterfaceNode = InterfaceTypeDefinitionNode | InterfaceTypeExtensionNode;
type LeafNode = ScalarTypeDefinitionNode | ScalarTypeExtensionNode | EnumTypeDefinitionNode | EnumTypeExtensionNode;

const ruledKinds: ReadonlySet<string> = new Set([
  Kind.OBJECT_TYPE_DEFINITION,
  Kind.OBJECT_TYPE_EXTENSION,
  Kind.INTERFACE_TYPE_DEFINITION,
  Kind.INTERFACE_TYPE_EXTENSION,
  Kind.SCALAR_TYPE_DEFINITION,
  Kind.SCALAR_TYPE_EXTENSION,
  Kind.ENUM_TYPE_DEFINITION,
  Kind.ENUM_TYPE_EXTENSION,
]);
const isRuled = (node: DefinitionNode): node is ObjectNode | InterfaceNode | LeafNode => ruledKinds.has(node.kind);
const isInterface = (node: ObjectNode | InterfaceNode): node is InterfaceNode =>
  node.kind === Kind.INTERFACE_TYPE_DEFINITION || node.kind === Kind.INTERFACE_TYPE_EXTENSION;

type RuleKind = 'authenticated' | 'requiresScopes' | 'policy';
const ruleKinds: readonly RuleKind[] = ['authenticated', 'requiresScopes', 'policy'];

/** What directives mean by their names here: their own ones, and those that a link gives them. */
function directiveKinds({ definitions }: DocumentNode): ReadonlyMap<string, RuleKind> {
  const kinds = new Map<string, RuleKind>(ruleKinds.map((kind) => [kind, kind]));
  for (const definition of definitions) {
    if (definition.kind !== Kind.SCHEMA_DEFINITION && definition.kind !== Kind.SCHEMA_EXTENSION) continue;
    for (const { name, arguments: given = [] } of definition.directives ?? []) {
      const values = new Map(given.map((argument) => [argument.name.value, valueFromASTUntyped(argument.value)]));
      const specification = /\/(\w+)\/v\d+\.\d+$/.exec(String(values.get('url')))?.[1];
      if (name.value !== 'link' || specification === undefined) continue;
      const prefix = (values.get('as') as string | undefined) ?? specification;
      for (const kind of ruleKinds) {
        if (specification === kind) kinds.set(prefix, kind);
        if (specification === 'federation') kinds.set(`${prefix}__${kind}`, kind);
        for (const imported of (values.get('import') ?? []) as (string | { name: string; as?: string })[]) {
          const { name: own, as = own } = typeof imported === 'string' ? { name: imported } : imported;
          if (own === `@${kind}`) kinds.set(as.slice(1), kind);
        }
      }
    }
  }
  return kinds;
}
