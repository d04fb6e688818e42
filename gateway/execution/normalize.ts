/**
 * The operation as planners get it. Planners add fields of their own, such as keys and what @requires names, next to the
 * client's; a client's alias or arguments must never be taken for them. So every field with an alias or arguments is
 * planned under an alias of ours, and the answer's shape gives it its own name again.
 */
import { type DocumentNode, type FieldNode, Kind, print, visit } from 'graphql';
import { isIntrospection } from './introspection.js';

export interface NormalizedOperation {
  /** The document for the planner: the client's own text where nothing had to change. */
  text: string;
  /** The key that the field's value has in what subgraphs answer. */
  dataKeyOf(field: FieldNode): string;
  /** The key that the client knows for a key of the data. */
  responseKeyOf(dataKey: string): string;
}

/** @param text the document as the client wrote it */
export function normalizeOperation(document: DocumentNode, text: string): NormalizedOperation {
  const prefix = freePrefix(text);
  const dataKeys = new Map<string, string>();
  const responseKeys = new Map<string, string>();
  const dataKeyOf = (field: FieldNode): string => {
    const name = field.name.value;
    const responseKey = field.alias?.value ?? name;
    // Where the type is known, it is written by its name; what introspection answers never comes from subgraphs.
    if (name === '__typename') return name;
    if (isIntrospection(field) || (responseKey === name && !field.arguments?.length)) return responseKey;
    // Fields that may be merged have the same name, arguments and key: they get the same alias.
    const identity = `${responseKey}:${name}(${(field.arguments ?? []).map(print).join()})`;
    let key = dataKeys.get(identity);
    if (key === undefined) {
      key = `${prefix}${dataKeys.size}`;
      dataKeys.set(identity, key);
      responseKeys.set(key, responseKey);
    }
    return key;
  };
  let changed = false;
  const planned = visit(document, {
    Field: {
      leave(field): FieldNode | undefined {
        // Planners do not know introspection, and take no empty selections either.
        if (isIntrospection(field)) {
          changed = true;
          return typename;
        }
        const key = dataKeyOf(field);
        if (key === (field.alias?.value ?? field.name.value)) return undefined;
        changed = true;
        const { alias: _, ...rest } = field;
        return key === field.name.value ? rest : { ...rest, alias: { kind: Kind.NAME, value: key } };
      },
    },
  });
  return {
    text: changed ? print(planned) : text,
    dataKeyOf,
    responseKeyOf: (dataKey) => responseKeys.get(dataKey) ?? dataKey,
  };
}

const typename: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } };

/** A beginning of names that the document does not have. */
function freePrefix(text: string): string {
  let prefix = '_f';
  while (text.includes(prefix)) prefix += '_f';
  return prefix;
}
