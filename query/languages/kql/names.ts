/** The names that columns get where the text gives them none, by Kusto's rules. */
import { type KustoFunction, loadKusto } from './kusto.js';
import { nameOf, type SyntaxNode } from './syntax.js';

/** The name that an expression suggests for its column; undefined where it suggests none. */
export function suggestedName(node: SyntaxNode): string | undefined {
  switch (node.kind) {
    case 'NameReference':
      return nameOf(node);
    case 'SimpleNamedExpression':
      return nameOf(node.parts.Name);
    case 'ParenthesizedExpression':
    case 'OrderedExpression':
      return suggestedName(node.parts.Expression!);
    case 'PathExpression':
    case 'ElementExpression':
      return pathName(node);
    case 'FunctionCallExpression':
      return callName(node);
    default:
      return undefined;
  }
}

/** `a.b["c d"][0]` suggests `a_b_c d_0`. */
function pathName(path: SyntaxNode): string | undefined {
  const steps: string[] = [];
  let node = path;
  for (; node.kind === 'PathExpression' || node.kind === 'ElementExpression'; node = node.parts.Expression!) {
    const selector = node.parts.Selector!;
    // `a[b]` suggests `a_`.
    const inBrackets =
      selector.kind === 'BracketedExpression' ? selector.parts.Expression!.parts.Token?.value : undefined;
    steps.push(nameOf(selector) ?? inBrackets ?? '');
  }
  const root = suggestedName(node);
  return root === undefined ? undefined : [root, ...steps.reverse()].join('_');
}

/** The argument expressions of a FunctionCallExpression. */
export const argumentsOf = (call: SyntaxNode): SyntaxNode[] => call.parts.ArgumentList?.lists.Expressions ?? [];

function callName(call: SyntaxNode): string | undefined {
  const { aggregates, functions } = loadKusto();
  const name = nameOf(call)!;
  const args = argumentsOf(call);
  if (name === 'percentile' && aggregates.has(name)) return percentileNames(call)[0];
  const known = aggregates.get(name) ?? functions.get(name);
  return known === undefined ? undefined : byKind(known, args);
}

function byKind({ Name, ResultNameKind: kind, ResultNamePrefix: prefix }: KustoFunction, args: SyntaxNode[]) {
  const { ResultNameKind: kinds } = loadKusto().language.Symbols;
  const first = args[0] === undefined ? undefined : suggestedName(args[0]);
  switch (kind) {
    case kinds.NameAndFirstArgument:
    case kinds.NameAndOnlyArgument:
      return `${Name}_${first ?? ''}`;
    case kinds.PrefixAndFirstArgument:
    case kinds.PrefixAndOnlyArgument:
      return `${prefix}_${first ?? ''}`;
    case kinds.PrefixOnly:
      return prefix ?? undefined;
    case kinds.FirstArgument:
    case kinds.OnlyArgument:
    case kinds.FirstArgumentValueIfColumn:
      return first;
    default:
      return undefined;
  }
}

/** `percentile_x_99_5` and so on, one a percentage. */
export function percentileNames(call: SyntaxNode): string[] {
  const [value, ...percentages] = argumentsOf(call);
  const of = value === undefined ? '' : (suggestedName(value) ?? '');
  return percentages.map(
    (percentage) => `percentile_${of}_${(percentage.parts.Token?.text ?? '').replaceAll(/\W/g, '_')}`,
  );
}

/** Gives the columns of one step their names, in the order of the text. */
export class ColumnNames {
  readonly #given = new Set<string>();
  /** Those that the text says, rather than suggests. */
  readonly #said = new Set<string>();
  #unnamed = 0;

  /** @param kept the names of columns that stay beside the new ones */
  constructor(readonly kept: ReadonlySet<string> = new Set()) {}

  /** Takes a name that the text gives. False where another column of the step has it. */
  take(name: string): boolean {
    if (this.#given.has(name)) return false;
    this.#said.add(name);
    this.#given.add(name);
    return true;
  }

  /** The name of an expression that the text gives none. Undefined where it is a column that the text names twice. */
  ofUnnamed(node: SyntaxNode): string | undefined {
    const suggested = suggestedName(node);
    if (node.kind === 'NameReference' && suggested !== undefined) {
      if (this.#said.has(suggested)) return undefined;
      this.#said.add(suggested);
    }
    return this.free(suggested);
  }

  /** A name like the suggested one that no other column of the step has: `x`, `x1`; without a suggestion `Column1`. */
  free(suggested: string | undefined): string {
    const base = suggested ?? this.#nextColumn();
    let name = base;
    for (let n = 1; this.#given.has(name); n++) name = `${base}${n}`;
    this.#given.add(name);
    return name;
  }

  #nextColumn(): string {
    do this.#unnamed += 1;
    while (this.kept.has(`Column${this.#unnamed}`));
    return `Column${this.#unnamed}`;
  }
}
