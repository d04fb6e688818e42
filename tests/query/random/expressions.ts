/** Random expressions of a type over some columns, of functions whose answer the documentation decides. */
import { column, literal } from '../../../query/plan/build.js';
import { call } from '../../../query/plan/functions/index.js';
import type { Expr, LiteralExpr, PlanColumn, ScalarType } from '../../../query/plan/types.js';
import { texts, times } from './events.js';
import type { Random } from './random.js';

/** The types that random plans have. */
export const types = [
  'bool',
  'long',
  'real',
  'string',
  'datetime',
  'timespan',
  'dynamic',
] as const satisfies ScalarType[];
type RandomType = (typeof types)[number];

const needles = ['alpha', 'ALPHA', 'beta', 'a', 'x', '42', '%', '_', "'", '\\', '.', 'zzz'];
/** The documentation says what a term is, and not what a term operator makes of other characters. */
const terms = ['alpha', 'ALPHA', 'beta', 'a', 'x', '42', 'zzz'];
const patterns = ['^al', 'a$', '[a-c]{2}', '\\d+', '(?:x|42)', '\\.', '^$', 'ph.*t'];
const groups = ['(a)(.?)', '(\\d)', '([a-z]+)-', 'beta'];
const hour = 3_600_000_000;
const lengths = [0, 1, -1, 1_000_000, hour, -hour, 24 * hour, 90_061_000_001];
const bins = [hour, 24 * hour, 7 * 24 * hour, 600_000_000];
const spellings = (name: string): string[] => [name, `!${name}`, `${name}_cs`, `!${name}_cs`];
const partTests = ['contains', 'startswith', 'endswith'].flatMap(spellings);
const termTests = ['has', 'hasprefix', 'hassuffix'].flatMap(spellings);

export function randomLiteral(random: Random, type: RandomType): LiteralExpr {
  if (random.chance(0.08) && type !== 'string') return literal(type, null);
  switch (type) {
    case 'bool':
      return literal(type, random.chance(0.5));
    case 'long':
      return literal(type, random.one([0, 1, -1, 2, 3, 5, -7, 10, 100]));
    case 'real':
      return literal(type, random.one([0, 0.25, -0.5, 2, 1.75, -1000.5]));
    case 'string':
      return literal(type, random.one(texts));
    case 'datetime':
      return literal(type, random.one(times));
    case 'timespan':
      return literal(type, random.one(lengths));
    case 'dynamic':
      return literal(type, random.one([['a', 'b'], [], { k: 1 }, ['c', 2]]));
  }
}

/** Makes expressions over columns. */
export class Expressions {
  constructor(
    readonly random: Random,
    readonly columns: readonly PlanColumn[],
  ) {}

  of(type: RandomType, depth: number): Expr {
    const columns = this.columns.filter((each) => each.type === type);
    if (columns.length > 0 && this.random.chance(depth <= 0 ? 0.8 : 0.35)) return column(this.random.one(columns));
    if (depth <= 0) return randomLiteral(this.random, type);
    if (this.random.chance(0.12)) return this.#choice(type, depth - 1);
    return this.#made(type, depth - 1);
  }

  /** An array of strings, for unnesting and searching. */
  strings(depth: number): Expr {
    const tags = this.columns.find(({ name }) => name === 'attributes');
    if (tags !== undefined && this.random.chance(0.5)) return call('path', [column(tags), literal('string', 'tags')]);
    return this.#parts(depth);
  }

  #parts(depth: number): Expr {
    return call('split', [this.of('string', depth), literal('string', this.random.one([',', '-', ' ']))]);
  }

  /** An array of anything. */
  array(depth: number): Expr {
    const { random } = this;
    if (random.chance(0.3)) return this.strings(depth);
    const elements = random.times(random.between(1, 3), () => this.of(random.one(['long', 'string', 'bool']), depth));
    return call('pack_array', elements);
  }

  #choice(type: RandomType, depth: number): Expr {
    const { random } = this;
    const branch = () => this.of(type, depth);
    if (type === 'dynamic' || random.chance(0.4)) return call('iff', [this.of('bool', depth), branch(), branch()]);
    if (random.chance(0.4)) return call('coalesce', [branch(), branch()]);
    return call('case', [this.of('bool', depth), branch(), this.of('bool', depth), branch(), branch()]);
  }

  #made(type: RandomType, depth: number): Expr {
    switch (type) {
      case 'bool':
        return this.#bool(depth);
      case 'long':
        return this.#long(depth);
      case 'real':
        return this.#real(depth);
      case 'string':
        return this.#string(depth);
      case 'datetime':
        return this.#datetime(depth);
      case 'timespan':
        return this.#timespan(depth);
      case 'dynamic':
        return this.#dynamic(depth);
    }
  }

  #bool(depth: number): Expr {
    const { random } = this;
    const needle = () => literal('string', random.one(needles));
    const term = () => literal('string', random.one(terms));
    return this.#one([
      () => {
        const type = random.one(['long', 'real', 'datetime', 'timespan'] as const);
        return call(random.one(['==', '!=', '<', '<=', '>', '>=']), [this.of(type, depth), this.of(type, depth)]);
      },
      () => call(random.one(['==', '!=']), [this.of('string', depth), this.of('string', 0)]),
      () => call(random.one(['=~', '!~']), [this.of('string', depth), needle()]),
      () => call(random.one(partTests), [this.of('string', depth), needle()]),
      () => call(random.one(termTests), [this.of('string', depth), term()]),
      () =>
        call(
          random.one(['and', 'or']),
          random.times(random.between(2, 3), () => this.of('bool', depth)),
        ),
      () =>
        call(
          random.one(['and', 'or']),
          random.times(2, () => this.of('bool', depth)),
        ),
      () => call('not', [this.of('bool', depth)]),
      () => call(random.one(['isnull', 'isnotnull']), [this.of(random.one(types), depth)]),
      () => call(random.one(['isempty', 'isnotempty']), [this.of(random.one(['string', 'long', 'datetime']), depth)]),
      () =>
        call(random.one(['in', '!in']), [
          this.of('long', depth),
          ...random.times(3, () => literal('long', random.between(0, 4))),
        ]),
      () => call(random.one(['in', '!in', 'in~', '!in~']), [this.of('string', depth), ...random.times(3, needle)]),
      () => call(random.one(['has_any', 'has_all']), [this.of('string', depth), term(), term()]),
      () =>
        call(random.one(['between', '!between']), [
          this.#known('long', depth),
          this.#known('long', 0),
          this.#known('long', 0),
        ]),
      () =>
        call(random.one(['between', '!between']), [
          this.#known('datetime', depth),
          literal('datetime', times[1]!),
          this.#known('datetime', 0),
        ]),
      () => call('matches regex', [this.of('string', depth), literal('string', random.one(patterns))]),
      () => call('ipv4_is_private', [this.of('string', depth)]),
      () => call('tobool', [this.of('long', depth)]),
      () => call('set_has_element', [this.strings(depth), literal('string', random.one(['a', 'alpha', '']))]),
    ]);
  }

  /** Not null: of a null that lies between, the documentation's pages say different things. */
  #known(type: 'long' | 'datetime', depth: number): Expr {
    return call('coalesce', [this.of(type, depth), type === 'long' ? literal(type, 2) : literal(type, times[3]!)]);
  }

  #long(depth: number): Expr {
    const { random } = this;
    const small = () => literal('long', random.one([1, 2, 3, -1, 7]));
    return this.#one([
      () => call(random.one(['+', '-']), [this.of('long', depth), this.of('long', depth)]),
      () => call('*', [this.of('long', depth), small()]),
      () => call(random.one(['/', '%']), [this.of('long', depth), this.of('long', 0)]),
      () => call(random.one(['neg', 'abs']), [this.of('long', depth)]),
      () => call('bin', [this.of('long', depth), literal('long', random.one([1, 5, 10, 10, -5, 0, null]))]),
      () => call('strlen', [this.of('string', depth)]),
      () =>
        call(random.one(['indexof', 'countof']), [this.of('string', depth), literal('string', random.one(needles))]),
      () => call('tolong', [this.of('string', depth)]),
      () => call('tolong', [this.#attribute(['n', 'deep'])]),
      () =>
        call('datetime_diff', [
          literal('string', random.one(['year', 'quarter', 'month', 'week', 'day', 'hour', 'minute', 'second'])),
          this.of('datetime', depth),
          this.of('datetime', depth),
        ]),
      () =>
        call('datetime_part', [
          literal('string', random.one(['year', 'quarter', 'month', 'day', 'hour', 'minute', 'second'])),
          this.of('datetime', depth),
        ]),
      () => call(random.one(['hourofday', 'dayofmonth']), [this.of('datetime', depth)]),
      () => call('array_length', [this.of('dynamic', depth)]),
      () =>
        call(
          random.one(['max_of', 'min_of']),
          random.times(2, () => this.of('long', depth)),
        ),
    ]);
  }

  /** Sums and halves of halves: what no order of adding up changes. */
  #real(depth: number): Expr {
    const { random } = this;
    const half = () => literal('real', random.one([0.5, 2, -0.25]));
    return this.#one([
      () => call(random.one(['+', '-']), [this.of('real', depth), this.of('real', depth)]),
      () => call('*', [this.of('real', depth), half()]),
      () => call('/', [this.of('real', depth), half()]),
      () => call('todouble', [call('%', [this.of('long', depth), literal('long', 1000)])]),
      () => call('bin', [this.of('real', depth), literal('real', random.one([0.5, 4]))]),
      () => call(random.one(['abs', 'neg']), [call('+', [this.of('real', depth), literal('real', 0.125)])]),
      () =>
        call(
          random.one(['max_of', 'min_of']),
          random.times(2, () => this.of('real', depth)),
        ),
    ]);
  }

  #string(depth: number): Expr {
    const { random } = this;
    const text = () => this.of('string', depth);
    const some = (of: readonly string[]) => literal('string', random.one(of));
    const number = (...of: number[]) => literal('long', random.one(of));
    return this.#one([
      () => call(random.one(['tolower', 'toupper', 'reverse']), [text()]),
      () => call('strcat', [text(), random.chance(0.5) ? text() : this.of('long', depth), text()]),
      () => call('substring', [text(), number(0, 1, 2, -2)]),
      () => call('substring', [text(), number(0, 1, -3), number(0, 1, 3)]),
      () => call('replace_string', [text(), some(needles), some(['', 'q', '\\1'])]),
      () => call('tostring', [this.of('long', depth)]),
      () => call('tostring', [this.#attribute(['n', 's', 'none'])]),
      () => call('tostring', [call('path', [this.strings(depth), number(0, 1, -1, 5)])]),
      () => call('strrep', [text(), number(0, 1, 2)]),
      () => call('extract', [some(groups), number(0), text()]),
      () => call('base64_encode_tostring', [text()]),
    ]);
  }

  #datetime(depth: number): Expr {
    const { random } = this;
    return this.#one([
      () => call(random.one(['+', '-']), [this.of('datetime', depth), this.of('timespan', depth)]),
      () => call('bin', [this.of('datetime', depth), literal('timespan', random.one(bins))]),
      () =>
        call(random.one(['startofday', 'startofweek', 'startofmonth', 'startofyear']), [this.of('datetime', depth)]),
      () =>
        call(random.one(['startofday', 'startofweek', 'startofmonth', 'startofyear']), [
          this.of('datetime', depth),
          literal('long', random.between(-2, 2)),
        ]),
      () =>
        call(
          random.one(['max_of', 'min_of']),
          random.times(2, () => this.of('datetime', depth)),
        ),
    ]);
  }

  #timespan(depth: number): Expr {
    const { random } = this;
    return this.#one([
      () => call('-', [this.of('datetime', depth), this.of('datetime', depth)]),
      () => call(random.one(['+', '-']), [this.of('timespan', depth), this.of('timespan', depth)]),
      () => call('*', [this.of('timespan', depth), literal('long', random.between(-2, 3))]),
      () => call('bin', [this.of('timespan', depth), literal('timespan', random.one(bins))]),
      () => call('dayofweek', [this.of('datetime', depth)]),
    ]);
  }

  #dynamic(depth: number): Expr {
    const { random } = this;
    return this.#one([
      () => this.strings(depth),
      () => this.#attribute(['n', 's', 'tags', 'deep', 'none']),
      () => this.array(depth),
      () => call('array_concat', [this.#parts(depth), this.#parts(depth)]),
      () =>
        call('array_slice', [
          this.strings(depth),
          literal('long', random.between(-2, 1)),
          literal('long', random.between(-1, 3)),
        ]),
      () =>
        call('bag_pack', [
          literal('string', 'k'),
          this.of('long', depth),
          literal('string', 'l'),
          this.of('string', depth),
        ]),
    ]);
  }

  /** A member of the attributes, where there are any. */
  #attribute(names: readonly string[]): Expr {
    const { random } = this;
    const attributes = this.columns.find(({ name }) => name === 'attributes');
    const name = random.one(names);
    const root =
      attributes === undefined
        ? literal('dynamic', { n: 1, s: 'alpha', deep: { n: 2, list: [3] } })
        : column(attributes);
    const steps =
      name === 'deep'
        ? random.one([
            ['deep', 'n'],
            ['deep', 'list', 0],
            ['deep', 'list', 9],
            ['deep', 'none', 'n'],
          ])
        : [name];
    return call('path', [root, ...steps.map((step) => literal(typeof step === 'number' ? 'long' : 'string', step))]);
  }

  #one(makers: readonly (() => Expr)[]): Expr {
    return this.random.one(makers)();
  }
}
