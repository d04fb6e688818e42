/**
 * Walks the parser's tree of one SELECT. Refuses what a query may not do, and notes what the guard needs afterwards:
 * the tables, the columns, the names that the text itself defines, and what keeps it from being row-wise.
 */
import { type ErrorCode, fail } from '../../../platform/errors.js';
import type { QueryableDataset, SqlTraits } from '../../prepared-query.js';
import type { SourceText } from '../../source-text.js';
import { didYouMean } from '../../suggest.js';
import { allowedFunctions, namedOutputColumns, rowFunctionsNotAllowed, syntaxFunctions } from './functions.js';
import { grammar } from './grammar.js';
import { growthProblem } from './growth.js';
import type { ParsedStatement, TreeNode } from './parse.js';
import { rowWiseObstacle } from './row-wise.js';
import { noTraits, noteTraits } from './traits.js';
import { asKind, functionName, listOf, stringsOf } from './tree.js';
import { allowedTypes } from './types.js';

/** Deeper trees are refused: PostgreSQL's own stack and this walk's stay far from their ends. */
const maxDepth = 1_000;

/** A dataset where the text names it. `start` is a byte offset. */
export interface TableUse {
  dataset: QueryableDataset;
  spelling: string;
  start: number;
  hasAlias: boolean;
  /** What stands before or in place of the bare name: `TABLE logs` is a whole query, `ONLY logs` leaves parts out. */
  form: 'PLAIN' | 'TABLE' | 'ONLY';
  /** The names of the WITH queries that are visible there. */
  visible: Set<string>;
}

/** A column where the text names it, with its table's name where that is written. `start` is a byte offset. */
export interface ColumnUse {
  table?: string;
  name: string;
  start: number;
}

/** What keeps the query from being row-wise, and the byte offset of it. */
export interface Obstacle {
  reason: string;
  start: number;
}

export interface Inspection {
  /** The SELECT itself. */
  statement: TreeNode;
  tables: TableUse[];
  columns: ColumnUse[];
  /** Every name that the text gives to something: aliases, output columns, WITH queries, functions. */
  definedNames: Set<string>;
  obstacles: Obstacle[];
  traits: SqlTraits;
}

/** Finds a dataset by the name that the text gives, upper and lower case alike. */
export type FindDataset = (name: string) => QueryableDataset | undefined;

/** The WITH queries that are visible at a place. */
interface Scope {
  names: string[];
  outer: Scope | undefined;
}

interface Place {
  start: number;
  depth: number;
  scope: Scope | undefined;
}

const clockValues = /^SVFOP_(CURRENT_DATE|CURRENT_TIME|CURRENT_TIMESTAMP|LOCALTIME|LOCALTIMESTAMP)(_N)?$/;
const systemColumns = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid']);
/** What `(expression).NAME` may select: with any other name PostgreSQL would call a function of that name. */
const compositeFields = /^(key|value|f\d{1,2})$/;

/** Inspects one statement; throws the error that tells the caller what is refused, and where. */
export function inspect(
  statement: ParsedStatement,
  source: SourceText,
  findDataset: FindDataset,
  datasetNames: string[],
): Inspection {
  const walk = new Walk(source, findDataset, datasetNames);
  walk.statement(statement);
  return walk.found;
}

class Walk {
  readonly found: Inspection = {
    statement: {},
    tables: [],
    columns: [],
    definedNames: new Set(),
    obstacles: [],
    traits: noTraits(),
  };
  /** What a `TABLE name` reads. */
  readonly #tableCommands = new Set<unknown>();
  /** The columns of each function in FROM, by the name under which the text refers to it. */
  readonly #functionColumns = new Map<string, Set<string>[]>();
  readonly #checks: Record<string, (node: TreeNode, place: Place) => void>;

  constructor(
    readonly source: SourceText,
    readonly findDataset: FindDataset,
    readonly datasetNames: string[],
  ) {
    this.#checks = {
      SelectStmt: (node, place) => this.#select(node, place),
      RangeVar: (node, place) => this.#table(node, place),
      RangeFunction: (node, place) => this.#tableFunction(node, place),
      FuncCall: (node, place) => this.#call(node, place),
      TypeName: (node, place) => this.#type(node, place),
      ColumnRef: (node, place) => this.#column(node, place),
      A_Indirection: (node, place) => this.#fieldSelection(node, place),
      A_Expr: (node, place) => this.#operator(node.name, place),
      SubLink: (node, place) => this.#operator(node.operName, place),
      SortBy: (node, place) => this.#operator(node.useOp, place),
      SQLValueFunction: (node, place) => this.#valueFunction(node, place),
      CollateClause: (node, place) => this.#unqualified(node.collname, 'collations', place),
      Alias: (node) => this.#define(node.aliasname, ...stringsOf(node.colnames)),
      ResTarget: (node) => this.#define(node.name),
      CommonTableExpr: (node) => this.#define(node.ctename, ...stringsOf(node.aliascolnames)),
      CTESearchClause: (node) => this.#define(node.search_seq_column),
      CTECycleClause: (node) => this.#define(node.cycle_mark_column, node.cycle_path_column),
      ColumnDef: (node) => this.#define(node.colname),
      JsonTableColumn: (node) => this.#define(node.name),
    };
  }

  statement({ kind, node, start }: ParsedStatement): void {
    const place = { start, depth: 0, scope: undefined };
    if (kind !== 'SelectStmt') this.#refuseKind(kind, place);
    this.found.statement = node;
    this.#visit(kind, node, place);
    this.#checkQualifiedColumns();
  }

  #visit(kind: string, node: TreeNode, above: Place): void {
    const start = typeof node.location === 'number' && node.location >= 0 ? node.location : above.start;
    const place = { start, depth: above.depth + 1, scope: above.scope };
    if (place.depth > maxDepth) {
      this.#refuse('QUERY_NOT_SUPPORTED', 'The query is nested too deeply. Use fewer levels.', place);
    }
    if (!Object.hasOwn(grammar, kind)) this.#refuseKind(kind, place);
    const reason = rowWiseObstacle(kind, node);
    if (reason !== undefined) this.found.obstacles.push({ reason, start });
    noteTraits(this.found.traits, kind, node);
    this.#checks[kind]?.(node, place);
    const scope = kind === 'SelectStmt' ? this.#withQueries(node, place) : place.scope;
    this.#fields(kind, node, { ...place, scope });
  }

  #fields(kind: string, node: TreeNode, place: Place): void {
    const fields = grammar[kind] ?? {};
    for (const [field, value] of Object.entries(node)) {
      const holds = Object.hasOwn(fields, field) ? fields[field] : undefined;
      if (holds === '*') this.#nodes(value, place);
      else if (holds === 'WithClause')
        continue; // its queries have scopes of their own: #withQueries
      else if (holds === '-' && typeof value !== 'object') continue;
      else if (holds === undefined || holds === '-') this.#refuseKind(`${kind}.${field}`, place);
      else this.#visit(holds, value as TreeNode, place);
    }
  }

  #nodes(value: unknown, place: Place): void {
    for (const wrapped of Array.isArray(value) ? value : [value]) {
      // DISTINCT without ON is a list of one empty node.
      for (const [kind, node] of Object.entries(wrapped as object)) this.#visit(kind, node as TreeNode, place);
    }
  }

  /** Visits a SELECT's WITH queries, each in the scope that it sees, and gives the scope of the SELECT itself. */
  #withQueries(select: TreeNode, place: Place): Scope | undefined {
    const clause = select.withClause as TreeNode | undefined;
    if (clause === undefined) return place.scope;
    const { ctes, recursive, location, ...others } = clause;
    if (Object.keys(others).length > 0) this.#refuseKind(`WithClause.${Object.keys(others)[0]}`, place);
    const names = listOf(ctes).map((cte) => String(asKind(cte, 'CommonTableExpr')?.ctename));
    if (recursive === true) {
      // All of them see all of them, those that follow included.
      const scope = { names, outer: place.scope };
      this.#nodes(ctes, { ...place, scope });
      return scope;
    }
    let scope = place.scope;
    for (const [index, cte] of listOf(ctes).entries()) {
      this.#nodes(cte, { ...place, scope });
      scope = { names: [names[index]!], outer: scope };
    }
    return scope;
  }

  #select(select: TreeNode, place: Place): void {
    // The parser makes `SELECT * FROM name` of `TABLE name`, with a * that stands nowhere in the text.
    const [star] = listOf(select.targetList);
    const [from] = listOf(select.fromClause);
    if (star !== undefined && !((asKind(star, 'ResTarget')?.location as number) >= 0)) {
      this.#tableCommands.add(asKind(from, 'RangeVar'));
    }
    if (select.intoClause !== undefined) {
      this.#refuse('QUERY_NOT_READ_ONLY', 'SELECT INTO makes a table. Queries only read: leave INTO out.', place);
    }
    if (select.lockingClause !== undefined) {
      this.#refuse(
        'QUERY_NOT_READ_ONLY',
        'FOR UPDATE and FOR SHARE lock rows. Queries only read: leave it out.',
        place,
      );
    }
  }

  #table(node: TreeNode, place: Place): void {
    const name = String(node.relname);
    if (node.schemaname !== undefined || node.catalogname !== undefined) {
      const hint = this.findDataset(name) === undefined ? '' : ` Write "${name}".`;
      this.#refuse('QUERY_UNKNOWN_TABLE', `Datasets are named without a schema.${hint}`, place);
    }
    const visible = new Set<string>();
    for (let scope = place.scope; scope !== undefined; scope = scope.outer) {
      for (const cte of scope.names) visible.add(cte);
    }
    if (visible.has(name)) return;
    // pg_catalog is searched before the datasets, so a dataset of such a name could not be meant.
    const dataset = name.startsWith('pg_') ? undefined : this.findDataset(name);
    if (dataset === undefined) {
      const hint = didYouMean(name, [...this.datasetNames, ...visible]);
      this.#refuse('QUERY_UNKNOWN_TABLE', `There is no dataset "${name}".${hint}`, place);
    }
    const hasAlias = node.alias !== undefined;
    const form = this.#tableCommands.has(node) ? 'TABLE' : node.inh === true ? 'PLAIN' : 'ONLY';
    this.found.tables.push({ dataset, spelling: name, start: place.start, hasAlias, form, visible });
    this.#define(name);
  }

  #tableFunction(node: TreeNode, place: Place): void {
    const alias = node.alias as TreeNode | undefined;
    const calls = listOf(node.functions).map((entry) => asKind(listOf(asKind(entry, 'List')?.items)[0], 'FuncCall'));
    const first = calls[0];
    if (first === undefined || calls.includes(undefined)) {
      this.#refuse('QUERY_NOT_SUPPORTED', 'Only functions such as generate_series() may stand in FROM.', place);
    }
    const names = calls.map((call) => functionName(call!));
    const table = alias === undefined ? names[0]! : String(alias.aliasname);
    const given = stringsOf(alias?.colnames);
    const columns = new Set([...given, 'ordinality']);
    // The list of column definitions may stand beside the whole or beside one function of ROWS FROM.
    const definitions = [
      node.coldeflist,
      ...listOf(node.functions).map((entry) => listOf(asKind(entry, 'List')?.items)[1]),
    ];
    for (const definition of definitions.flatMap((list) => listOf(asKind(list, 'List')?.items ?? list))) {
      columns.add(String(asKind(definition, 'ColumnDef')?.colname));
    }
    for (const name of names) {
      const named = namedOutputColumns.get(name);
      if (given.length === 0 && named !== undefined) for (const column of named) columns.add(column);
      // A function of one unnamed column calls it by the alias, unless the alias names the column.
      if (given.length === 0 && named === undefined) columns.add(names.length === 1 ? table : name);
      this.#define(name);
    }
    this.#functionColumns.set(table, [...(this.#functionColumns.get(table) ?? []), columns]);
  }

  #call(node: TreeNode, place: Place): void {
    const path = stringsOf(node.funcname);
    const name = path.at(-1) ?? '';
    const isSyntax = path.length === 2 && path[0] === 'pg_catalog' && syntaxFunctions.has(name);
    if (path.length > 1 && !isSyntax) {
      const hint = allowedFunctions.has(name) ? ` Write ${name}(...).` : '';
      this.#refuse('QUERY_FUNCTION_NOT_ALLOWED', `Functions are named without a schema.${hint}`, place);
    }
    if (!isSyntax && !allowedFunctions.has(name)) this.#refuseFunction(name, place);
    const problem = growthProblem(node);
    if (problem !== undefined) this.#refuse('QUERY_NOT_SUPPORTED', problem, place);
    this.#define(name);
  }

  #type(node: TreeNode, place: Place): void {
    const path = stringsOf(node.names);
    const name = path.at(-1) ?? '';
    // The parser itself writes pg_catalog before the types that SQL has words for, such as INTEGER.
    const isKnown = path.length === 1 || (path.length === 2 && path[0] === 'pg_catalog');
    if (!isKnown || !allowedTypes.has(name)) {
      const hint = didYouMean(name, allowedTypes);
      this.#refuse('QUERY_NOT_SUPPORTED', `The type "${path.join('.')}" cannot be used here.${hint}`, place);
    }
  }

  #column(node: TreeNode, place: Place): void {
    const fields = listOf(node.fields);
    const names = stringsOf(fields);
    if (fields.length > 2) {
      const hint = `Write table.column, and ->> for what lies inside JSON, such as ${names[1]}->>'${names[2] ?? 'name'}'.`;
      this.#refuse('QUERY_NOT_SUPPORTED', `Columns are named without a schema. ${hint}`, place);
    }
    if (names.length < fields.length) return; // * and table.*
    const name = names.at(-1)!;
    if (systemColumns.has(name)) {
      this.#refuse('QUERY_UNKNOWN_COLUMN', `The system column "${name}" cannot be used here.`, place);
    }
    this.found.columns.push({ ...(names.length === 2 ? { table: names[0]! } : {}), name, start: place.start });
  }

  /**
   * `x.f` is `f(x)` to PostgreSQL where x has no column f, so `alias.pg_sleep` would be a call that looks like a
   * column. A function in FROM may give any single type: there only its known columns pass, whatever scope the alias
   * stands in. Everything else is a row, which only the functions for any row take.
   */
  #checkQualifiedColumns(): void {
    for (const { table, name, start } of this.found.columns) {
      if (table === undefined) continue;
      const place = { start, depth: 0, scope: undefined };
      for (const columns of this.#functionColumns.get(table) ?? []) {
        if (columns.has(name)) continue;
        const hint = `It has ${[...columns].map((column) => `"${column}"`).join(', ')}.`;
        this.#refuse(
          'QUERY_UNKNOWN_COLUMN',
          `"${table}" is a function in FROM without a column "${name}". ${hint}`,
          place,
        );
      }
      if (rowFunctionsNotAllowed.has(name)) this.#refuseFunction(name, place);
    }
  }

  #fieldSelection(node: TreeNode, place: Place): void {
    for (const name of stringsOf(node.indirection)) {
      if (compositeFields.test(name)) continue;
      const message = `A field cannot be selected as (...).${name}. Name it as alias.${name}, or use -> and ->> on JSON.`;
      this.#refuse('QUERY_NOT_SUPPORTED', message, place);
    }
  }

  #operator(name: unknown, place: Place): void {
    this.#unqualified(name, 'operators', place);
  }

  #unqualified(name: unknown, what: string, place: Place): void {
    if (listOf(name).length <= 1) return;
    this.#refuse('QUERY_NOT_SUPPORTED', `The names of ${what} are written without a schema.`, place);
  }

  #valueFunction(node: TreeNode, place: Place): void {
    const op = String(node.op);
    if (!clockValues.test(op)) this.#refuseFunction(op.replace('SVFOP_', '').toLowerCase(), place);
  }

  #define(...names: unknown[]): void {
    for (const name of names) if (typeof name === 'string') this.found.definedNames.add(name);
  }

  #refuseFunction(name: string, place: Place): never {
    const hint = didYouMean(name, allowedFunctions.keys());
    this.#refuse('QUERY_FUNCTION_NOT_ALLOWED', `The function ${name}() cannot be used in queries.${hint}`, place);
  }

  #refuseKind(kind: string, place: Place): never {
    if (kind === 'ParamRef') {
      this.#refuse('QUERY_NOT_SUPPORTED', 'Parameters such as $1 have no value here. Write the value itself.', place);
    }
    if (kind.endsWith('Stmt')) {
      const word = kind
        .replace('Stmt', '')
        .replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
        .toUpperCase();
      this.#refuse('QUERY_NOT_READ_ONLY', `${word} is not a query. Queries only read: write one SELECT.`, place);
    }
    // SelectStmt's own fields have been told in better words by #select.
    this.#refuse('QUERY_NOT_SUPPORTED', `This construct (${kind}) is not supported in queries.`, place);
  }

  #refuse(code: ErrorCode, message: string, place: Place): never {
    const index = this.source.indexOfByte(place.start);
    fail(code, message, { argument: 'query', ...this.source.position(index) });
  }
}
