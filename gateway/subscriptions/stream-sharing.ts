/**
 * Who may share a stream that somebody else has opened.
 *
 * Equal subscriptions of equal callers get the same events, but not from every moment on: a stream of states says the
 * present state first, a stream behind a cursor first says what was missed, and whoever joined later would be robbed of
 * that. So without further knowledge a stream is joined only until its first event has gone out: before it, nobody has
 * seen anything that the other has not. A subgraph tells more with a tag on the field, which survives every
 * composition and which clients do not see:
 *
 * | tag | joined | a late joiner gets first |
 * |---|---|---|
 * | none | before the first event | the first event |
 * | `stream-state` | always | the latest state, with the other subgraphs' fields fetched anew |
 * | `stream-live` | always | the next event: the stream tells what happens from now on |
 * | `stream-live/after` | likewise while the argument `after` is not given; with it, as without a tag | |
 * | `stream-own` | never | everything of its own: the stream depends on when or by whom it is opened |
 */
import { type DocumentNode, getOperationAST, Kind, parse, type SelectionSetNode, type ValueNode } from 'graphql';
import type { Variables } from '../sources/source.js';

export type Sharing = 'before-first-event' | 'state' | 'live' | 'own';

interface Rule {
  sharing: Sharing;
  /** With this argument the stream starts elsewhere than now. */
  startArgument?: string;
}

const tagPattern = /^stream-(state|live|own)(?:\/(\w+))?$/;

/** The rules by field of the subscription type. */
export type SharingRules = ReadonlyMap<string, Rule>;

/** Reads the tags of a supergraph's subscription fields. */
export function readSharingRules(supergraphSdl: string): SharingRules {
  const { definitions } = parse(supergraphSdl, { noLocation: true });
  const schema = definitions.find((definition) => definition.kind === Kind.SCHEMA_DEFINITION);
  const root = schema?.operationTypes.find(({ operation }) => operation === 'subscription')?.type.name.value;
  const rules = new Map<string, Rule>();
  for (const definition of definitions) {
    if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION || definition.name.value !== (root ?? 'Subscription')) continue;
    for (const { name, directives = [] } of definition.fields ?? []) {
      for (const directive of directives) {
        if (!/^(federation__)?tag$/.test(directive.name.value)) continue;
        const value = directive.arguments?.find((argument) => argument.name.value === 'name')?.value;
        const match = value?.kind === Kind.STRING ? tagPattern.exec(value.value) : null;
        if (!match) continue;
        const startArgument = match[2];
        rules.set(name.value, { sharing: match[1] as Sharing, ...(startArgument ? { startArgument } : {}) });
      }
    }
  }
  return rules;
}

/** How one valid subscription may be shared. @param document holds the operation */
export function sharingOf(
  rules: SharingRules,
  document: DocumentNode,
  operationName: string | undefined,
  variables: Variables,
): Sharing {
  const field = rootField(document, getOperationAST(document, operationName)!.selectionSet);
  const rule = field && rules.get(field.name.value);
  if (!rule) return 'before-first-event';
  const start = field.arguments?.find(({ name }) => name.value === rule.startArgument)?.value;
  return start && isGiven(start, variables) ? 'before-first-event' : rule.sharing;
}

const isGiven = (value: ValueNode, variables: Variables): boolean =>
  value.kind === Kind.VARIABLE ? variables[value.name.value] != null : value.kind !== Kind.NULL;

/** A valid subscription has one root field; fragments may stand around it. */
function rootField(document: DocumentNode, { selections }: SelectionSetNode) {
  const [selection] = selections;
  if (selection?.kind === Kind.FIELD) return selection;
  if (selection?.kind === Kind.INLINE_FRAGMENT) return rootField(document, selection.selectionSet);
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.FRAGMENT_DEFINITION || definition.name.value !== selection?.name.value) continue;
    return rootField(document, definition.selectionSet);
  }
  return undefined;
}
