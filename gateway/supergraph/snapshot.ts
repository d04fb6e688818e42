/** What one version of the supergraph gives: immutable, and replaced as a whole. */
import { hash } from 'node:crypto';
import {
  assertValidSchema,
  buildASTSchema,
  type DocumentNode,
  type GraphQLScalarType,
  type GraphQLSchema,
  isScalarType,
  Kind,
  parse,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { AccessRules } from '../../platform/graphql/access-rules.js';
import type { Identity } from '../../platform/identity.js';
import type { Logger } from '../../platform/logging.js';
import type { GatewayMetrics } from '../../platform/metrics.js';
import { type CompilationTarget, compileOperation } from '../execution/compile.js';
import type { CompiledOperation } from '../execution/compiled-operation.js';
import { fieldsWithArguments } from '../execution/normalize.js';
import { createTypeMatcher } from '../execution/type-matcher.js';
import { costOf } from '../limits/cost.js';
import { createPlanner } from '../planning/planner.js';
import { PlanningProcess } from '../planning/planning-process.js';
import type { Source } from '../sources/source.js';

/** A subgraph as the supergraph names it. */
export interface SubgraphAddress {
  name: string;
  url: string;
}

export interface SnapshotOptions {
  supergraphSdl: string;
  /** Answers the same source for an address that has not changed. */
  sourceFor(subgraph: SubgraphAddress): Source;
  planner: 'native' | 'apollo';
  /** The most compiled operations that are kept, and the most bytes that they may take. */
  maxOperations: number;
  maxOperationBytes: number;
  /** Scalars whose values are checked at the door; all others take anything, and their subgraph decides. */
  scalars?: readonly GraphQLScalarType[];
  metrics: GatewayMetrics;
  logger: Pick<Logger, 'warn'>;
}

/** What a compiled operation weighs beside its text: measured, rounded up. */
const bytesPerOperation = 8_192;
const bytesPerCharacter = 24;

export class Snapshot {
  readonly #metrics: GatewayMetrics;
  readonly #compiled: LRUCache<string, CompiledOperation>;
  readonly #texts: LRUCache<string, string>;
  readonly #compiling = new Map<string, Promise<CompiledOperation>>();
  /** The percentages of progressive overrides: between two of them, all requests are planned alike. */
  readonly #percentages: readonly number[];

  private constructor(
    readonly supergraphSdl: string,
    readonly apiSchema: GraphQLSchema,
    private readonly target: CompilationTarget,
    private readonly planning: PlanningProcess,
    options: SnapshotOptions,
  ) {
    this.#metrics = options.metrics;
    this.#metrics.watch('planCacheEntries', () => this.#compiled.size);
    this.#metrics.watch('planCacheBytes', () => this.#compiled.calculatedSize);
    this.#percentages = percentagesOf(supergraphSdl);
    this.#texts = new LRUCache({
      max: options.maxOperations,
      maxSize: options.maxOperationBytes,
      sizeCalculation: (text) => text.length,
    });
    this.#compiled = new LRUCache({
      max: options.maxOperations,
      maxSize: options.maxOperationBytes,
      sizeCalculation: (_compiled, key) => bytesPerOperation + key.length * bytesPerCharacter,
    });
  }

  /** Builds and checks everything. @throws what is wrong with the supergraph */
  static async build(options: SnapshotOptions): Promise<Snapshot> {
    const { supergraphSdl, sourceFor, logger } = options;
    const planning = new PlanningProcess(supergraphSdl);
    try {
      const apiSdl = await planning.apiSdl();
      const apiSchema = buildASTSchema(parse(apiSdl, { noLocation: true }), { assumeValidSDL: true });
      checkScalars(apiSchema, options.scalars ?? []);
      assertValidSchema(apiSchema);
      const supergraph = parse(supergraphSdl, { noLocation: true });
      const supergraphSchema = buildASTSchema(supergraph, { assumeValid: true, assumeValidSDL: true });
      const sources = new Map(subgraphsOf(supergraph).map((subgraph) => [subgraph.name, sourceFor(subgraph)]));
      const target: CompilationTarget = {
        apiSchema,
        rules: AccessRules.read(supergraph),
        planner: createPlanner(planning, options.planner, logger),
        matcher: createTypeMatcher(supergraphSchema),
        fieldsWithArguments: fieldsWithArguments(apiSchema),
        interfaceObjects: interfaceObjectsOf(supergraph),
        source: (name) => {
          const source = sources.get(name);
          if (!source) throw new Error(`The plan names the subgraph "${name}", which the supergraph does not.`);
          return source;
        },
        compileCost: costOf(supergraph, apiSchema),
      };
      return new Snapshot(supergraphSdl, apiSchema, target, planning, options);
    } catch (error) {
      planning.close();
      throw error;
    }
  }

  /** The operation, where it is compiled already. */
  compiled(text: string, operationName: string | undefined): CompiledOperation | undefined {
    const compiled = this.#compiled.get(keyOf(text, operationName, this.#rollOverride()));
    if (compiled) this.#metrics.count('planCacheHits');
    return compiled;
  }

  /** The text of a compiled operation by its SHA-256 in hexadecimal digits. */
  textOf(sha256: string): string | undefined {
    return this.#texts.get(sha256);
  }

  /**
   * Compiles an operation once.
   * @param document passes the validation of the API schema
   * @param identity who asks first
   */
  compile(
    document: DocumentNode,
    text: string,
    operationName: string | undefined,
    identity: Identity | undefined,
  ): Promise<CompiledOperation> {
    const override = this.#rollOverride();
    const key = keyOf(text, operationName, override);
    const known = this.#compiled.get(key);
    if (known) return Promise.resolve(known);
    let compiling = this.#compiling.get(key);
    if (!compiling) {
      const started = performance.now();
      this.#metrics.count('planCacheMisses');
      compiling = compileOperation(this.target, document, text, operationName, override, identity).then((compiled) => {
        this.#metrics.planned(this.target.planner.name, (performance.now() - started) / 1000);
        this.#compiled.set(key, compiled);
        this.#texts.set(hash('sha256', text), text);
        return compiled;
      });
      this.#compiling.set(key, compiling);
      const settled = () => this.#compiling.delete(key);
      compiling.then(settled, settled);
    }
    return compiling;
  }

  /** The request's lot among progressive overrides, as the least one that is planned like it. */
  #rollOverride(): number {
    if (this.#percentages.length === 0) return 0;
    const roll = Math.random() * 100;
    return this.#percentages.findLast((percentage) => percentage <= roll) ?? 0;
  }

  /** Ends what it holds beside its sources. */
  close(): void {
    this.planning.close();
  }
}

const keyOf = (text: string, operationName: string | undefined, override: number): string =>
  `${override} ${operationName ?? ''}\n${text}`;

/** In rising order. */
function percentagesOf(supergraphSdl: string): number[] {
  const found = [...supergraphSdl.matchAll(/"percent\((\d+(?:\.\d+)?)\)"/g)].map(([, value]) => Number(value));
  return [...new Set(found)].sort((a, b) => a - b);
}

/** The interfaces that `join__type(isInterfaceObject: true)` marks. */
function interfaceObjectsOf({ definitions }: DocumentNode): ReadonlySet<string> {
  const marked = definitions.filter(
    (definition) =>
      definition.kind === Kind.INTERFACE_TYPE_DEFINITION &&
      definition.directives?.some(({ name, arguments: given }) => {
        const mark = given?.find((argument) => argument.name.value === 'isInterfaceObject')?.value;
        return name.value === 'join__type' && mark?.kind === Kind.BOOLEAN && mark.value;
      }),
  );
  return new Set(marked.map((definition) => ('name' in definition ? definition.name!.value : '')));
}

/** The subgraphs with their addresses, from the values of the enum `join__Graph`. */
function subgraphsOf(supergraph: DocumentNode): SubgraphAddress[] {
  const graphs = supergraph.definitions.find(
    (definition) => definition.kind === Kind.ENUM_TYPE_DEFINITION && definition.name.value === 'join__Graph',
  );
  if (graphs?.kind !== Kind.ENUM_TYPE_DEFINITION)
    throw new Error('The supergraph names no subgraphs (enum join__Graph).');
  return (graphs.values ?? []).map(({ directives }) => {
    const given = directives?.find(({ name }) => name.value === 'join__graph')?.arguments ?? [];
    const text = (argument: string) => {
      const value = given.find(({ name }) => name.value === argument)?.value;
      return value?.kind === Kind.STRING ? value.value : '';
    };
    return { name: text('name'), url: text('url') };
  });
}

/** Gives the scalars of a schema made from text, which take anything, their own rules. */
function checkScalars(schema: GraphQLSchema, scalars: readonly GraphQLScalarType[]): void {
  for (const { name, parseValue, parseLiteral } of scalars) {
    const type = schema.getType(name);
    if (isScalarType(type)) Object.assign(type, { parseValue, parseLiteral });
  }
}
