/** Takes out of logs what must not stand there: tokens, passwords, cookies, keys, and the values of queries. */

/** Fields that hold secrets, wherever they stand in what is logged. Compared in lower case without `-` and `_`. */
const secretFields = new Set(
  'password,currentpassword,newpassword,passwordhash,accesstoken,refreshtoken,token,authorization,cookie,setcookie,secret,apikey,apikeysecret,clientsecret,privatekey,signingkey,cursorkey,xlogtrustsign,connectionparams'.split(
    ',',
  ),
);
/** Fields that hold the text of a query, or what was sent with it. */
const queryFields = new Set(['query', 'sql', 'statement', 'variables', 'parameters', 'internalquery']);

const redacted = '[redacted]';
const maxDepth = 8;

/**
 * Secrets that are told by their look, wherever they stand in a line: `Bearer …`, JWTs, API keys, refresh tokens (two
 * UUIDs and a secret), secrets of callbacks, passwords in URLs.
 */
const secretTexts: readonly [RegExp, string][] = [
  [/\b(Bearer|Basic) +[\w.~+/=-]+/gi, `$1 ${redacted}`],
  [/\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*/g, redacted],
  [/\b(hwk_[\w-]{43})\.[\w-]{20,}/g, `$1.${redacted}`],
  [/\b([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\.){2}[\w-]{20,}/gi, redacted],
  [/\bwhsec_[\w+/=-]{20,}/g, redacted],
  [/(\/\/[^\s/:@"]*):[^\s/@"]+@/g, `$1:${redacted}@`],
];

/** A line without the secrets that are told by their look. */
export function withoutSecrets(line: string): string {
  return secretTexts.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), line);
}

/** A copy of what is logged, with secret fields and the values of queries taken out at any depth. */
export function withoutSecretFields(value: unknown, depth = 0): unknown {
  if (value instanceof Error) return errorForLogs(value, depth);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= maxDepth) return '[deeper]';
  if (Array.isArray(value)) return value.map((item) => withoutSecretFields(item, depth + 1));
  if (Object.getPrototypeOf(value) !== Object.prototype && Object.getPrototypeOf(value) !== null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => {
      const plain = name.toLowerCase().replace(/[-_]/g, '');
      if (secretFields.has(plain)) return [name, redacted];
      if (queryFields.has(plain)) return [name, typeof part === 'string' ? withoutLiterals(part) : redacted];
      return [name, withoutSecretFields(part, depth + 1)];
    }),
  );
}

/** The text of a query, in whatever language, with `?` in place of its strings and numbers. */
export const withoutLiterals = (query: string): string =>
  query
    .replace(/"""[\s\S]*?"""|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\]|\\.|'')*'|\$(\w*)\$[\s\S]*?\$\1\$/g, '?')
    .replace(/\b\d[\w.]*/g, '?');

/**
 * What of an error is logged. Errors of PostgreSQL and of GraphQL carry texts of queries and values of rows among their
 * fields, so nothing is taken but what tells where to look.
 */
function errorForLogs(error: Error, depth: number): Record<string, unknown> {
  const { name, message, stack, code, cause } = error as Error & { code?: unknown };
  const quotesValues = name === 'GraphQLError' || (typeof code === 'string' && /^2[23]\w{3}$/.test(code));
  // The classes 22 (data exception) and 23 (integrity) of SQLSTATE quote values; others quote names.
  const shown = (text: string) => (quotesValues ? text.replace(/"(?:[^"\\]|\\.)*"/g, '"?"') : text);
  return {
    type: name,
    message: shown(message),
    ...(code === undefined ? {} : { code }),
    ...(stack === undefined ? {} : { stack: shown(stack) }),
    ...(cause === undefined || depth >= maxDepth ? {} : { cause: withoutSecretFields(cause, depth + 1) }),
    ...(error instanceof AggregateError && depth < maxDepth
      ? { errors: error.errors.map((one) => withoutSecretFields(one, depth + 1)) }
      : {}),
  };
}
