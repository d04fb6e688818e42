/** Small readers for the parser's tree, where every node stands in an object under the name of its kind. */
import type { TreeNode } from './parse.js';

/** A list of the tree; absent ones are empty. */
export function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The node where it is of a kind. */
export function asKind(value: unknown, kind: string): TreeNode | undefined {
  return (value as Record<string, TreeNode> | undefined)?.[kind];
}

/** The texts of a list of String nodes; other nodes of the list are left out. */
export function stringsOf(value: unknown): string[] {
  return listOf(value).flatMap((item) => {
    const node = asKind(item, 'String');
    return node === undefined ? [] : [String(node.sval ?? '')];
  });
}

/** The text of a string constant. */
export function constantString(value: unknown): string | undefined {
  const sval = asKind(value, 'A_Const')?.sval as TreeNode | undefined;
  return sval === undefined ? undefined : String(sval.sval ?? '');
}

/** The figure of an integer constant. The tree leaves zero out. */
export function constantInteger(value: unknown): number | undefined {
  const ival = asKind(value, 'A_Const')?.ival as TreeNode | undefined;
  return ival === undefined ? undefined : Number(ival.ival ?? 0);
}

/** The name of a called function, without the `pg_catalog` that the parser writes for special syntax. */
export function functionName(call: TreeNode): string {
  return stringsOf(call.funcname).at(-1) ?? '';
}
