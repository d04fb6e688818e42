/** Why the product cannot start, in one line for people: what is wrong and what to do. Never a bug's stack trace. */
export class StartError extends Error {
  override readonly name = 'StartError';
}
