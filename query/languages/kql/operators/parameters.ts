/** The values of an operator's `name=value` parameters. */
import { nameOf, type SyntaxNode } from '../syntax.js';

/** What a literal or a name says. */
export const tokenValue = (node: SyntaxNode): string =>
  node.value ?? node.parts.Token?.value ?? nameOf(node) ?? node.text;
