/** Holds a subgraph to the access rules of its own schema. */
import { defaultFieldResolver, type GraphQLField, type GraphQLSchema, getNamedType, isObjectType } from 'graphql';
import type { Identity } from '../identity.js';
import { type AccessRule, type AccessRules, allows, denialOf } from './access-rules.js';

interface AccessContext {
  identity: Identity | undefined;
}

/** @throws UNAUTHENTICATED, FORBIDDEN */
export function requireAccess(rule: AccessRule, identity: Identity | undefined): void {
  if (!allows(rule, identity)) throw denialOf(rule, identity);
}

/** Makes the fields of the schema refuse whoever may not ask for them, before their resolvers run. */
export function guardFields(schema: GraphQLSchema, rules: AccessRules): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type)) continue;
    for (const field of Object.values<GraphQLField<unknown, AccessContext>>(type.getFields())) {
      const rule = rules.ruleOf(type.name, field.name, getNamedType(field.type).name);
      if (rule) guardField(field, rule);
    }
  }
  return schema;
}

function guardField(field: GraphQLField<unknown, AccessContext>, rule: AccessRule): void {
  const { resolve = defaultFieldResolver, subscribe } = field;
  field.resolve = (source, args, context, info) => {
    requireAccess(rule, context.identity);
    return resolve(source, args, context, info);
  };
  if (!subscribe) return;
  field.subscribe = (source, args, context, info) => {
    requireAccess(rule, context.identity);
    return subscribe(source, args, context, info);
  };
}
