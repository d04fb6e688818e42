/**
 * Kusto's own language service: its parser, its checks, its completions and what it knows of KQL's functions. Loading it
 * takes a second and 330 MB, so it happens at the first KQL text, in the thread that all languages are prepared in.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { runInThisContext } from 'node:vm';
import type { KustoElement } from './syntax.js';

export interface KustoDiagnostic {
  Code: string;
  Severity: string;
  Start: number;
  Length: number;
  Message: string;
}

/** A text with its names and types found. */
interface KustoCode {
  GetDiagnostics(): KustoList<KustoDiagnostic>;
  /** The columns of the result, where it has some. */
  ResultType: { Columns?: KustoList<{ Name: string; Type: { Name: string } }> } | null;
}

/** A whole text as it was parsed. */
interface KustoBlock extends KustoElement {
  GetContainedSyntaxDiagnostics(): KustoList<KustoDiagnostic>;
}

/** The tables and columns that a text may name. */
export type KustoGlobals = object;
/** A list of the C# kind; `toArray` reads it. */
export type KustoList<T> = { readonly item?: T };
type Symbol = object;

export interface KustoCompletionItem {
  Kind: number;
  DisplayText: string;
}

interface KustoCompletions {
  Items: KustoList<KustoCompletionItem>;
  /** What an item stands in the place of. */
  EditStart: number;
  EditLength: number;
}

export interface KustoFunction {
  Name: string;
  /** The name by which a function of an older name goes now. */
  Alternative: string | null;
  ResultNameKind: number;
  ResultNamePrefix: string | null;
}

interface KustoLanguage {
  /** Kusto's own reading of a text, which tests hold the translation against. */
  KustoCode: { ParseAndAnalyze(text: string, globals: KustoGlobals): KustoCode };
  Parsing: { QueryParser: { ParseQuery$1(text: string): KustoBlock } };
  GlobalState: { Default: { WithDatabase(database: Symbol): KustoGlobals } };
  Syntax: { SyntaxKind: Record<string, number> };
  Functions: { All: KustoList<KustoFunction> };
  Aggregates: { All: KustoList<KustoFunction> };
  Symbols: {
    ScalarTypes: Record<'Bool' | 'Long' | 'Real' | 'String' | 'DateTime' | 'Dynamic', Symbol>;
    ResultNameKind: Record<string, number>;
    ColumnSymbol: new (name: string, type: Symbol) => Symbol;
    TableSymbol: { $ctor4: new (name: string, columns: Symbol[]) => Symbol };
    DatabaseSymbol: { $ctor1: new (name: string, tables: Symbol[]) => Symbol };
  };
  Editor: {
    CompletionKind: Record<string, number>;
    KustoCodeService: {
      $ctor1: new (text: string, globals: KustoGlobals) => { GetCompletionItems(position: number): KustoCompletions };
    };
  };
}

export interface Kusto {
  language: KustoLanguage;
  toArray<T>(list: KustoList<T>): T[];
  /** The names of the syntax kinds, by their numbers. */
  kindNames: readonly string[];
  /** Scalar functions by name. */
  functions: ReadonlyMap<string, KustoFunction>;
  /** Aggregates by name. */
  aggregates: ReadonlyMap<string, KustoFunction>;
}

let loaded: Kusto | undefined;

/** Kusto's language service, loaded at the first call. */
export function loadKusto(): Kusto {
  loaded ??= load();
  return loaded;
}

/**
 * The runtime keeps the keys of its dictionaries as properties of objects, and asks these whether they have them: a name
 * such as `hasOwnProperty` or `__proto__` would be an error, or none.
 */
const withSafeKeys = (runtime: string): string =>
  runtime
    .replaceAll('this.simpleBuckets={}', 'this.simpleBuckets=Object.create(null)')
    .replaceAll('this.simpleBuckets.hasOwnProperty(', 'Object.hasOwn(this.simpleBuckets,');

function load(): Kusto {
  const require = createRequire(import.meta.url);
  // The runtime that Kusto's classes were compiled for; it goes first. Both define globals and export nothing.
  const runtime = require.resolve('@kusto/language-service-next/bridge.min.js');
  runInThisContext(withSafeKeys(readFileSync(runtime, 'utf8')), { filename: runtime });
  require('@kusto/language-service-next/Kusto.Language.Bridge.min.js');
  const { Kusto, Bridge } = globalThis as unknown as {
    Kusto: { Language: KustoLanguage };
    Bridge: { toArray<T>(list: KustoList<T>): T[] };
  };
  const language = Kusto.Language;
  const kindNames: string[] = [];
  for (const [name, number] of Object.entries(language.Syntax.SyntaxKind)) {
    if (typeof number === 'number') kindNames[number] = name;
  }
  const byName = (list: KustoList<KustoFunction>) =>
    new Map(Bridge.toArray(list).map((symbol) => [symbol.Name, symbol]));
  return {
    language,
    toArray: (list) => Bridge.toArray(list),
    kindNames,
    functions: byName(language.Functions.All),
    aggregates: byName(language.Aggregates.All),
  };
}
