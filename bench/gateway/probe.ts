/** `node --import probe.js`: a program that tells about itself over IPC. Answers `{ result }`. */

export type ProbeOrder = { probe: 'memory' } | { probe: 'watchStalls' } | { probe: 'stalls' };

export interface MemoryAnswer {
  heapMiB: number;
  rssMiB: number;
}

/** The longest that the event loop did not come round. */
export interface StallAnswer {
  /** In time that the thread worked: what it did itself. */
  workMs: number;
  /** By the clock: also what other processes on the same core took from it. */
  clockMs: number;
}

const mib = 2 ** 20;
const tickMs = 1;

let watch: { stalls: StallAnswer; timer: NodeJS.Timeout } | undefined;

const workMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};

function watchStalls(): void {
  const stalls: StallAnswer = { workMs: 0, clockMs: 0 };
  let work = workMs();
  let clock = performance.now();
  const timer = setInterval(() => {
    const [workNow, clockNow] = [workMs(), performance.now()];
    stalls.workMs = Math.max(stalls.workMs, workNow - work);
    stalls.clockMs = Math.max(stalls.clockMs, clockNow - clock);
    [work, clock] = [workNow, clockNow];
  }, tickMs);
  watch = { stalls, timer };
}

process.on('message', (order: ProbeOrder) => {
  switch (order.probe) {
    case 'memory': {
      // What is garbage anyway would only blur the figures.
      globalThis.gc?.();
      const { heapUsed, rss } = process.memoryUsage();
      process.send?.({ result: { heapMiB: heapUsed / mib, rssMiB: rss / mib } satisfies MemoryAnswer });
      break;
    }
    case 'watchStalls':
      watchStalls();
      process.send?.({ result: true });
      break;
    case 'stalls':
      clearInterval(watch?.timer);
      process.send?.({ result: watch?.stalls });
      break;
  }
});
