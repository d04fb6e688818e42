/** LINQ's expressions as expressions of the plan. */
import { literal } from '../../plan/build.js';
import { call } from '../../plan/functions/index.js';
import { figure } from '../../plan/moment.js';
import type { Expr } from '../../plan/types.js';
import { didYouMean } from '../../suggest.js';
import { combine, ExpressionSizes, fitting } from '../exprs.js';
import { parseMoment } from '../moment.js';
import { aggregateNames } from './aggregates.js';
import { coalesce, linqFunctions, refusedFunctions, textOf } from './functions.js';
import type { Problems } from './problems.js';
import type { BinaryOperator, Node } from './syntax.js';

/** Deeper trees are refused, so that no walk over a plan comes to the end of the stack. */
const maxDepth = 400;
const maxLong = 2n ** 63n;

/** What a name or an aggregate means where the expression stands. */
export interface Meaning {
  column(node: Node & { kind: 'name' }): Expr;
  aggregate(node: Node & { kind: 'call' }): Expr;
}

const planOperators: Partial<Record<BinaryOperator, string>> = {
  '=': '=',
  '!=': '<>',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
  '-': '-',
  '*': '*',
  '/': '/',
  '%%': '%',
};

/** Names of operators that can be called in backticks. */
const operatorCalls: Record<string, BinaryOperator> = {
  eq: '=',
  ne: '!=',
  lt: '<',
  le: '<=',
  gt: '>',
  ge: '>=',
  add: '+',
  sub: '-',
  mul: '*',
  div: '/',
  rdiv: '\\',
  rem: '%',
  mod: '%%',
  matches: '~',
};

export class Expressions {
  #depth = 0;
  readonly #sizes = new ExpressionSizes();

  constructor(
    readonly problems: Problems,
    readonly meaning: Meaning,
  ) {}

  /** An expression that is true, false or null. */
  condition(node: Node): Expr {
    const value = this.value(node);
    if (value.type === 'dynamic') return call('tobool', [value]);
    if (value.type !== 'bool') this.problems.syntax(`A condition is true or false; this is ${aType(value)}.`, node);
    return value;
  }

  value(node: Node): Expr {
    if (++this.#depth > maxDepth) this.problems.unsupported('The query is nested too deeply. Use fewer levels.', node);
    const value = this.#translate(node);
    this.#depth--;
    if (this.#sizes.isTooLarge(value))
      this.problems.unsupported('The expression is too large. Write it shorter.', node);
    return value;
  }

  #translate(node: Node): Expr {
    switch (node.kind) {
      case 'name':
        return this.meaning.column(node);
      case 'string':
        return literal('string', node.value);
      case 'address':
        return literal('string', node.address);
      case 'number':
        return this.#number(node.digits, node);
      case 'period':
        return literal('timespan', figure(node.microseconds));
      case 'constant':
        return node.value === null ? literal('string', null) : literal('bool', node.value);
      case 'unary':
        return node.operator === 'not' ? call('not', [this.condition(node.operand)]) : this.#negative(node);
      case 'logical':
        return combine(
          node.operator,
          node.operands.map((operand) => this.condition(operand)),
        );
      case 'chain':
        return this.#chain(node);
      case 'binary':
        return this.#binary(node);
      case 'call':
        return this.#call(node);
      case 'element':
        return this.#element(node);
      case 'network':
        this.problems.syntax('A network stands after "<-" or "in": address <- 10.0.0.0/8.', node);
        break;
      case 'set':
        this.problems.syntax('A set of values stands after "in" or "<-".', node);
    }
  }

  #number(digits: string, node: Node): Expr {
    if (/^\d+$/.test(digits)) {
      const value = digits.length > 40 ? maxLong : BigInt(digits);
      if (value < maxLong) return literal('long', figure(value));
      // As a real it would be another number.
      this.problems.syntax('The number is beyond 64 bits. With a point or an exponent it is a real.', node);
    }
    const value = Number(digits);
    if (!Number.isFinite(value)) this.problems.syntax('The number is too large.', node);
    return literal('real', value);
  }

  #negative(node: Node & { kind: 'unary' }): Expr {
    const { operand } = node;
    if (operand.kind === 'number' && /^\d{1,40}$/.test(operand.digits) && BigInt(operand.digits) <= maxLong) {
      return literal('long', figure(-BigInt(operand.digits)));
    }
    const value = this.#scalar(operand);
    return this.problems.checked('-', node, [operand], () => call('neg', [value]));
  }

  #chain({ first, links, start, end }: Node & { kind: 'chain' }): Expr {
    let left = first;
    const comparisons = links.map(({ operator, value }): Expr => {
      const pair = { kind: 'binary' as const, operator, left, right: value, start, end };
      left = value;
      return this.#binary(pair);
    });
    return combine('and', comparisons);
  }

  #binary(node: Node & { kind: 'binary' }): Expr {
    const { operator, left, right } = node;
    if (operator === 'in' || operator === '<-') return this.#membership(left, right, node);
    if (operator === '~') return this.#matches(node, left, right);
    if (operator === '->' || operator === '->>') {
      const [text, part] = [textOf(this.value(left)), textOf(this.value(right))];
      return this.#checked(node, operator, [left, right], operator === '->' ? 'contains_cs' : 'contains', [text, part]);
    }
    if (operator === '?:') {
      const [value, otherwise] = [this.value(left), this.value(right)];
      return this.problems.checked(operator, node, [left, right], () => coalesce(value, otherwise));
    }
    if (operator === '+' || operator === '\\' || operator === '%') return this.#arithmetic(node);
    const isComparison = /[=<>]/.test(operator);
    const [a, b] = isComparison ? this.#aligned(left, right) : [this.#scalar(left), this.#scalar(right)];
    if (isComparison && a.type === b.type && a.type !== 'dynamic') return fitting(planOperators[operator]!, [a, b]);
    return this.#checked(node, operator, [left, right], planOperators[operator]!, [a, b]);
  }

  #arithmetic(node: Node & { kind: 'binary' }): Expr {
    const { operator, left, right } = node;
    const [a, b] = [this.#scalar(left), this.#scalar(right)];
    return this.problems.checked(operator, node, [left, right], () => {
      if (operator === '+')
        return a.type === 'string' || b.type === 'string' ? call('sql_concat', [a, b]) : call('+', [a, b]);
      if (operator === '\\') return call('/', [call('todouble', [a]), call('todouble', [b])]);
      // What the quotient, cut off towards zero, leaves: of the first number's sign, and null by zero.
      if (a.type !== 'long' || b.type !== 'long') this.problems.syntax('"%" takes whole numbers.', node);
      return call('-', [a, call('*', [call('/', [a, b]), b])]);
    });
  }

  /** A value to count with: JSON is taken as a number. */
  #scalar(node: Node): Expr {
    const value = this.value(node);
    return value.type === 'dynamic' ? call('todouble', [value]) : value;
  }

  /** Both sides of a comparison: a text beside a moment is read as one, JSON as what stands beside it. */
  #aligned(left: Node, right: Node): [Expr, Expr] {
    const [a, b] = [this.value(left), this.value(right)];
    return [this.#like(b, a, left), this.#like(a, b, right)];
  }

  #like(beside: Expr, value: Expr, node: Node): Expr {
    const isText = value.kind === 'literal' && value.type === 'string' && value.value !== null;
    if (beside.type === 'datetime' && isText) return this.#moment(String(value.value), node);
    if (value.type !== 'dynamic') return value;
    if (beside.type === 'string') return textOf(value);
    if (beside.type === 'datetime') return call('todatetime', [value]);
    if (beside.type === 'bool') return call('tobool', [value]);
    return beside.type === 'dynamic' ? textOf(value) : call('todouble', [value]);
  }

  #moment(text: string, node: Node): Expr {
    const moment = parseMoment(text);
    if (moment === undefined) {
      this.problems.syntax(
        'The text is no moment. Write "2024-09-10 07:21:35" or "2024-09-10"; times are in UTC.',
        node,
      );
    }
    return literal('datetime', moment);
  }

  #membership(left: Node, right: Node, node: Node): Expr {
    const value = this.value(left);
    if (right.kind === 'network') return this.#inNetwork(value, right.network, node);
    if (right.kind === 'call' && right.name === 'net4' && right.args[0]?.kind === 'string') {
      return this.#inNetwork(value, right.args[0].value, node);
    }
    if (right.kind !== 'set') {
      // Of a text: whether it holds the value.
      const text = textOf(this.value(right));
      return this.#checked(node, 'in', [left, right], 'contains_cs', [text, textOf(value)]);
    }
    const elements = right.elements.map((element) => ({ element, value: this.value(element) }));
    if (elements.length === 0) this.problems.syntax('The set is empty. Write at least one value.', right);
    const first = elements[0]!.value;
    const isReal = elements.some((item) => item.value.type === 'real');
    const subject = this.#like(first, value, left);
    const compared = isReal && subject.type === 'long' ? call('todouble', [subject]) : subject;
    const values = elements.map((item) => {
      const aligned = this.#like(compared, item.value, item.element);
      const isWhole = compared.type === 'real' && aligned.type === 'long' && aligned.kind === 'literal';
      const element = isWhole ? literal('real', Number(aligned.value)) : aligned;
      const isNull = element.kind === 'literal' && element.value === null;
      if (element.type !== compared.type && !isNull) {
        const message = `The value before "in" is ${aType(compared)}; this is ${aType(element)}.`;
        this.problems.syntax(message, item.element);
      }
      return isNull ? literal(compared.type, null) : element;
    });
    return this.#checked(node, 'in', [left, right], 'sql_in', [compared, ...values]);
  }

  #inNetwork(address: Expr, network: string, node: Node): Expr {
    const args = [textOf(address), literal('string', network)];
    return this.#checked(node, 'in', [], 'ipv4_is_in_range', args);
  }

  /** The pattern stands as `re("...")`, or as a text alone. */
  #matches(node: Node, left: Node, right: Node): Expr {
    const pattern = right.kind === 'call' && right.name === 're' && right.args.length === 1 ? right.args[0]! : right;
    if (pattern.kind !== 'string') this.problems.syntax('Here stands the regular expression: re("...").', right);
    const args = [textOf(this.value(left)), literal('string', pattern.value)];
    return this.#checked(node, '~', [left, pattern], 'matches regex', args);
  }

  #element({ of, key, ...span }: Node & { kind: 'element' }): Expr {
    const value = this.value(of);
    const step = this.value(key);
    if (value.type !== 'dynamic') this.problems.syntax(`A field is taken of JSON; this is ${aType(value)}.`, of);
    if (step.kind !== 'literal' || (step.type !== 'string' && step.type !== 'long')) {
      this.problems.syntax('Here stands the name of a field in quotes, or a number.', key);
    }
    if (value.kind === 'call' && value.fn === 'path') {
      return this.problems.checked('[]', { ...span }, [], () => call('path', [...value.args, step]));
    }
    return this.problems.checked('[]', { ...span }, [], () => call('path', [value, step]));
  }

  #call(node: Node & { kind: 'call' }): Expr {
    const { name, args } = node;
    if (name === 'and' || name === 'or') return this.#logicalCall(node, name);
    if (name === 'not' && args.length === 1) return call('not', [this.condition(args[0]!)]);
    const operator = Object.hasOwn(operatorCalls, name) ? operatorCalls[name] : undefined;
    if (operator !== undefined) return this.#operatorCall(node, operator);
    if (name === 'in' && args.length > 1) return this.#inCall(node);
    if (name === 'timestamp' && args.length === 1) return this.#timestamp(node, args[0]!);
    if ((name === 'min' || name === 'max') && args.length > 1) {
      const values = args.map((arg) => this.#scalar(arg));
      return this.#checked(node, name, args, `${name}_of`, values);
    }
    if (aggregateNames.has(name)) return this.meaning.aggregate(node);
    const fn = Object.hasOwn(linqFunctions, name) ? linqFunctions[name] : undefined;
    if (fn === undefined) this.#refuse(node);
    const [least, most] = fn.arity;
    if (args.length < least || args.length > most) {
      const count =
        least === most ? `${least}` : most === Number.POSITIVE_INFINITY ? `${least} or more` : `${least} to ${most}`;
      this.problems.syntax(`The function ${name}() takes ${count} arguments, not ${args.length}.`, node);
    }
    const values = args.map((arg) => this.value(arg));
    return this.problems.checked(name, node, args, () => fn.make(...values));
  }

  #logicalCall({ args, ...node }: Node & { kind: 'call' }, operator: 'and' | 'or'): Expr {
    if (args.length === 0) this.problems.syntax(`The function ${operator}() takes conditions.`, node);
    return combine(
      operator,
      args.map((arg) => this.condition(arg)),
    );
  }

  #operatorCall({ name, args, ...span }: Node & { kind: 'call' }, operator: BinaryOperator): Expr {
    const [left, right, ...others] = args;
    if (left === undefined || right === undefined || others.length > 0) {
      this.problems.syntax(`The function ${name}() takes 2 arguments, not ${args.length}.`, span);
    }
    return this.#binary({ ...span, kind: 'binary', operator, left, right });
  }

  /** `in`(a, b, x): whether one of the values is in the last argument. */
  #inCall({ args, ...node }: Node & { kind: 'call' }): Expr {
    const container = args.at(-1)!;
    return combine(
      'or',
      args.slice(0, -1).map((value) => this.#membership(value, container, { ...node, args, kind: 'call' })),
    );
  }

  /** Of a text, or of milliseconds since 1970. */
  #timestamp(node: Node & { kind: 'call' }, arg: Node): Expr {
    const value = this.value(arg);
    if (value.type === 'datetime') return value;
    if (arg.kind === 'string') return this.#moment(arg.value, arg);
    const fn = value.type === 'long' ? 'unixtime_milliseconds_todatetime' : 'todatetime';
    return this.#checked(node, 'timestamp', [arg], fn, [value]);
  }

  #checked(node: Node, name: string, args: Node[], fn: string, values: Expr[]): Expr {
    return this.problems.checked(name, node, args, () => call(fn, values));
  }

  #refuse(node: Node & { kind: 'call' }): never {
    const { name } = node;
    const reason = refusedFunctions.get(name);
    if (reason !== undefined) this.problems.unsupported(`The function ${name}() cannot be answered: ${reason}.`, node);
    const known = [...Object.keys(linqFunctions), ...aggregateNames.keys(), ...Object.keys(operatorCalls), 'timestamp'];
    const message = `There is no function ${name}().${didYouMean(name, known)}`;
    this.problems.fail('QUERY_FUNCTION_NOT_ALLOWED', message, node);
  }
}

const typeNames: Partial<Record<Expr['type'], string>> = {
  bool: 'a boolean',
  long: 'an integer',
  real: 'a float',
  decimal: 'a decimal',
  string: 'a text',
  datetime: 'a timestamp',
  timespan: 'a duration',
  dynamic: 'JSON',
};

const aType = ({ type }: Expr): string => typeNames[type] ?? type;
