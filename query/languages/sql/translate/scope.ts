/** What names mean in one SELECT. */
import type { Plan } from '../../../plan/types.js';
import type { TreeNode } from '../parse.js';
import { stringsOf } from '../tree.js';
import { type Typed, Untranslatable } from './typed.js';

/** A column that the rows of FROM have, under the table's name there. */
export interface ScopeColumn {
  table: string;
  name: string;
  value: Typed;
}

export interface Relation {
  plan: Plan;
  columns: ScopeColumn[];
}

/** The column that a `ColumnRef` names. */
export function findColumn(node: TreeNode, columns: readonly ScopeColumn[]): ScopeColumn {
  const names = stringsOf(node.fields);
  const name = names.at(-1)!;
  const table = names.length > 1 ? names[0] : undefined;
  const found = columns.filter((column) => column.name === name && (table === undefined || column.table === table));
  if (found.length === 1) return found[0]!;
  const said = names.join('.');
  throw new Untranslatable(
    found.length === 0 ? `"${said}", which is no column here` : `"${said}", which several tables have`,
    node,
  );
}
