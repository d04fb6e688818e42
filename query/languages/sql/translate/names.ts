/** The names that PostgreSQL gives to the columns of a SELECT that have none in its text. */
import type { TreeNode } from '../parse.js';
import { asKind, functionName, stringsOf } from '../tree.js';

export const nameOf = (wrapped: unknown): string => strong(wrapped) ?? weak(wrapped) ?? '?column?';

/** A name that stays under a cast. */
function strong(wrapped: unknown): string | undefined {
  const column = asKind(wrapped, 'ColumnRef');
  if (column !== undefined) return stringsOf(column.fields).at(-1);
  const call = asKind(wrapped, 'FuncCall');
  if (call !== undefined) return functionName(call);
  if (asKind(wrapped, 'CoalesceExpr') !== undefined) return 'coalesce';
  if (asKind(wrapped, 'A_Expr')?.kind === 'AEXPR_NULLIF') return 'nullif';
  if (asKind(wrapped, 'SQLValueFunction') !== undefined) return 'current_timestamp';
  const cast = asKind(wrapped, 'TypeCast');
  if (cast !== undefined) return strong(cast.arg);
  const otherwise = asKind(wrapped, 'CaseExpr')?.defresult;
  return otherwise === undefined ? undefined : strong(otherwise);
}

/** A name that another one would take the place of: a cast's type, `case`. */
function weak(wrapped: unknown): string | undefined {
  const cast = asKind(wrapped, 'TypeCast');
  if (cast !== undefined) return weak(cast.arg) ?? stringsOf((cast.typeName as TreeNode).names).at(-1);
  const choice = asKind(wrapped, 'CaseExpr');
  if (choice === undefined) return undefined;
  return 'case';
}
