/** A stretch of a LINQ query between two groups: the rows it works on, the names in it, and its steps so far. */
import { column, extend, filter, limit, project, sort } from '../../plan/build.js';
import type { ColumnExpr, Expr, NamedExpr, Plan } from '../../plan/types.js';
import { columnsRead } from '../../plan/walk.js';

/** Devo's name for the moment of an event, in every table. */
export const timeName = 'eventdate';

export class Stage {
  /** What each name means. */
  readonly names = new Map<string, ColumnExpr>();
  /** The columns that the rows show, in order; undefined is all that are shown by default. */
  visible: string[] | undefined;
  readonly #steps: ((plan: Plan) => Plan)[] = [];
  /** What the last step adds, where it only adds. */
  #together: Map<string, NamedExpr> | undefined;
  /** The names of the plan's columns, which a select under another name does not free. */
  readonly #taken = new Set<string>();

  constructor(
    /** The rows that the stage begins with; asked for at the end, since aggregates are found on the way. */
    readonly base: () => Plan,
    /** What is shown where nothing is selected. */
    readonly shown: string[],
  ) {}

  /** Declares a column that the base has. */
  declare(name: string, of: ColumnExpr): void {
    this.names.set(name, of);
    this.#taken.add(of.name);
  }

  /** A column name that the plan does not have yet. */
  freeName(wanted: string): string {
    let name = wanted;
    for (let n = 2; this.#taken.has(name); n++) name = `${wanted}_${n}`;
    this.#taken.add(name);
    return name;
  }

  /** Gives a value a name. */
  add(name: string, value: Expr): void {
    if (value.kind === 'column') {
      this.names.set(name, value);
      return;
    }
    const added: NamedExpr = { name: this.freeName(name), value };
    this.#extend(added);
    this.names.set(name, column({ name: added.name, type: value.type }));
  }

  /** One step for as many as do not read each other: each step has a list of all columns. */
  #extend(added: NamedExpr): void {
    const together = this.#together;
    if (together !== undefined && [...columnsRead([added.value])].every((name) => !together.has(name))) {
      together.set(added.name, added);
      return;
    }
    const first = new Map([[added.name, added]]);
    this.#together = first;
    this.#steps.push((plan) => extend(plan, [...first.values()]));
  }

  show(name: string): void {
    this.visible ??= [];
    if (!this.visible.includes(name)) this.visible.push(name);
  }

  showAll(): void {
    for (const name of this.shown) this.show(name);
  }

  keepWhere(predicate: Expr): void {
    this.#together = undefined;
    this.#steps.push((plan) => filter(plan, predicate));
  }

  /** Devo gives events in the order of their time, so the first ones are the earliest. */
  keepFirst(count: number): void {
    this.#together = undefined;
    const time = this.names.get(timeName);
    this.#steps.push((plan) => {
      const ordered = time === undefined ? plan : sort(plan, [{ value: time, descending: false, nullsFirst: false }]);
      return limit(ordered, count);
    });
  }

  rows(): Plan {
    return this.#steps.reduce((plan, step) => step(plan), this.base());
  }

  /** The rows with the columns that are shown, under their names. */
  result(): Plan {
    const plan = this.rows();
    const kept = (this.visible ?? this.shown).map((name) => ({ name, value: this.names.get(name)! }));
    const isSame =
      kept.length === plan.columns.length &&
      kept.every(({ name, value }, i) => value.name === name && plan.columns[i]!.name === name);
    return isSame ? plan : project(plan, kept);
  }
}
