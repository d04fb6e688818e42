import { Supergraph } from '@apollo/federation-internals';
import { execute, parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { composeBench } from '../compose.js';
import { subgraphs } from './graph.js';
import { distinctOperation, largeOperation, smallOperation, variantOfLargeOperation } from './operations.js';

const apiSchema = Supergraph.build(composeBench(subgraphs)).apiSchema().toGraphQLJSSchema();
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('the operations of the gateway benchmark', () => {
  it('are valid', () => {
    const texts = [largeOperation, smallOperation, distinctOperation(7), ...upTo(600).map(variantOfLargeOperation)];
    expect(texts.flatMap((text) => validate(apiSchema, parse(text)))).toEqual([]);
  });

  it('ask for other fields every time where they are to be planned anew', () => {
    const selections = upTo(600).map((number) => variantOfLargeOperation(number).replace(`Variant${number}`, ''));
    expect(new Set(selections).size).toBe(600);
  });

  it('give the small answer its 134 bytes', async () => {
    const { schema } = subgraphs.find(({ name }) => name === 'products')!;
    const result = await execute({ schema, document: parse(smallOperation) });
    expect(Buffer.byteLength(JSON.stringify(result))).toBe(134);
  });
});
