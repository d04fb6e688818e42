/**
 * The graph of the gateway benchmarks: four subgraphs over the same few users, products, reviews and stocks, as
 * executable schemas. The data is made by rule, so every process has the same.
 */
import { type BenchSubgraph, benchSubgraph } from '../compose.js';

interface User {
  id: string;
  username: string;
  name: string;
  birthday: string;
}

interface Product {
  upc: string;
  name: string;
  price: number;
  weight: number;
}

interface Review {
  id: string;
  body: string;
  author: { id: string };
  product: { upc: string };
}

const userNames = ['Ada Lovelace', 'Alan Turing', 'Barbara Liskov', 'Edsger Dijkstra', 'Grace Hopper', 'Tony Hoare'];
const productNames = ['Dresser', 'Cabinet', 'Glass', 'Chair', 'TV', 'Lamp', 'Grill', 'Fridge', 'Sofa'];

const users: User[] = userNames.map((name, index) => ({
  id: `${index + 1}`,
  username: name.toLowerCase().replace(' ', '.'),
  name,
  birthday: `19${20 + index * 7}-0${index + 1}-1${index}`,
}));

const products: Product[] = productNames.map((name, index) => ({
  upc: `${index + 1}`,
  name,
  price: 899 + ((index * 457) % 1301),
  weight: 50 + ((index * 389) % 1203),
}));

const sentences = ['Love it!', 'Could be better.', 'Prefer something else.', 'Too expensive.', 'Would buy again.'];
/** Reviews are as long as people write them: some 350 characters. */
const bodyOf = (review: number) =>
  Array.from({ length: 23 }, (_, index) => sentences[(review + index) % sentences.length]).join(' ');
const reviews: Review[] = Array.from({ length: 11 }, (_, index) => ({
  id: `${index + 1}`,
  body: bodyOf(index),
  author: { id: users[Math.floor(index / 2) % 4]!.id },
  product: { upc: products[(index * 5) % 4]!.upc },
}));

const find = <Item>(items: Item[], key: keyof Item) => {
  const byKey = new Map(items.map((item) => [item[key], item]));
  return (reference: Item) => byKey.get(reference[key]) ?? null;
};
const group = <Item>(items: Item[], keyOf: (item: Item) => string) => Map.groupBy(items, keyOf);
const reviewsOfUser = group(reviews, (review) => review.author.id);
const reviewsOfProduct = group(reviews, (review) => review.product.upc);

export const subgraphs: readonly BenchSubgraph[] = [
  benchSubgraph(
    'users',
    ['@key', '@shareable'],
    `
    type Query { me: User, user(id: ID!): User, users: [User] }
    type User @key(fields: "id") { id: ID!, name: String, username: String @shareable, birthday: String }
    `,
    {
      Query: {
        me: () => users[0],
        user: (_: unknown, { id }: { id: string }) => users.find((user) => user.id === id) ?? null,
        users: () => users,
      },
      User: { __resolveReference: find(users, 'id') },
    },
  ),
  benchSubgraph(
    'products',
    ['@key'],
    `
    type Query { topProducts(first: Int = 5): [Product] }
    type Product @key(fields: "upc") { upc: String!, name: String, price: Int, weight: Int }
    `,
    {
      Query: { topProducts: (_: unknown, { first }: { first: number }) => products.slice(0, first) },
      Product: { __resolveReference: find(products, 'upc') },
    },
  ),
  benchSubgraph(
    'inventory',
    ['@key', '@external', '@requires'],
    `
    type Product @key(fields: "upc") {
      upc: String!
      weight: Int @external
      price: Int @external
      inStock: Boolean
      shippingEstimate: Int @requires(fields: "price weight")
    }
    `,
    {
      Product: {
        __resolveReference: (reference: Product) => reference,
        inStock: ({ upc }: Product) => Number(upc) % 3 !== 0,
        // Heavy and cheap things cost; nothing else does.
        shippingEstimate: ({ price, weight }: Product) => (price > 1000 ? 0 : Math.floor(weight * 0.5)),
      },
    },
  ),
  benchSubgraph(
    'reviews',
    ['@key', '@external', '@provides'],
    `
    type Review @key(fields: "id") {
      id: ID!
      body: String
      author: User @provides(fields: "username")
      product: Product
    }
    type User @key(fields: "id") { id: ID!, username: String @external, reviews: [Review] }
    type Product @key(fields: "upc") { upc: String!, reviews: [Review] }
    `,
    {
      Review: { __resolveReference: find(reviews, 'id') },
      User: {
        __resolveReference: ({ id }: User) => ({ id }),
        username: ({ id }: User) => users.find((user) => user.id === id)?.username,
        reviews: ({ id }: User) => reviewsOfUser.get(id) ?? [],
      },
      Product: {
        __resolveReference: ({ upc }: Product) => ({ upc }),
        reviews: ({ upc }: Product) => reviewsOfProduct.get(upc) ?? [],
      },
    },
  ),
];
