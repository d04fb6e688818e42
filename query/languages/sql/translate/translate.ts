/**
 * SQL as a plan, for engines that do not speak it: the part of the language whose answer, types and names the plan can
 * give exactly as PostgreSQL does. The rest is named, with its place.
 */
import { CallMismatch } from '../../../plan/functions/index.js';
import type { Plan, With } from '../../../plan/types.js';
import type { QueryableDataset, SqlQuery, TextPosition, TimeRange } from '../../../prepared-query.js';
import type { TreeNode } from '../parse.js';
import { asKind, listOf, stringsOf } from '../tree.js';
import type { FromContext } from './from.js';
import type { Relation } from './scope.js';
import { translateSelect } from './select.js';
import { Untranslatable } from './typed.js';

interface TranslationContext {
  datasets(name: string): QueryableDataset | undefined;
  range: TimeRange;
  /** Where a byte of the text stands in what the caller wrote. */
  positionOf(byte: number): TextPosition;
}

export function translateSql(statement: TreeNode, context: TranslationContext): SqlQuery['translation'] {
  try {
    return { ok: true, plan: new Translation(context).plan(statement) };
  } catch (error) {
    if (error instanceof Untranslatable) {
      const reason = `This engine cannot answer ${error.message} exactly.`;
      return { ok: false, reason, ...context.positionOf(placeOf(error.node) ?? placeOf(statement) ?? 0) };
    }
    // A type that PostgreSQL itself would refuse: its own message, when it is asked, says more.
    if (!(error instanceof CallMismatch)) throw error;
    return {
      ok: false,
      reason: 'This engine cannot answer the query exactly: types do not fit.',
      ...context.positionOf(0),
    };
  }
}

/** The WITH queries that are visible somewhere, the innermost first. */
type Visible = ReadonlyMap<string, Relation>;

const maxTables = 100;

class Translation {
  readonly #bindings: With['bindings'] = [];
  #tables = 0;

  constructor(readonly context: TranslationContext) {}

  plan(statement: TreeNode): Plan {
    const { plan } = this.#select(statement, new Map());
    if (this.#bindings.length === 0) return plan;
    return { op: 'with', columns: plan.columns, bindings: this.#bindings, body: plan };
  }

  #select(node: TreeNode, outer: Visible): Relation {
    const visible = this.#withQueries(node.withClause as TreeNode | undefined, outer);
    const from: FromContext = {
      dataset: (name) => this.context.datasets(name),
      range: this.context.range,
      withQuery: (name) => visible.get(name),
      select: (inner) => this.#select(inner, visible),
      countTable: (table) => {
        if (++this.#tables > maxTables) throw new Untranslatable(`more than ${maxTables} tables`, table);
      },
    };
    return translateSelect(node, from);
  }

  #withQueries(clause: TreeNode | undefined, outer: Visible): Visible {
    if (clause === undefined) return outer;
    if (clause.recursive === true) throw new Untranslatable('WITH RECURSIVE', { location: clause.location ?? 0 });
    const visible = new Map(outer);
    for (const wrapped of listOf(clause.ctes)) {
      const cte = asKind(wrapped, 'CommonTableExpr')!;
      const name = String(cte.ctename);
      const { plan, columns } = this.#select(asKind(cte.ctequery, 'SelectStmt')!, visible);
      const names = stringsOf(cte.aliascolnames);
      if (names.length > columns.length) throw new Untranslatable('more column names than columns', cte);
      const binding = `with_${this.#bindings.length + 1}`;
      this.#bindings.push({ name: binding, plan, materialized: cte.ctematerialized === 'CTEMaterializeAlways' });
      visible.set(name, {
        plan: { op: 'ref', name: binding, columns: plan.columns },
        columns: columns.map((column, i) => ({ ...column, name: names[i] ?? column.name })),
      });
    }
    return visible;
  }
}

/** The byte offset at which a node, or the first of the nodes in it that says so, stands. */
function placeOf(node: unknown): number | undefined {
  const pending: unknown[] = [node];
  let first: number | undefined;
  while (pending.length > 0) {
    const next = pending.pop();
    if (typeof next !== 'object' || next === null) continue;
    const { location } = next as TreeNode;
    if (typeof location === 'number' && location >= 0) {
      if (next === node) return location;
      first = first === undefined ? location : Math.min(first, location);
    }
    pending.push(...Object.values(next));
  }
  return first;
}
