/** Worker pools: groups of worker processes that run query jobs. An organisation's jobs run in one of them. */

/** The pool of all organisations that have none of their own, and of those whose own has no worker at the moment. */
export const sharedPool = 'shared';

/** What names of pools look like, for messages. */
export const poolNameRule = '1 to 63 lower-case letters, digits and hyphens, starting with a letter';

export const isPoolName = (text: string): boolean => /^[a-z][a-z0-9-]{0,62}$/.test(text);
