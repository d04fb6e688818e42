/** The operations of the gateway's benchmark. */

/** Lists in lists over all four subgraphs, about 90 KB; 16 fetches by Apollo's planner, 9 of them different. */
export const largeOperation = `query Large {
  users { ...User reviews { ...Review product { ...Product reviews { ...Review author { ...User reviews { ...Review product { ...Product } } } } } } }
  topProducts(first: 5) { ...Product reviews { ...Review author { ...User reviews { ...Review product { ...Product } } } } }
}
fragment User on User { id username name }
fragment Review on Review { id body }
fragment Product on Product { inStock name price shippingEstimate upc weight }`;

/** One fetch from one subgraph, 134 bytes. */
export const smallOperation = 'query Small { topProducts(first: 2) { upc name price weight } }';

/** One fetch; every number gives another text, for the gateway and for its subgraphs. */
export const distinctOperation = (number: number): string =>
  `query Distinct${number} { topProducts(first: ${number + 10}) { upc name price } }`;

const userFields = ['id', 'username', 'name', 'birthday'];
const productFields = ['upc', 'name', 'price', 'weight', 'inStock', 'shippingEstimate'];

/** Selects by the bits of a number, and at least the first. */
const select = (fields: readonly string[], bits: number): string =>
  [fields[0], ...fields.slice(1).filter((_, index) => (bits >> index) & 1)].join(' ');

/** As the large one, with other fields for every number below 30,000: nothing of its plan is known from another. */
export function variantOfLargeOperation(number: number): string {
  const user = (salt: number) => select(userFields, number * 5 + salt * 3);
  const product = (salt: number) => select(productFields, number + salt * 11 + (number >> 5) * salt);
  return `query Variant${number} {
  users { ${user(0)} reviews { id body product { ${product(0)} reviews { id author { ${user(1)} reviews { body product { ${product(1)} } } } } } } }
  topProducts(first: ${(number % 8) + 1}) { ${product(2)} reviews { id body author { ${user(2)} reviews { id product { ${product(3)} } } } } }
}`;
}
