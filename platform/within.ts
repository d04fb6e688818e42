/** A bound on waiting, for work that cannot be told to stop. */

/** What `work` answers; `otherwise` where it fails, or takes longer than `timeoutMs`. */
export async function within<T>(timeoutMs: number, work: Promise<T>, otherwise: T): Promise<T> {
  const timeout = Promise.withResolvers<T>();
  const timer = setTimeout(() => timeout.resolve(otherwise), timeoutMs);
  return Promise.race([work.catch(() => otherwise), timeout.promise]).finally(() => clearTimeout(timer));
}
