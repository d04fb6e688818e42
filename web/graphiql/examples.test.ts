import { readFileSync } from 'node:fs';
import { buildSchema, coerceInputValue, isInputType, type NamedTypeNode, parse, typeFromAST, validate } from 'graphql';
import { expect, test } from 'vitest';
import { examples } from './examples.js';

const schema = buildSchema(readFileSync(new URL('../../schema/api.graphql', import.meta.url), 'utf8'));
const now = new Date('2026-05-04T12:00:00Z');

test.each(examples(now))('example $name fits the schema, with its variables', ({ query, variables }) => {
  const document = parse(query);
  expect(validate(schema, document).map(({ message }) => message)).toEqual([]);
  const [operation] = document.definitions;
  if (operation?.kind !== 'OperationDefinition') throw new Error('an example is one operation and nothing else');
  for (const { variable, type } of operation.variableDefinitions ?? []) {
    const inputType = typeFromAST(schema, type as NamedTypeNode);
    if (!isInputType(inputType)) throw new Error(`the schema has no input type for $${variable.name.value}`);
    coerceInputValue(variables?.[variable.name.value], inputType);
  }
});

test('example times lie just before now, so that they are in every period that the other examples read', () => {
  const times = JSON.stringify(examples(now)).match(/2026-[^"\\]+/g) ?? [];
  expect(times).toHaveLength(4);
  for (const time of times) expect(now.getTime() - Date.parse(time)).toBeLessThan(3_600_000);
});
