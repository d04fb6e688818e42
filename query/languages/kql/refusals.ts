/** What a text may not name: all that reaches outside the caller's datasets, and what is not translated. */
import { type ErrorCode, fail } from '../../../platform/errors.js';
import type { SourceText } from '../../source-text.js';
import { isText, notTextMessage } from '../characters.js';
import { operators, sources } from './operators/index.js';
import { nameOf, type SyntaxNode } from './syntax.js';

const outside = 'it reaches outside of the datasets';

/** Functions that name other data, or tell about the server and its caller. */
export const outsideFunctions: ReadonlySet<string> = new Set([
  ...[
    'cluster',
    'database',
    'table',
    'external_table',
    'materialized_view',
    'stored_query_result',
    'entity_group',
    'graph',
  ],
  ...['workspace', 'app', 'resource', 'adx', 'arg'],
  ...['current_cluster_endpoint', 'current_database', 'current_principal', 'current_principal_details'],
  ...[
    'current_principal_is_member_of',
    'extent_id',
    'extent_tags',
    'ingestion_time',
    'http_request',
    'http_request_post',
  ],
]);

const outsideKinds = new Set(['ExternalDataExpression', 'InlineExternalTableExpression']);

/** Statements and other syntax that changes how a text is read, or what it may do. */
const statements: Record<string, string> = {
  SetOptionStatement: 'set',
  QueryParametersStatement: 'declare query_parameters',
  AliasStatement: 'alias database',
  PatternStatement: 'declare pattern',
  RestrictStatement: 'restrict access',
};

interface Refusal {
  node: SyntaxNode;
  code: ErrorCode;
  message: string;
}

/** Ends with the first thing in the text that is refused by its name. */
export function refuseOutside(tree: SyntaxNode, source: SourceText): void {
  let first: Refusal | undefined;
  const pending = [tree];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const refusal = refusalOf(node);
    if (refusal !== undefined && (first === undefined || node.start < first.node.start)) first = refusal;
    for (const part of Object.values(node.parts)) pending.push(part);
    for (const list of Object.values(node.lists)) for (const item of list) pending.push(item);
  }
  if (first !== undefined) {
    fail(first.code, first.message, { argument: 'query', ...source.position(first.node.start) });
  }
}

function refusalOf(node: SyntaxNode): Refusal | undefined {
  // Escapes can name characters that the text itself may not have.
  if (node.value !== undefined && node.text.includes('\\') && !isText(node.value)) {
    return { node, code: 'QUERY_SYNTAX', message: notTextMessage };
  }
  if (node.kind === 'QueryBlock' && (node.lists.Directives?.length ?? 0) > 0) {
    return { node, code: 'QUERY_NOT_SUPPORTED', message: 'Directives ("#...") are not supported here.' };
  }
  const name = refusedName(node);
  if (name === undefined) return undefined;
  const why = isOutside(node) ? `: ${outside}` : '';
  return { node, code: 'QUERY_NOT_SUPPORTED', message: `${name} is not supported here${why}.` };
}

function isOutside(node: SyntaxNode): boolean {
  if (node.kind === 'EvaluateOperator') return /request|externaldata/.test(nameOf(node.parts.FunctionCall) ?? '');
  return node.kind === 'FunctionCallExpression' || outsideKinds.has(node.kind);
}

function refusedName(node: SyntaxNode): string | undefined {
  if (Object.hasOwn(statements, node.kind)) return statements[node.kind];
  if (outsideKinds.has(node.kind)) return plainName(node);
  if (node.kind === 'EvaluateOperator') return `evaluate ${nameOf(node.parts.FunctionCall) ?? ''}`.trim();
  if (node.kind === 'FunctionCallExpression') {
    const name = nameOf(node);
    return name !== undefined && outsideFunctions.has(name) ? `${name}()` : undefined;
  }
  if (!node.kind.endsWith('Operator') || node.kind === 'BadQueryOperator') return undefined;
  return operators[node.kind] === undefined && sources[node.kind] === undefined
    ? `The operator ${plainName(node)}`
    : undefined;
}

/** The keyword that a node begins with, as `mv-expand`. */
export function plainName(node: SyntaxNode): string {
  let first = node;
  for (;;) {
    const parts = [...Object.values(first.parts), ...Object.values(first.lists).flat()];
    if (parts.length === 0) return first.text;
    first = parts.reduce((least, part) => (part.start < least.start ? part : least));
  }
}
