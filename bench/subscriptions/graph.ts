/** A price that changes: its event has the price, and the rest of the product is elsewhere. */
import { buildASTSchema, type GraphQLSchema, parse } from 'graphql';
import { type BenchSubgraph, benchSubgraph } from '../compose.js';
import { Events } from './events.js';

interface PriceChange {
  upc: string;
  price: number;
}

/** What is asked, and what the answer to a price is. */
export const operation = 'subscription Prices { priceChanged { upc price name inStock } }';
export const answerTo = (price: number) => ({ priceChanged: { upc: '1', price, name: 'Dresser', inStock: true } });

const changes = new Events<PriceChange>();
let price = 0;

/** Publishes the next price: 1, 2, 3 … */
export function publish(): void {
  price += 1;
  changes.publish({ upc: '1', price });
}

const priceChanged = { subscribe: () => changes.listen(), resolve: (change: PriceChange) => change };
const rest = { name: () => 'Dresser', inStock: () => true };

/** Two subgraphs: one with the events, one with the rest of the product. */
export const subgraphs = (): readonly BenchSubgraph[] => [
  benchSubgraph(
    'prices',
    ['@key', '@tag'],
    `
    type Query { lastPrice: Int }
    type Subscription { priceChanged: Product @tag(name: "stream-live") }
    type Product @key(fields: "upc") { upc: String!, price: Int }
    `,
    { Query: { lastPrice: () => price }, Subscription: { priceChanged } },
  ),
  benchSubgraph(
    'catalog',
    ['@key'],
    'type Product @key(fields: "upc") { upc: String!, name: String, inStock: Boolean }',
    { Product: { __resolveReference: ({ upc }: PriceChange) => ({ upc }), ...rest } },
  ),
];

/** The same in one schema. */
export function plainSchema(): GraphQLSchema {
  const schema = buildASTSchema(
    parse(`
      type Query { lastPrice: Int }
      type Subscription { priceChanged: Product }
      type Product { upc: String!, price: Int, name: String, inStock: Boolean }
    `),
  );
  Object.assign(schema.getSubscriptionType()!.getFields().priceChanged!, priceChanged);
  const fields = (schema.getType('Product') as ReturnType<GraphQLSchema['getSubscriptionType']>)!.getFields();
  fields.name!.resolve = rest.name;
  fields.inStock!.resolve = rest.inStock;
  return schema;
}
