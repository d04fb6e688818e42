/** Functions of one row that the plan answers as PostgreSQL does. */
import { literal } from '../../../plan/build.js';
import { call } from '../../../plan/functions/index.js';
import { momentOf } from '../../../plan/moment.js';
import type { Expr, LiteralExpr } from '../../../plan/types.js';
import type { TreeNode } from '../parse.js';
import { constantString, listOf } from '../tree.js';
import { implicitly, isNumber, type SqlType, type Typed, Untranslatable } from './typed.js';

interface Translator {
  typed(wrapped: unknown): Typed;
}

/** Parameters and result in PostgreSQL's types, and the plan's function of the same meaning. */
const plain: Record<string, { parameters: SqlType[][]; returns: SqlType; fn: string }> = {
  lower: { parameters: [['text']], returns: 'text', fn: 'sql_lower' },
  upper: { parameters: [['text']], returns: 'text', fn: 'sql_upper' },
  length: { parameters: [['text']], returns: 'int4', fn: 'sql_length' },
  char_length: { parameters: [['text']], returns: 'int4', fn: 'sql_length' },
  character_length: { parameters: [['text']], returns: 'int4', fn: 'sql_length' },
  btrim: { parameters: [['text'], ['text', 'text']], returns: 'text', fn: 'sql_trim' },
  ltrim: { parameters: [['text'], ['text', 'text']], returns: 'text', fn: 'sql_ltrim' },
  rtrim: { parameters: [['text'], ['text', 'text']], returns: 'text', fn: 'sql_rtrim' },
  substr: {
    parameters: [
      ['text', 'int4'],
      ['text', 'int4', 'int4'],
    ],
    returns: 'text',
    fn: 'sql_substring',
  },
  substring: {
    parameters: [
      ['text', 'int4'],
      ['text', 'int4', 'int4'],
    ],
    returns: 'text',
    fn: 'sql_substring',
  },
  strpos: { parameters: [['text', 'text']], returns: 'int4', fn: 'sql_position' },
  replace: { parameters: [['text', 'text', 'text']], returns: 'text', fn: 'sql_replace' },
};

const micro = 1_000_000n;
/** Lengths that divide the calendar from the year 1 on, a Monday, as `date_trunc` does in UTC. */
const truncations: Record<string, bigint> = {
  second: micro,
  minute: 60n * micro,
  hour: 3_600n * micro,
  day: 86_400n * micro,
  week: 604_800n * micro,
};
const calendarTruncations: Record<string, string> = { month: 'startofmonth', year: 'startofyear' };
const firstMoment = momentOf('0001-01-01T00:00:00Z')!;

export function functionCall(node: TreeNode, name: string, translator: Translator): Typed {
  const isBare = [
    'over',
    'agg_filter',
    'agg_order',
    'agg_distinct',
    'agg_star',
    'agg_within_group',
    'func_variadic',
  ].every((field) => node[field] === undefined || node[field] === false);
  if (!isBare) throw new Untranslatable(`${name}() in this form`, node);
  const args = listOf(node.args);
  if (/^(now|transaction_timestamp|statement_timestamp)$/.test(name) && args.length === 0) {
    return { expr: call('now', []), type: 'timestamptz' };
  }
  if (name === 'date_trunc') return dateTrunc(node, args, translator);
  if (name === 'date_bin') return dateBin(node, args, translator);
  if (name === 'abs' && args.length === 1) return absolute(node, translator.typed(args[0]));
  const known = Object.hasOwn(plain, name) ? plain[name] : undefined;
  const parameters = known?.parameters.find((list) => list.length === args.length);
  if (known === undefined || parameters === undefined) throw new Untranslatable(`${name}()`, node);
  const values = args.map((arg, i): Expr => {
    const value = implicitly(translator.typed(arg), parameters[i]!);
    if (value === undefined) throw new Untranslatable(`${name}() of these types`, node);
    return value.expr;
  });
  return { expr: call(known.fn, values), type: known.returns };
}

function absolute(node: TreeNode, value: Typed): Typed {
  if (!isNumber(value.type)) throw new Untranslatable('abs() of this type', node);
  const expr = call('sql_abs', [value.expr]);
  return { expr: value.type === 'int4' ? call('sql_int4', [expr]) : expr, type: value.type };
}

function dateTrunc(node: TreeNode, args: unknown[], translator: Translator): Typed {
  const unit = constantString(args[0])?.toLowerCase() ?? '';
  const time = args.length === 2 ? implicitly(translator.typed(args[1]), 'timestamptz') : undefined;
  if (time === undefined) throw new Untranslatable('date_trunc() in this form', node);
  const length = Object.hasOwn(truncations, unit) ? truncations[unit] : undefined;
  if (length !== undefined) return binned(time.expr, length);
  if (!Object.hasOwn(calendarTruncations, unit)) throw new Untranslatable(`date_trunc() to '${unit}'`, node);
  return { expr: call(calendarTruncations[unit]!, [time.expr]), type: 'timestamptz' };
}

/** With an origin from which the bins of the plan, which start with the year 1, are whole ones away. */
function dateBin(node: TreeNode, args: unknown[], translator: Translator): Typed {
  const [stride, source, origin] = args.length === 3 ? args.map((arg) => translator.typed(arg)) : [];
  const time = source === undefined ? undefined : implicitly(source, 'timestamptz');
  const start = origin === undefined ? undefined : implicitly(origin, 'timestamptz');
  const length = stride === undefined ? undefined : implicitly(stride, 'interval');
  const isConstant = length?.expr.kind === 'literal' && start?.expr.kind === 'literal';
  if (!isConstant || time === undefined || start === undefined)
    throw new Untranslatable('date_bin() in this form', node);
  const microseconds = BigInt(String(constantOf(length)));
  const offset = momentOf(String(constantOf(start)))! - firstMoment;
  if (microseconds <= 0n || offset % microseconds !== 0n) {
    throw new Untranslatable('date_bin() with this stride and origin', node);
  }
  return binned(time.expr, microseconds);
}

const constantOf = ({ expr }: Typed): unknown => (expr as LiteralExpr).value;

const binned = (time: Expr, length: bigint): Typed => ({
  expr: call('bin', [time, literal('timespan', Number(length))]),
  type: 'timestamptz',
});
