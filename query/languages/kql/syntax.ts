/**
 * Kusto's syntax tree as plain nodes. Kusto's own classes come from a C# compiler (lists with `Count` and `getItem`,
 * numbers for kinds, nulls for what is left out); nothing past this file has to know.
 */

export interface SyntaxNode {
  /** Kusto's name of the node's kind, such as `FilterOperator`, `EqualExpression`, `IdentifierToken`. */
  kind: string;
  /** UTF-16 offsets into the query's text, without the blanks and comments around it. */
  start: number;
  end: number;
  /** A token's text as it is written; empty for everything else. */
  text: string;
  /** A token's meaning: the characters of a string, what stands between the brackets of `datetime(...)`, a name. */
  value?: string;
  /** Children under the names that Kusto gives them, such as `Condition`. What is left out is not there. */
  parts: Record<string, SyntaxNode>;
  /** Lists under their names, without the separators. An empty list is there; one that is left out is not. */
  lists: Record<string, SyntaxNode[]>;
}

/** What of Kusto's syntax elements is read here. Where they lie is not: each answer would cost a walk up the tree. */
export interface KustoElement {
  Kind: number;
  IsToken: boolean;
  IsMissing: boolean;
  /** A token's own. */
  Text?: string;
  ValueText?: string;
  Trivia?: string;
  ChildCount: number;
  GetChild(index: number): KustoElement | null;
  GetName(index: number): string;
}

/** A node whose children are being read, and where they go. */
interface Open {
  element: KustoElement;
  next: number;
  node: SyntaxNode;
  /** Set for lists and for the items in them that hold an element and its comma. */
  list: SyntaxNode[] | undefined;
}

/**
 * Reads a tree. Without recursion: a long chain of `or` is as deep as it is long.
 * @param kindNames Kusto's names of the kinds, by their numbers
 */
export function readSyntax(root: KustoElement, kindNames: readonly string[]): SyntaxNode {
  let offset = 0;
  const newNode = (element: KustoElement): SyntaxNode => ({
    kind: kindNames[element.Kind]!,
    start: -1,
    end: -1,
    text: '',
    parts: {},
    lists: {},
  });
  const tree = newNode(root);
  const open: Open[] = [{ element: root, next: 0, node: tree, list: undefined }];
  for (let frame = open.at(-1); frame !== undefined; frame = open.at(-1)) {
    const { element, list, node, next } = frame;
    if (next >= element.ChildCount) {
      open.pop();
      const above = open.at(-1);
      // A node without a token is missing. Asking it would cost a walk down the tree.
      if (above === undefined || above.node === node || node.start === -1) continue;
      spread(above.node, node);
      put(above, above.next - 1, node);
      continue;
    }
    frame.next += 1;
    const child = element.GetChild(next);
    if (child === null) continue;
    if (child.IsToken) {
      const token = newNode(child);
      token.text = child.Text ?? '';
      token.value = child.ValueText ?? token.text;
      token.start = offset + (child.Trivia?.length ?? 0);
      token.end = token.start + token.text.length;
      offset = token.end;
      // What is missing was told as a diagnostic. A separator has no place in a list.
      if (child.IsMissing) continue;
      const isSeparator = list !== undefined && kindNames[element.Kind] === 'SeparatedElement' && next > 0;
      spread(node, token);
      if (!isSeparator) put(frame, next, token);
      continue;
    }
    const kind = kindNames[child.Kind];
    if (kind === 'List') {
      const items: SyntaxNode[] = [];
      node.lists[element.GetName(next)] = items;
      open.push({ element: child, next: 0, node, list: items });
    } else if (kind === 'SeparatedElement' && list !== undefined) {
      open.push({ element: child, next: 0, node, list });
    } else {
      open.push({ element: child, next: 0, node: newNode(child), list: undefined });
    }
  }
  return tree;
}

function put({ element, list, node }: Open, index: number, child: SyntaxNode): void {
  if (list === undefined) node.parts[element.GetName(index)] = child;
  else list.push(child);
}

/** A node lies from its first token to its last. */
function spread(node: SyntaxNode, child: SyntaxNode): void {
  if (child.start === -1) return;
  if (node.start === -1) node.start = child.start;
  node.end = Math.max(node.end, child.end);
}

/** The name that a NameReference, NameDeclaration or what they wrap spells; undefined for `A*` and everything else. */
export function nameOf(node: SyntaxNode | undefined): string | undefined {
  for (let inner = node; inner !== undefined; inner = inner.parts.Name) {
    if (inner.value !== undefined) return inner.value;
    if (inner.kind === 'BracketedName') return inner.parts.Name?.parts.Token?.value;
  }
  return undefined;
}

/** The `kind=inner`-like parameters of an operator, by name; values as nodes. */
export const namedParameters = (operator: SyntaxNode): [name: string, value: SyntaxNode][] =>
  (operator.lists.Parameters ?? []).map(({ parts }) => [nameOf(parts.Name)!, parts.Expression!]);
