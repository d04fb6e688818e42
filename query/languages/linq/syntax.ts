/** The tree of a LINQ text. Offsets are UTF-16 indexes into the text. */

export interface Span {
  start: number;
  end: number;
}

export type Node = Span &
  (
    | { kind: 'name'; name: string }
    | { kind: 'string'; value: string }
    | { kind: 'number'; digits: string }
    /** A length of time, `15m`, in microseconds. */
    | { kind: 'period'; microseconds: bigint }
    /** `10.0.0.1`. */
    | { kind: 'address'; address: string }
    /** `10.0.0.0/8`. */
    | { kind: 'network'; network: string }
    | { kind: 'constant'; value: boolean | null }
    /** `-x`, `not x`. */
    | { kind: 'unary'; operator: '-' | 'not'; operand: Node }
    | { kind: 'binary'; operator: BinaryOperator; left: Node; right: Node }
    /** Two or more operands of one `and` or `or` chain. */
    | { kind: 'logical'; operator: 'and' | 'or'; operands: Node[] }
    /** `a <= b < c`: each neighbour compared with the next. */
    | { kind: 'chain'; first: Node; links: { operator: BinaryOperator; value: Node }[] }
    | { kind: 'call'; name: string; args: Node[] }
    /** `{a, b}`, and `(a, b)` after `in`. */
    | { kind: 'set'; elements: Node[] }
    /** `x["key"]` and `x.key`. */
    | { kind: 'element'; of: Node; key: Node }
  );

export type BinaryOperator = Comparison | '+' | '-' | '*' | '/' | '\\' | '%' | '%%' | '?:';
export type Comparison = '=' | '!=' | '<' | '<=' | '>' | '>=' | '->' | '->>' | '<-' | '~' | 'in';

/** A column under its name; without `as` the name is the expression's own text. */
export interface Named extends Span {
  value: Node;
  name?: string;
}

export type Clause = Span &
  (
    | { kind: 'where'; conditions: Node[] }
    | { kind: 'select'; items: ('*' | Named)[] }
    /** No `server` where the text has none or `-`; the same for the client's, which is an `every` after the keys. */
    | { kind: 'group'; server?: Period; client?: Period; keys: Named[] }
    | { kind: 'limit'; count: number }
    | { kind: 'pragma'; name: string; value: string }
  );

export interface Period extends Span {
  microseconds: bigint;
}

export interface LinqQuery {
  table: Span & { name: string };
  clauses: Clause[];
}
