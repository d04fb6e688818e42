/** A bound on waiting, for work that cannot be told to stop. */
import { HarborwatchError } from './errors.js';

/** What `work` answers; `otherwise` where it fails, or takes longer than `timeoutMs`. */
export async function within<T>(timeoutMs: number, work: Promise<T>, otherwise: T): Promise<T> {
  const timeout = Promise.withResolvers<T>();
  const timer = setTimeout(() => timeout.resolve(otherwise), timeoutMs);
  return Promise.race([work.catch(() => otherwise), timeout.promise]).finally(() => clearTimeout(timer));
}

/** What `work` answers. @throws SERVICE_UNAVAILABLE where it takes longer than `timeoutMs`; as `work` */
export async function inTime<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const message = 'What this needs does not answer at the moment. Try again in a few seconds.';
  const timer = setTimeout(() => late.reject(new HarborwatchError('SERVICE_UNAVAILABLE', message)), timeoutMs);
  return Promise.race([work, late.promise]).finally(() => clearTimeout(timer));
}
