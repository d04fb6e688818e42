/** Work that many ask for one by one and that costs less together: while one batch is worked off, the next one gathers. */

interface Waiting<Item, Result> {
  item: Item;
  resolve(result: Result | Promise<Result>): void;
  reject(error: unknown): void;
}

export class Batching<Item, Result> {
  readonly #work: (items: Item[]) => Promise<readonly (Result | Promise<Result>)[]>;
  readonly #maxItems: number;
  #waiting: Waiting<Item, Result>[] = [];
  #isWorking = false;

  /**
   * @param work answers one result for each item, in order; where it fails, all of the batch fail
   * @param maxItems of one batch
   */
  constructor(work: (items: Item[]) => Promise<readonly (Result | Promise<Result>)[]>, maxItems: number) {
    this.#work = work;
    this.#maxItems = maxItems;
  }

  /** Goes with the next batch, which begins at once where none is in hand. */
  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (!this.#isWorking) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isWorking = true;
    // What is asked for in the same turn goes together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, this.#maxItems);
      try {
        const results = await this.#work(batch.map(({ item }) => item));
        for (const [index, { resolve }] of batch.entries()) resolve(results[index]!);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#isWorking = false;
  }
}
