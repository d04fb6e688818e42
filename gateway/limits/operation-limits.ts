/**
 * What an operation may ask for, checked before anything of it runs: the text, its tokens, and one walk over the
 * document that follows fragments within a budget.
 */
import {
  type ArgumentNode,
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  Lexer,
  type OperationDefinitionNode,
  parse,
  type SelectionSetNode,
  Source,
  specifiedRules,
  TokenKind,
  type ValidationRule,
  type ValueNode,
  validate,
} from 'graphql';
import type { OperationLimits } from '../../platform/config.js';
import { HarborwatchError, toErrorPayload } from '../../platform/errors.js';
import { limitError } from './limit-error.js';

/**
 * How deep selection sets nest, those of fragments and introspection too, which no limit of depth counts. The standard
 * introspection query takes 22; the native planner's parser gives up at 50.
 */
const maxSelectionSets = 40;

/** Errors that one validation tells at most: each takes time, and nobody reads more. */
export const maxValidationErrors = 20;

/** Tokens are counted up to so many times the limit. */
const countedTokens = 10;

/**
 * Checks a text before it is parsed: the place of every error is found by counting the lines before it.
 * @throws OPERATION_LIMIT_EXCEEDED
 */
export function checkText(text: string, limits: OperationLimits): void {
  const lineEnd = /\r\n?|\n/g;
  for (let lines = 1; lineEnd.test(text); lines += 1) {
    if (lines >= limits.lines) throw limitError('lines', limits.lines, limits.lines, true);
  }
}

/**
 * Parses a document within the limits of its text.
 * @throws GraphQLError with the code OPERATION_LIMIT_EXCEEDED or GRAPHQL_PARSE_FAILED
 */
export function parseOperation(text: string, limits: OperationLimits): DocumentNode {
  try {
    checkText(text, limits);
    return parse(text, { maxTokens: limits.tokens });
  } catch (error) {
    throw parseError(error, text, limits);
  }
}

/** What the caller is told where a text could not be parsed. */
function parseError(error: unknown, text: string, limits: OperationLimits): GraphQLError {
  if (error instanceof HarborwatchError) return toGraphQLError(error);
  // The parser calls itself for each level, and the stack ended.
  if (!(error instanceof GraphQLError))
    return toGraphQLError(limitError('literalNesting', limits.literalNesting, limits.literalNesting, true));
  if (!/\d+ tokens\. Parsing aborted/.test(error.message)) return withCode(error, 'GRAPHQL_PARSE_FAILED');
  const most = limits.tokens * countedTokens;
  const counted = countTokens(text, most);
  return toGraphQLError(limitError('tokens', counted, limits.tokens, counted >= most));
}

/** The error as it was before Apollo Server put a code of its own on it, or could not read it; undefined for any other. */
export function errorBehind(error: unknown, limits: OperationLimits): GraphQLError | undefined {
  if (!(error instanceof GraphQLError)) return undefined;
  const { originalError, source } = error;
  if (error.extensions.code === 'GRAPHQL_VALIDATION_FAILED') {
    return originalError instanceof GraphQLError && originalError.extensions.code ? originalError : undefined;
  }
  if (error.extensions.code !== 'GRAPHQL_PARSE_FAILED' || !(originalError instanceof GraphQLError)) return undefined;
  return parseError(originalError.originalError ?? originalError, source?.body ?? '', limits);
}

function countTokens(text: string, most: number): number {
  const lexer = new Lexer(new Source(text));
  let tokens = 0;
  try {
    while (tokens < most && lexer.advance().kind !== TokenKind.EOF) tokens += 1;
  } catch {
    // What follows is not GraphQL; it is counted so far.
  }
  return tokens;
}

/**
 * All errors of a document: those of the limits alone, or else those of the schema. Each has a code.
 * graphql-js throws from `validate` for some documents; that comes out as an error of the document.
 */
export function validateOperation(
  schema: GraphQLSchema,
  document: DocumentNode,
  limits: OperationLimits,
): readonly GraphQLError[] {
  let errors: readonly GraphQLError[];
  try {
    errors = validate(schema, document, [limitsRule(limits), ...specifiedRules], { maxErrors: maxValidationErrors });
  } catch (error) {
    errors = [error instanceof GraphQLError ? error : new GraphQLError('The operation cannot be checked.')];
  }
  return errors.map((error) => (error.extensions.code ? error : withCode(error, 'GRAPHQL_VALIDATION_FAILED')));
}

const toGraphQLError = (error: HarborwatchError): GraphQLError =>
  new GraphQLError(error.message, toErrorPayload(error));

const withCode = (error: GraphQLError, code: string): GraphQLError =>
  new GraphQLError(error.message, {
    nodes: error.nodes ?? null,
    source: error.source ?? null,
    positions: error.positions ?? null,
    extensions: { ...error.extensions, code },
  });

/**
 * The limits as a validation rule. It looks at every operation of the document, and where one is over a limit it takes
 * the document away from all other rules, wherever it stands among them: some take quadratic time on such documents.
 */
export function limitsRule(limits: OperationLimits): ValidationRule {
  return (context) => ({
    Document(document) {
      const errors = errorsOf(document, limits);
      for (const error of errors) context.reportError(error);
      return errors.length > 0 ? { ...document, definitions: [] } : undefined;
    },
  });
}

/** What of the document is over a limit: in its text, then in its operations. */
function errorsOf(document: DocumentNode, limits: OperationLimits): GraphQLError[] {
  try {
    checkText(document.loc?.source.body ?? '', limits);
    checkNames(document, limits);
    return new Walk(document, limits).errors();
  } catch (error) {
    if (error instanceof HarborwatchError) return [toGraphQLError(error)];
    throw error;
  }
}

/** Other rules compare a name with all that it might have meant, and errors repeat it. */
function checkNames({ loc }: DocumentNode, limits: OperationLimits): void {
  for (let token = loc?.startToken ?? null; token; token = token.next) {
    const length = token.end - token.start;
    if (token.kind === TokenKind.NAME && length > limits.nameLength) {
      throw limitError('nameLength', length, limits.nameLength);
    }
  }
}

/** The fields under one response path. */
interface Place {
  /** How many fields were selected here so far. */
  fields: number;
  spreads: number;
  children: Map<string, Place> | undefined;
}

const newPlace = (): Place => ({ fields: 0, spreads: 0, children: undefined });

/** What one operation uses. */
interface Usage {
  depth: number;
  selectionSets: number;
  aliases: number;
  rootFields: number;
  directives: number;
  literalNesting: number;
  /** A directive on the root of a subscription: whether it runs must not hang on variables. */
  rootCondition: DirectiveNode | undefined;
}

/** One selection set on the way through an operation. */
interface Position {
  depth: number;
  /** Selection sets around it. */
  selectionSets: number;
  introspection: boolean;
  place: Place;
  /** Fragments that this selection set is part of; a spread of one of them is a cycle. */
  inside: readonly string[];
  /** False in a fragment that the operation had spread before: what is written once counts once. */
  first: boolean;
}

class Walk {
  readonly #document: DocumentNode;
  readonly #limits: OperationLimits;
  readonly #fragments = new Map<string, FragmentDefinitionNode>();
  readonly #reached = new Set<string>();
  #selections = 0;
  #repetitions = 0;
  #usage: Usage = newUsage();
  #spread = new Set<string>();

  constructor(document: DocumentNode, limits: OperationLimits) {
    this.#document = document;
    this.#limits = limits;
    for (const definition of document.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) this.#fragments.set(definition.name.value, definition);
    }
  }

  errors(): GraphQLError[] {
    const errors: (GraphQLError | HarborwatchError)[] = [];
    for (const definition of this.#document.definitions) {
      if (definition.kind === Kind.OPERATION_DEFINITION) errors.push(...this.#errorsOf(definition));
      if (this.#exhausted()) break;
    }
    // Other rules look into fragments that no operation uses.
    for (const [name, fragment] of this.#fragments) {
      if (!this.#reached.has(name)) this.#selectionSet(fragment.selectionSet, start([name]));
    }
    const { selections, repetitions } = this.#limits;
    if (this.#selections > selections) errors.push(limitError('selections', selections, selections, true));
    if (this.#repetitions > repetitions) errors.push(limitError('repetitions', repetitions, repetitions, true));
    return errors.map((error) => (error instanceof HarborwatchError ? toGraphQLError(error) : error));
  }

  #errorsOf(operation: OperationDefinitionNode): (GraphQLError | HarborwatchError)[] {
    this.#usage = newUsage();
    this.#spread = new Set();
    this.#directives(operation.directives);
    for (const variable of operation.variableDefinitions ?? []) {
      this.#directives(variable.directives);
      if (variable.defaultValue) this.#value(variable.defaultValue);
    }
    this.#selectionSet(operation.selectionSet, start([]));
    const usage = this.#usage;
    const errors: (GraphQLError | HarborwatchError)[] = (
      ['depth', 'aliases', 'rootFields', 'directives', 'literalNesting'] as const
    )
      .filter((limit) => usage[limit] > this.#limits[limit])
      .map((limit) => limitError(limit, usage[limit], this.#limits[limit]));
    if (usage.selectionSets > maxSelectionSets) errors.push(limitError('depth', usage.selectionSets, maxSelectionSets));
    if (operation.operation === 'subscription' && usage.rootCondition) {
      // graphql-js throws where such a condition reads a variable.
      const message = `The root field of a subscription takes no @${usage.rootCondition.name.value}.`;
      errors.push(new GraphQLError(message, { nodes: usage.rootCondition }));
    }
    return errors;
  }

  #selectionSet(selectionSet: SelectionSetNode, around: Position): void {
    const at = { ...around, selectionSets: around.selectionSets + 1 };
    this.#usage.selectionSets = Math.max(this.#usage.selectionSets, at.selectionSets);
    for (const selection of selectionSet.selections) {
      this.#selections += 1;
      if (this.#exhausted()) return;
      if (at.first) this.#directives(selection.directives);
      if (at.depth === 0) this.#usage.rootCondition ??= selection.directives?.find(isCondition);
      if (selection.kind === Kind.FIELD) this.#field(selection, at);
      else if (selection.kind === Kind.INLINE_FRAGMENT) this.#selectionSet(selection.selectionSet, at);
      else this.#fragment(selection.name.value, at);
    }
  }

  #field(field: FieldNode, at: Position): void {
    const usage = this.#usage;
    const responseName = (field.alias ?? field.name).value;
    const depth = at.depth + 1;
    const introspection = at.introspection || (at.depth === 0 && isIntrospection(field));
    if (!introspection) usage.depth = Math.max(usage.depth, depth);
    if (at.depth === 0) usage.rootFields += 1;
    if (at.first) {
      if (field.alias) usage.aliases += 1;
      this.#arguments(field.arguments);
    }
    at.place.children ??= new Map();
    let place = at.place.children.get(responseName);
    if (!place) {
      place = newPlace();
      at.place.children.set(responseName, place);
    }
    this.#repetitions += place.fields;
    place.fields += 1;
    if (field.selectionSet) this.#selectionSet(field.selectionSet, { ...at, depth, introspection, place });
  }

  #fragment(name: string, at: Position): void {
    const fragment = this.#fragments.get(name);
    this.#repetitions += at.place.spreads;
    at.place.spreads += 1;
    if (!fragment || at.inside.includes(name)) return;
    this.#reached.add(name);
    const first = !this.#spread.has(name);
    this.#spread.add(name);
    if (first) this.#directives(fragment.directives);
    this.#selectionSet(fragment.selectionSet, { ...at, first, inside: [...at.inside, name] });
  }

  #directives(directives: readonly DirectiveNode[] = []): void {
    this.#usage.directives += directives.length;
    for (const directive of directives) this.#arguments(directive.arguments);
  }

  #arguments(args: readonly ArgumentNode[] = []): void {
    for (const argument of args) this.#value(argument.value);
  }

  #value(value: ValueNode, depth = 0): void {
    if (value.kind !== Kind.LIST && value.kind !== Kind.OBJECT) return;
    this.#usage.literalNesting = Math.max(this.#usage.literalNesting, depth + 1);
    if (value.kind === Kind.LIST) for (const item of value.values) this.#value(item, depth + 1);
    else for (const field of value.fields) this.#value(field.value, depth + 1);
  }

  #exhausted(): boolean {
    return this.#selections > this.#limits.selections || this.#repetitions > this.#limits.repetitions;
  }
}

const newUsage = (): Usage => ({
  depth: 0,
  selectionSets: 0,
  aliases: 0,
  rootFields: 0,
  directives: 0,
  literalNesting: 0,
  rootCondition: undefined,
});

const start = (inside: readonly string[]): Position => ({
  depth: 0,
  selectionSets: 0,
  introspection: false,
  place: newPlace(),
  inside,
  first: true,
});

const isCondition = ({ name }: DirectiveNode): boolean => name.value === 'skip' || name.value === 'include';

const isIntrospection = ({ name }: FieldNode): boolean => name.value === '__schema' || name.value === '__type';
