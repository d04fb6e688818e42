/** Random choices, read from a row of numbers: 0 is the simplest choice, so that what fails shrinks. */
export class Tape {
  private position = 0;
  constructor(private readonly numbers: readonly number[]) {}

  below(limit: number): number {
    return (this.numbers[this.position++] ?? 0) % limit;
  }
  pick<T>(...choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }
  oneIn(count: number): boolean {
    return this.below(count) === count - 1;
  }
}
