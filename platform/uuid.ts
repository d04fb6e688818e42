/** Ids as PostgreSQL writes them. A text that is none must not reach a statement: the cast would fail. */

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether a text is a UUID in lower case. */
export const isUuid = (text: string): boolean => uuid.test(text);
