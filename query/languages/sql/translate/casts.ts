/** Casts whose result is PostgreSQL's on every engine. */
import { call } from '../../../plan/functions/index.js';
import type { TreeNode } from '../parse.js';
import { listOf, stringsOf } from '../tree.js';
import { implicitly, isNumber, planTypeOf, type SqlType, type Typed, Untranslatable } from './typed.js';

export function cast(node: TreeNode, translate: (arg: unknown) => Typed): Typed {
  const typeName = node.typeName as TreeNode;
  const target = stringsOf(typeName.names).at(-1) ?? '';
  const isPlain = listOf(typeName.typmods).length === 0 && listOf(typeName.arrayBounds).length === 0;
  if (!isPlain || !Object.hasOwn(planTypeOf, target)) throw new Untranslatable(`a cast to ${target}`, node);
  const type = target as SqlType;
  const value = translate(node.arg);
  const converted = convert(value, type);
  if (converted === undefined) throw new Untranslatable(`this cast to ${target}`, node);
  return converted;
}

function convert(value: Typed, type: SqlType): Typed | undefined {
  if (value.type === 'unknown' && isNumber(type)) return undefined;
  const converted = implicitly(value, type);
  if (converted !== undefined) return converted;
  if (type === 'text' && (value.type === 'int4' || value.type === 'int8')) {
    return { expr: call('sql_text', [value.expr]), type };
  }
  if (type === 'int4' && value.type === 'int8') return { expr: call('sql_int4', [value.expr]), type };
  return undefined;
}
