/** Events for everybody who listens at the moment. */
export class Events<Event> {
  readonly #listeners = new Set<(event: Event) => void>();

  publish(event: Event): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** The events from now on. */
  listen(): AsyncIterableIterator<Event> {
    const waiting: Event[] = [];
    let wanted: ((result: IteratorResult<Event>) => void) | undefined;
    const listener = (event: Event) => {
      if (!wanted) {
        waiting.push(event);
        return;
      }
      const give = wanted;
      wanted = undefined;
      give({ done: false, value: event });
    };
    this.#listeners.add(listener);
    const end = async (): Promise<IteratorResult<Event>> => {
      this.#listeners.delete(listener);
      wanted?.({ done: true, value: undefined });
      wanted = undefined;
      return { done: true, value: undefined };
    };
    return {
      next: () =>
        waiting.length > 0
          ? Promise.resolve({ done: false, value: waiting.shift()! })
          : new Promise((resolve) => {
              wanted = resolve;
            }),
      return: end,
      throw: end,
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}
