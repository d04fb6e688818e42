/** Operations that ask for everything within reach of a field, so that whatever an organisation is answered gets known. */
import { type GraphQLOutputType, type GraphQLSchema, getNamedType, isCompositeType, isObjectType } from 'graphql';
import type { Knowledge } from './knowledge.js';
import type { Kind, Operation, Step } from './targets.js';
import { Unfillable, type Values } from './values.js';

const maxDepth = 5;
const pageSize = 20;

/** Everything below a root field; undefined where a required argument is not known yet. */
export function everythingBelow(
  schema: GraphQLSchema,
  values: Values,
  kind: Kind,
  root: Step,
  own: Knowledge,
): Operation | undefined {
  const variables: Record<string, unknown> = {};
  const definitions = new Map<string, string>();
  const call = (step: Step): string | undefined => {
    try {
      const given = values.required({ kind, steps: [step] }, own)[0]!;
      if (step.field.args.some(({ name }) => name === 'first')) given.first ??= pageSize;
      const texts = step.field.args.flatMap((argument) => {
        if (given[argument.name] === undefined) return [];
        const definition = `${argument.type} ${JSON.stringify(given[argument.name])}`;
        const name = definitions.get(definition) ?? `v${definitions.size}`;
        definitions.set(definition, name);
        variables[name] = given[argument.name];
        return [`${argument.name}: $${name}`];
      });
      return texts.length === 0 ? step.field.name : `${step.field.name}(${texts.join(', ')})`;
    } catch (error) {
      if (error instanceof Unfillable) return undefined;
      throw error;
    }
  };
  const select = (output: GraphQLOutputType, depth: number): string | undefined => {
    const type = getNamedType(output);
    if (!isCompositeType(type)) return '';
    if (depth > maxDepth) return undefined;
    const fields = (object: string, below: Step['field'][]) =>
      below.flatMap((field) => {
        const selection = select(field.type, depth + 1);
        const text = selection === undefined ? undefined : call({ parent: object, field });
        return text === undefined ? [] : [`${text}${selection}`];
      });
    const own = 'getFields' in type ? fields(type.name, Object.values(type.getFields())) : [];
    const possible = isObjectType(type)
      ? []
      : schema
          .getPossibleTypes(type)
          .map(
            (object) => `... on ${object.name} { ${fields(object.name, Object.values(object.getFields())).join(' ')} }`,
          );
    return ` { __typename ${[...own, ...possible].join(' ')} }`;
  };
  const selection = select(root.field.type, 1);
  const text = call(root);
  if (text === undefined || selection === undefined) return undefined;
  const declared = [...definitions].map(
    ([definition, name]) => `$${name}: ${definition.slice(0, definition.indexOf(' '))}`,
  );
  return {
    query: `${kind} Everything${declared.length === 0 ? '' : `(${declared.join(', ')})`} { ${text}${selection} }`,
    variables,
  };
}
