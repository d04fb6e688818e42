/** Random documents and variables for the schemas of `schemas.ts`. */
import {
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  getNamedType,
  isCompositeType,
} from 'graphql';
import { schemas } from './schemas.js';
import type { Tape } from './tape.js';

/** The text of a document with a query, mutation or subscription and up to three fragments. */
export function randomDocument(tape: Tape): string {
  const schema = schemas[0]!;
  const composites = ['Item', 'Node', 'Other', 'Any', 'Third', 'Query', 'Nothing'];
  /** Whether it may be invalid in ways that execution meets. */
  const careless = tape.oneIn(6);
  const ifCareless = (...choices: string[]): string[] => (careless ? choices : []);
  const condition = (): string =>
    tape.oneIn(6)
      ? ` @${tape.pick('include', 'skip')}(if: ${tape.pick('true', 'false', '$a', '$b', '$a', '$b', ...ifCareless('$missing'))})`
      : '';
  const literalIn = (): string =>
    tape.pick('{ x: 1 }', '{ x: $i, y: "a" }', '{ x: 2, in: { x: 3 }, odd: 5 }', '{ y: [] }', 'null', '$in');
  const args = (name: string): string => {
    const choices: Record<string, () => string> = {
      id: () => tape.pick('"a"', '7', '$id', 'null'),
      n: () => tape.pick('1', '$i', ...ifCareless('null', '"wrong"')),
      c: () => tape.pick('GREEN', '$c', 'null', ...ifCareless('PINK')),
      in: literalIn,
      l: () => tape.pick('[1, 2]', '3', '[$i]', '$l', '[]'),
      odd: () => tape.pick('1', '3', '$odd', ...ifCareless('2', '4')),
      all: () => `[${literalIn()}, ${literalIn()}]`,
      req: () => tape.pick('1', '2', '$i', ...ifCareless('$id', 'null')),
    };
    const names = name === 'echo' ? ['id', 'n', 'c', 'in', 'l', 'odd', 'all'] : name === 'picky' ? ['req', 'in'] : [];
    const given = names
      .filter((name) => tape.oneIn(3) || (name === 'req' && !careless))
      .map((name) => `${name}: ${choices[name]!()}`);
    return given.length > 0 ? `(${given.join(', ')})` : '';
  };
  const field = (type: GraphQLNamedType, depth: number): string => {
    const all = 'getFields' in type ? Object.values((type as GraphQLObjectType).getFields()) : [];
    const isComposite = ({ type }: { type: GraphQLOutputType }): boolean => isCompositeType(getNamedType(type));
    const deeper = depth > 0 && tape.oneIn(2);
    const usable = deeper ? all.filter(isComposite) : depth > 0 ? all : all.filter((field) => !isComposite(field));
    const chosen = usable[tape.below(usable.length + 2)];
    const alias = tape.oneIn(4) ? `${tape.pick('a', 'b', 'name', '__proto__', 'constructor', 'then')}: ` : '';
    if (!chosen) return `${alias}__typename${condition()}`;
    const named = getNamedType(chosen.type);
    const inner = isCompositeType(named) ? selection(named, depth - 1) : '';
    return `${alias}${careless && tape.oneIn(20) ? 'unknown' : chosen.name}${args(chosen.name)}${condition()} ${inner}`;
  };
  let fragments: string[] = ['A', 'B', 'C'];
  const selection = (type: GraphQLNamedType, depth: number): string => {
    const parts = Array.from({ length: 1 + tape.below(6) }, () => {
      const kind = tape.below(8);
      if (kind === 6 && depth >= 0) {
        const on = tape.pick(type.name, ...composites, '');
        return `...${on && ` on ${on}`}${condition()} ${selection(schema.getType(on) ?? type, depth - 1)}`;
      }
      if (kind === 7 && fragments.length > 0) return `...${tape.pick(...fragments)}${condition()}`;
      return field(type, depth);
    });
    return `{ ${parts.join(' ')} }`;
  };
  const kind = tape.pick('query', 'query', 'mutation', 'subscription');
  const root = schema.getType(`${kind[0]!.toUpperCase()}${kind.slice(1)}`)!;
  const operation = `${kind} ($a: Boolean!, $b: Boolean = true, $i: Int, $id: ID = "dflt", $in: In, $c: Color = BLUE, $odd: Odd, $l: [Int!]) ${selection(root, 3)}`;
  const definitions = ['A', 'B', 'C'].map((name, index, names) => {
    fragments = names.slice(index + 1); // Without cycles.
    const on = tape.pick('Item', 'Node', 'Any', 'Other');
    return `fragment ${name} on ${on} ${selection(schema.getType(on)!, 1)}`;
  });
  return [operation, ...definitions].join('\n');
}

/** Values for the variables of `randomDocument`, some of which do not fit. */
export function randomVariables(tape: Tape): Record<string, unknown> {
  const variables: Record<string, unknown> = { a: tape.oneIn(2) };
  const maybe = (name: string, ...values: unknown[]): void => {
    if (tape.oneIn(2)) variables[name] = tape.pick(...values);
  };
  const wrong = tape.oneIn(12);
  maybe('b', false, true, null);
  maybe('i', 5, 6, null, ...(wrong ? ['x', 1.5] : []));
  maybe('id', 'id', 12, null, ...(wrong ? [{}] : []));
  maybe(
    'in',
    { x: 1 },
    { x: 1, y: 'one', in: { x: 2, in: null } },
    null,
    ...(wrong ? [{ x: 'x' }, { x: 1, z: 1 }, []] : []),
  );
  maybe('c', 'RED', null, ...(wrong ? ['PINK', 1] : []));
  maybe('odd', 1, 'text', null, ...(wrong ? [2, 4] : []));
  maybe('l', [1, 2], 3, new Set([4]), null, ...(wrong ? [[null], ['x']] : []));
  if (wrong && tape.oneIn(3)) delete variables.a;
  return variables;
}
