/** Bounds on waiting, for work that cannot be told to stop. */
import { fail } from './errors.js';

/** What `work` answers, or throws; where it takes longer than `timeoutMs`, what `late` does. */
export async function orLate<T>(timeoutMs: number, work: Promise<T>, late: () => T): Promise<T> {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, timeoutMs);
  return Promise.race([work, over.promise.then(late)]).finally(() => clearTimeout(timer));
}

/** What `work` answers; `otherwise` where it fails, or takes longer than `timeoutMs`. */
export const within = <T>(timeoutMs: number, work: Promise<T>, otherwise: T): Promise<T> =>
  orLate(
    timeoutMs,
    work.catch(() => otherwise),
    () => otherwise,
  );

/** What `work` answers. @throws SERVICE_UNAVAILABLE where it takes longer than `timeoutMs`; as `work` */
export const inTime = <T>(timeoutMs: number, work: Promise<T>): Promise<T> =>
  orLate(timeoutMs, work, () =>
    fail('SERVICE_UNAVAILABLE', 'What this needs does not answer at the moment. Try again in a few seconds.'),
  );
