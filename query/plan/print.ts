/** A plan as text for people: one step a line, its inputs below it and further in, expressions as KQL writes them. */
import type { JsonValue } from '../result.js';
import { microsecondsPer } from './moment.js';
import type { Aggregate, Expr, LiteralExpr, NamedExpr, Pick, Plan, PlanColumn, SortKey } from './types.js';
import { foldExpr, inputsOf } from './walk.js';

/** How many rows of a `values` step are written out. */
const shownRows = 5;

/** How tightly an operator binds; what is not here is written as a call. */
const precedences = new Map<string, number>([
  ['or', 1],
  ['and', 2],
  ...['==', '!=', '=', '<>', '=~', '!~', '<', '<=', '>', '>=', 'matches regex'].map((fn) => [fn, 3] as const),
  ...['has', 'hasprefix', 'hassuffix', 'contains', 'startswith', 'endswith'].flatMap((fn) =>
    [fn, `!${fn}`, `${fn}_cs`, `!${fn}_cs`].map((form) => [form, 3] as const),
  ),
  ['+', 4],
  ['-', 4],
  ['*', 5],
  ['/', 5],
  ['%', 5],
]);
const lists = new Set(['in', '!in', 'in~', '!in~', 'has_any', 'has_all']);
const highest = 6;

interface Written {
  text: string;
  precedence: number;
}

const simple = (text: string): Written => ({ text, precedence: highest });
const inside = ({ text, precedence }: Written, atLeast: number): string => (precedence < atLeast ? `(${text})` : text);

const nameText = (name: string): string => (/^[A-Za-z_]\w*$/.test(name) ? name : `['${name.replaceAll("'", "\\'")}']`);

export function printExpr(expr: Expr): string {
  return new Printer().expr(expr);
}

export function printPlan(plan: Plan): string {
  return new Printer().plan(plan);
}

class Printer {
  /** Plans inside expressions are written below the step, under a number of their own. */
  readonly #asides: Plan[] = [];
  #asideCount = 0;

  expr(expr: Expr): string {
    return foldExpr<Written>(expr, (node, operands) => this.#write(node, operands)).text;
  }

  plan(root: Plan): string {
    const lines: string[] = [];
    const pending: { plan: Plan; indent: string; label: string }[] = [{ plan: root, indent: '', label: '' }];
    while (pending.length > 0) {
      const { plan, indent, label } = pending.pop()!;
      const firstAside = this.#asideCount + 1;
      lines.push(`${indent}${label}${this.#step(plan)}`);
      const names = plan.op === 'with' ? plan.bindings.map(({ name }) => `${nameText(name)}: `) : [];
      const below = inputsOf(plan).map((input, index) => ({ plan: input, label: names[index] ?? '' }));
      const asides = this.#asides.splice(0).map((aside, index) => ({ plan: aside, label: `$${firstAside + index}: ` }));
      for (const each of [...below, ...asides].toReversed()) pending.push({ ...each, indent: `${indent}  ` });
    }
    return lines.join('\n');
  }

  #write(expr: Expr, operands: Written[]): Written {
    switch (expr.kind) {
      case 'column':
        return simple(nameText(expr.name));
      case 'literal':
        return simple(literalText(expr));
      case 'scalar':
        return simple(`toscalar(${this.#aside(expr.plan)})`);
      case 'membership':
        return {
          text: `${inside(operands[0]!, 4)} ${expr.ignoreCase ? 'in~' : 'in'} (${this.#aside(expr.plan)})`,
          precedence: 3,
        };
      case 'call':
        return callText(expr.fn, expr.args, operands);
    }
  }

  #aside(plan: Plan): string {
    this.#asides.push(plan);
    this.#asideCount += 1;
    return `$${this.#asideCount}`;
  }

  #step(plan: Plan): string {
    switch (plan.op) {
      case 'scan': {
        const range = `${plan.from === undefined ? '' : ` from ${plan.from}`}${plan.to === undefined ? '' : ` to ${plan.to}`}`;
        return `scan ${plan.dataset}${range} [${columnsText(plan.columns)}]${plan.nullStrings ? ' null strings' : ''}`;
      }
      case 'values': {
        const rows = plan.rows.slice(0, shownRows).map((row) => JSON.stringify(row));
        const rest = plan.rows.length > shownRows ? `, and ${plan.rows.length - shownRows} more` : '';
        return `values [${columnsText(plan.columns)}] ${rows.join(', ')}${rest}`.trimEnd();
      }
      case 'range':
        return `range ${nameText(plan.columns[0]!.name)} from ${this.expr(plan.from)} to ${this.expr(plan.to)} step ${this.expr(plan.step)}`;
      case 'filter':
        return `filter ${this.expr(plan.predicate)}`;
      case 'extend':
        return `extend ${this.#named(plan.added)}`;
      case 'project':
        return `project ${this.#named(plan.kept)}`;
      case 'summarize': {
        const by = plan.keys.length === 0 ? '' : `by ${this.#named(plan.keys)}`;
        return ['summarize', plan.aggregates.map((item) => this.#aggregate(item)).join(', '), by]
          .filter((part) => part !== '')
          .join(' ');
      }
      case 'join': {
        const on = plan.on.map(({ left, right }) => `${this.expr(left)} == ${this.expr(right)}`).join(', ');
        return `join ${plan.kind.toLowerCase().replace('_', ' ')}${on === '' ? '' : ` on ${on}`}`;
      }
      case 'union':
      case 'distinct':
        return plan.op;
      case 'unnest': {
        const elements = plan.elements.map(
          ({ name, value, type }) => `${nameText(name)} = ${this.expr(value)} to ${type}`,
        );
        return [
          `unnest ${elements.join(', ')}`,
          plan.index === undefined ? '' : ` with index ${nameText(plan.index)}`,
          plan.limit === undefined ? '' : ` limit ${plan.limit}`,
          plan.keepEmpty ? ' keep empty' : '',
        ].join('');
      }
      case 'lateral':
        return `lateral [${plan.kept.map(nameText).join(', ')}]`;
      case 'outer':
        return `outer [${columnsText(plan.columns)}]`;
      case 'sort':
        return `sort by ${this.#keys(plan.keys)}`;
      case 'limit':
        return `limit ${plan.count}${plan.offset === 0 ? '' : ` offset ${plan.offset}`}`;
      case 'window': {
        const added = plan.added.map(({ name, fn, args }) => `${nameText(name)} = ${this.#call(fn, args)}`).join(', ');
        const partition =
          plan.partitionBy.length === 0
            ? ''
            : ` partition by ${plan.partitionBy.map((expr) => this.expr(expr)).join(', ')}`;
        return `window ${added}${partition}${plan.orderBy.length === 0 ? '' : ` order by ${this.#keys(plan.orderBy)}`}`;
      }
      case 'with': {
        const once = plan.bindings.filter(({ materialized }) => materialized).map(({ name }) => nameText(name));
        return `with${once.length === 0 ? '' : ` materialized ${once.join(', ')}`}`;
      }
      case 'ref':
        return `ref ${nameText(plan.name)}`;
    }
  }

  #named(items: NamedExpr[]): string {
    return items
      .map(({ name, value }) =>
        value.kind === 'column' && value.name === name ? nameText(name) : `${nameText(name)} = ${this.expr(value)}`,
      )
      .join(', ');
  }

  #keys(keys: SortKey[]): string {
    return keys
      .map(
        ({ value, descending, nullsFirst }) =>
          `${this.expr(value)} ${descending ? 'desc' : 'asc'} nulls ${nullsFirst ? 'first' : 'last'}`,
      )
      .join(', ');
  }

  #call(fn: string, args: Expr[]): string {
    return `${fn}(${args.map((arg) => this.expr(arg)).join(', ')})`;
  }

  #aggregate(item: Aggregate | Pick): string {
    if (item.kind === 'pick') {
      const fn = { GREATEST: 'arg_max', LEAST: 'arg_min', ANY: 'take_any' }[item.which];
      return item.which === 'ANY'
        ? `${fn}(${this.#named(item.columns)})`
        : `${fn}(${this.expr(item.by)}, ${this.#named(item.columns)})`;
    }
    const where = item.where === undefined ? '' : ` where ${this.expr(item.where)}`;
    return `${nameText(item.name)} = ${this.#call(item.fn, item.args)}${where}`;
  }
}

const columnsText = (columns: PlanColumn[]): string => columns.map(({ name }) => nameText(name)).join(', ');

function callText(fn: string, args: Expr[], operands: Written[]): Written {
  const precedence = precedences.get(fn);
  if (precedence !== undefined && operands.length >= 2) {
    // `a - (b - c)` and `(a == b) == c` keep their brackets.
    const isChain = fn === 'and' || fn === 'or' || fn === '+' || fn === '*';
    const isComparison = precedence === 3;
    const texts = operands.map((operand, index) =>
      inside(operand, isComparison || (index > 0 && !isChain) ? precedence + 1 : precedence),
    );
    return { text: texts.join(` ${fn} `), precedence };
  }
  if (lists.has(fn) && operands.length >= 2) {
    const [value, ...rest] = operands;
    return { text: `${inside(value!, 4)} ${fn} (${rest.map(({ text }) => text).join(', ')})`, precedence: 3 };
  }
  if ((fn === 'between' || fn === '!between') && operands.length === 3) {
    const [value, from, to] = operands.map((operand) => inside(operand, 4));
    return { text: `${value} ${fn} (${from} .. ${to})`, precedence: 3 };
  }
  if (fn === 'neg' && operands.length === 1)
    return { text: `-${inside(operands[0]!, highest)}`, precedence: highest - 1 };
  if (fn === 'path' && operands.length >= 1) {
    const steps = args
      .slice(1)
      .map((step, index) =>
        step.kind === 'literal' && typeof step.value === 'string' && /^[A-Za-z_]\w*$/.test(step.value)
          ? `.${step.value}`
          : `[${operands[index + 1]!.text}]`,
      );
    return simple(`${inside(operands[0]!, highest)}${steps.join('')}`);
  }
  return simple(`${fn}(${operands.map(({ text }) => text).join(', ')})`);
}

function literalText({ type, value }: LiteralExpr): string {
  if (value === null) return `${type}(null)`;
  switch (type) {
    case 'string':
      return JSON.stringify(value);
    case 'bool':
    case 'long':
      return String(value);
    case 'real':
      return Number.isInteger(value) ? `${value}.0` : typeof value === 'string' ? `real(${value})` : String(value);
    case 'timespan':
      return timespanText(value);
    case 'dynamic':
      return `dynamic(${JSON.stringify(value)})`;
    default:
      return `${type}(${value})`;
  }
}

/** In the largest unit that leaves a whole figure, as `90m`. */
function timespanText(value: JsonValue): string {
  const microseconds = BigInt(value as number | string);
  for (const [unit, size] of Object.entries(microsecondsPer).toReversed()) {
    if (microseconds !== 0n && microseconds % size === 0n) return `${microseconds / size}${unit}`;
  }
  return '0s';
}
