/** Lets one loop sleep until there may be something to do. */
export class Bell {
  #isRung = false;
  #wake: () => void = () => {};

  /** Ends the wait; where nobody waits, the next one is over at once. */
  ring(): void {
    this.#isRung = true;
    this.#wake();
  }

  /** Resolves when it is rung or the time is over. */
  async wait(timeoutMs: number): Promise<void> {
    if (!this.#isRung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#isRung = false;
  }
}
