/**
 * Every setting of Harborwatch: one typed table, read from the environment once at start.
 * `.env.example` is generated from it, and a wrong value names itself and what would be right.
 */

import { readFileSync } from 'node:fs';
import {
  addressRanges,
  ConfigError,
  choice,
  debugLogSources,
  ed25519Key,
  integer,
  parseHeaderNames,
  parseOrigins,
  parseSubgraphUrls,
  postgresUrl,
  type Setting,
  secret,
  text,
  url,
  webAddress,
} from './setting-kinds.js';

export { ConfigError } from './setting-kinds.js';

/** The table of settings. The key is the name in code. */
export const settings = {
  port: integer('PORT', 4000, 1, 65_535, 'The port of the gateway: GraphQL, GraphiQL and ingest.'),
  host: text(
    'HOST',
    'The address that the gateway listens on. Default 127.0.0.1: this machine only.',
    'an IP address or host name',
  ),
  dataDir: text(
    'HARBORWATCH_DATA_DIR',
    'Where the embedded servers and the secrets live. Default .harborwatch in the checkout.',
    'a directory',
  ),
  adminEmail: text(
    'ADMIN_EMAIL',
    'The first administrator, made on the first start. Default: a demo administrator.',
    'an email address',
  ),
  adminPassword: secret(
    'ADMIN_PASSWORD',
    'The first administrator’s password. Default: made at random and printed once.',
    'at least 8 characters',
  ),
  databaseUrl: postgresUrl(
    'DATABASE_URL',
    'A PostgreSQL to use instead of the embedded one; its user must be able to create roles and schemas.',
  ),
  databaseAppUrl: postgresUrl(
    'DATABASE_APP_URL',
    'The same database as the application role. Default: derived at start.',
  ),
  databaseQueryUrl: postgresUrl(
    'DATABASE_QUERY_URL',
    'The same database as the role that runs users’ queries. Default: derived at start.',
  ),
  databaseSystemUrl: postgresUrl(
    'DATABASE_SYSTEM_URL',
    'The same database as the role of the few cross-organisation tasks. Default: derived at start.',
  ),
  redisUrl: url(
    'REDIS_URL',
    ['redis:', 'rediss:'],
    'A Redis to use instead of the embedded one. It needs maxmemory-policy noeviction.',
  ),
  redisPrefix: text('REDIS_PREFIX', 'What every Redis key starts with. Default hw.', 'letters and digits'),
  tokenSigningKey: secret(
    'TOKEN_SIGNING_KEY',
    'The private Ed25519 JWK that signs access tokens, or a JWK set: its first private key signs, all verify. Default: made on the first start.',
    'a JWK or a JWK set as JSON',
  ),
  tokenSigningKeyFile: text(
    'TOKEN_SIGNING_KEY_FILE',
    'A file with what TOKEN_SIGNING_KEY takes, instead of it. It is read again when it changes: `npm run rotate-keys` puts a new key in front.',
    'a file',
  ),
  oidcIssuer: webAddress(
    'OIDC_ISSUER',
    'An outside issuer whose access tokens are taken beside our own; exactly as the tokens’ `iss` spells it. Default: none.',
  ),
  oidcAudience: text(
    'OIDC_AUDIENCE',
    'What the `aud` of the outside issuer’s tokens has to name; needed with OIDC_ISSUER.',
  ),
  oidcJwksUrl: webAddress(
    'OIDC_JWKS_URL',
    'Where the outside issuer publishes its keys. Default: what its .well-known/openid-configuration tells, or else its .well-known/jwks.json.',
  ),
  oidcOrgClaim: {
    ...text('OIDC_ORG_CLAIM', 'The claim of the outside issuer’s tokens that holds the organisation’s slug.', 'a name'),
    fallback: 'org',
    parse: (value: string) => value,
  },
  oidcRolesClaim: {
    ...text(
      'OIDC_ROLES_CLAIM',
      'The claim of the outside issuer’s tokens that lists roles; those that are not ours are passed over.',
      'a name',
    ),
    fallback: 'roles',
    parse: (value: string) => value,
  },
  cursorKey: secret(
    'CURSOR_KEY',
    'The key that signs paging cursors. Default: made on the first start.',
    '64 hexadecimal digits',
  ),
  apiKeySecret: secret(
    'API_KEY_SECRET',
    'What the secrets of signing API keys are derived from. Default: made on the first start.',
    '64 hexadecimal digits',
  ),
  accessTokenSeconds: integer('ACCESS_TOKEN_SECONDS', 900, 5, 86_400, 'The life of an access token.'),
  refreshTokenDays: integer('REFRESH_TOKEN_DAYS', 30, 1, 365, 'The life of a refresh token.'),
  introspection: choice('INTROSPECTION', 'on', ['on', 'off'], 'Schema introspection for signed-in users.'),
  logLevel: choice(
    'LOG_LEVEL',
    'info',
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
    'The least severe level that is logged.',
  ),
  graphqlBodyBytes: integer('GRAPHQL_BODY_BYTES', 1_048_576, 1_024, 67_108_864, 'The largest GraphQL request body.'),
  ingestBodyBytes: integer(
    'INGEST_BODY_BYTES',
    16_777_216,
    1_024,
    268_435_456,
    'The largest bulk ingest body, after inflation.',
  ),
  eventBytes: integer('EVENT_BYTES', 262_144, 1_024, 16_777_216, 'The largest single event.'),
  workerConcurrency: integer('WORKER_CONCURRENCY', 4, 1, 256, 'How many query jobs one worker process runs at once.'),
  queryTimeoutMs: integer('QUERY_TIMEOUT_MS', 300_000, 100, 3_600_000, 'The timeout of a query job that names none.'),
  graphqlMaxTokens: integer('GRAPHQL_MAX_TOKENS', 2_000, 10, 1_000_000, 'The most tokens of a GraphQL document.'),
  graphqlMaxLines: integer('GRAPHQL_MAX_LINES', 5_000, 10, 1_000_000, 'The most lines of a GraphQL document.'),
  graphqlMaxNameLength: integer(
    'GRAPHQL_MAX_NAME_LENGTH',
    256,
    16,
    1_000_000,
    'The most letters of a name in a GraphQL document.',
  ),
  graphqlMaxDepth: integer(
    'GRAPHQL_MAX_DEPTH',
    10,
    1,
    1_000,
    'How deep an operation may nest fields; introspection is exempt.',
  ),
  graphqlMaxAliases: integer('GRAPHQL_MAX_ALIASES', 15, 0, 100_000, 'The most aliases of an operation.'),
  graphqlMaxRootFields: integer(
    'GRAPHQL_MAX_ROOT_FIELDS',
    20,
    1,
    100_000,
    'The most fields at the root of an operation.',
  ),
  graphqlMaxDirectives: integer('GRAPHQL_MAX_DIRECTIVES', 20, 0, 100_000, 'The most directives of an operation.'),
  graphqlMaxSelections: integer(
    'GRAPHQL_MAX_SELECTIONS',
    5_000,
    10,
    1_000_000,
    'The most fields and fragments of a GraphQL document once its fragments are spread.',
  ),
  graphqlMaxRepetitions: integer(
    'GRAPHQL_MAX_REPETITIONS',
    10_000,
    10,
    10_000_000,
    'The most pairs of selections of the same field in a GraphQL document; validation compares them all.',
  ),
  graphqlMaxNesting: integer(
    'GRAPHQL_MAX_NESTING',
    100,
    5,
    1_000,
    'How deep lists and objects may nest in the JSON of a request.',
  ),
  graphqlMaxLiteralNesting: integer(
    'GRAPHQL_MAX_LITERAL_NESTING',
    10,
    1,
    40,
    'How deep lists and objects may nest where an operation’s text holds them; variables may nest as the JSON may.',
  ),
  graphqlMaxCost: integer(
    'GRAPHQL_MAX_COST',
    100_000,
    1,
    1_000_000_000,
    'The highest cost of an operation by @cost and @listSize; about the number of objects that it may answer.',
  ),
  operationTimeoutMs: integer('OPERATION_TIMEOUT_MS', 10_000, 100, 600_000, 'How long a query may take.'),
  mutationTimeoutMs: integer(
    'MUTATION_TIMEOUT_MS',
    40_000,
    100,
    600_000,
    'How long a mutation may take: submitJob waits for a job for up to 30,000 of it.',
  ),
  persistedOperations: text(
    'PERSISTED_OPERATIONS',
    'A manifest of persisted operations: Apollo’s format, or a JSON object of texts by id. Default: none.',
    'a file',
  ),
  persistedOnly: choice(
    'PERSISTED_ONLY',
    'off',
    ['on', 'off'],
    'Whether the operations of the manifest are the only ones that run.',
  ),
  supergraphFile: {
    ...text(
      'SUPERGRAPH',
      'The composed supergraph that the gateway serves; it is watched. Add your own subgraphs to it.',
      'a file',
    ),
    fallback: 'schema/supergraph.graphql',
    parse: (value: string) => value,
  },
  subgraphUrls: {
    env: 'SUBGRAPH_URLS',
    description: 'The subgraphs that run in processes of their own (`npm run serve`); the others run in the gateway.',
    allowed: 'pairs like jobs=http://127.0.0.1:4101/jobs,audit=http://127.0.0.1:4101/audit, each name once',
    fallback: new Map() as ReadonlyMap<string, string>,
    parse: parseSubgraphUrls,
  },
  forwardHeaders: {
    env: 'FORWARD_HEADERS',
    description: 'Headers of the caller that the gateway sends on to subgraphs, such as authorization. Default none.',
    allowed: 'header names with commas between them; none that belong to one connection',
    fallback: [] as readonly string[],
    parse: parseHeaderNames,
  },
  subgraphTimeoutMs: integer('SUBGRAPH_TIMEOUT_MS', 5_000, 10, 600_000, 'The longest that one subgraph call may take.'),
  subgraphConnections: integer(
    'SUBGRAPH_CONNECTIONS',
    128,
    1,
    10_000,
    'The most connections that the gateway keeps to one address of subgraphs.',
  ),
  subgraphAnswerBytes: integer(
    'SUBGRAPH_ANSWER_BYTES',
    16_777_216,
    1_024,
    268_435_456,
    'The largest answer of a subgraph that the gateway takes.',
  ),
  subgraphBodyBytes: integer(
    'SUBGRAPH_BODY_BYTES',
    33_554_432,
    1_024,
    268_435_456,
    'The largest body that a subgraph process takes; bulk ingest goes through it.',
  ),
  breakerFailures: integer(
    'BREAKER_FAILURES',
    10,
    1,
    10_000,
    'After how many failed calls in a row the gateway stops to call a subgraph.',
  ),
  breakerFailurePercent: integer(
    'BREAKER_FAILURE_PERCENT',
    50,
    1,
    100,
    'At which share of failed calls within ten seconds, of at least 20, the gateway stops to call a subgraph.',
  ),
  breakerCooldownMs: integer(
    'BREAKER_COOLDOWN_MS',
    1_000,
    10,
    600_000,
    'How long a subgraph that failed is left alone before one call tries it again.',
  ),
  hopSigningKey: ed25519Key(
    'HOP_SIGNING_KEY',
    'd',
    'The key that signs the gateway’s calls to subgraph processes. Default: made on the first start.',
  ),
  hopVerifyKey: ed25519Key(
    'HOP_VERIFY_KEY',
    'x',
    'What a subgraph process checks these calls with: HOP_SIGNING_KEY without its "d". Default: taken from that key.',
  ),
  corsOrigins: {
    env: 'CORS_ORIGINS',
    description:
      'The web origins whose pages may call the API from a browser. Default none; * is every one, without credentials.',
    allowed: '* alone, or exact origins like https://app.example,https://admin.example:8443',
    fallback: [] as readonly string[],
    parse: parseOrigins,
  },
  tlsCertFile: text(
    'TLS_CERT_FILE',
    'The certificate chain (PEM) to serve HTTPS and HTTP/2 with; read again when the file changes. Default: plain HTTP.',
    'a file',
  ),
  tlsKeyFile: text('TLS_KEY_FILE', 'The private key (PEM) of TLS_CERT_FILE.', 'a file'),
  trustedProxies: addressRanges(
    'TRUSTED_PROXIES',
    'The proxies in front whose X-Forwarded-For tells the client’s address. Default none: the address of the connection is taken.',
  ),
  debugLogSources: debugLogSources(
    'DEBUG_LOG_SOURCES',
    'Addresses from which the debug logs of an organisation, or of one of its apps, are read without a token. Default none.',
  ),
  requestTimeoutMs: integer(
    'REQUEST_TIMEOUT_MS',
    60_000,
    100,
    3_600_000,
    'How long a client may take to send a whole request.',
  ),
  headersTimeoutMs: integer(
    'HEADERS_TIMEOUT_MS',
    10_000,
    100,
    600_000,
    'How long a client may take to send the headers of a request.',
  ),
  keepAliveTimeoutMs: integer(
    'KEEP_ALIVE_TIMEOUT_MS',
    65_000,
    0,
    3_600_000,
    'How long a connection may stay open without a request; keep it above the idle timeout of a load balancer in front.',
  ),
  maxHeaderBytes: integer(
    'MAX_HEADER_BYTES',
    16_384,
    4_096,
    1_048_576,
    'The largest headers of a request, altogether.',
  ),
  metrics: choice(
    'METRICS',
    'on',
    ['on', 'off'],
    'Figures for Prometheus at /metrics: for this machine alone, or for the holders of METRICS_TOKEN where it is set.',
  ),
  metricsToken: {
    ...secret(
      'METRICS_TOKEN',
      'What a scraper sends as bearer token to read /metrics from anywhere.',
      'at least 16 characters without spaces',
    ),
    parse: (value: string) => (/^[\x21-\x7e]{16,}$/.test(value) ? value : undefined),
  },
  webSocketMessageBytes: integer(
    'WEBSOCKET_MESSAGE_BYTES',
    65_536,
    1_024,
    16_777_216,
    'The largest message that a client may send over a WebSocket.',
  ),
  connectionInitMs: integer(
    'CONNECTION_INIT_MS',
    3_000,
    100,
    600_000,
    'How long a WebSocket may stay open without its connection_init message.',
  ),
  streamPingMs: integer(
    'STREAM_PING_MS',
    15_000,
    100,
    600_000,
    'How often WebSockets and event streams are pinged; a WebSocket that has not answered by the next ping is ended.',
  ),
  streamsMax: integer(
    'STREAMS_MAX',
    20_000,
    1,
    10_000_000,
    'The most WebSockets and event streams that one gateway process holds open.',
  ),
  streamsPerUser: integer(
    'STREAMS_PER_USER',
    200,
    1,
    10_000_000,
    'The most WebSockets and event streams that one user holds open at one gateway process.',
  ),
  operationsPerSocket: integer(
    'OPERATIONS_PER_SOCKET',
    20,
    1,
    100_000,
    'The most subscriptions and other operations that run at once on one WebSocket.',
  ),
  subscriptionQueueMessages: integer(
    'SUBSCRIPTION_QUEUE_MESSAGES',
    1_000,
    1,
    1_000_000,
    'How many messages wait for a subscriber that is too slow, before its subscription ends with SUBSCRIPTION_LAGGED.',
  ),
  subscriptionQueueBytes: integer(
    'SUBSCRIPTION_QUEUE_BYTES',
    1_048_576,
    1_024,
    1_073_741_824,
    'How many bytes of messages wait for a subscriber that is too slow, before its subscription ends with SUBSCRIPTION_LAGGED.',
  ),
  streamDrainMs: integer(
    'STREAM_DRAIN_MS',
    5_000,
    0,
    600_000,
    'Over how long a gateway that ends closes its WebSockets and event streams, so that their clients come back one by one.',
  ),
  planner: choice<'native' | 'apollo'>(
    'QUERY_PLANNER',
    'native',
    ['native', 'apollo'],
    'Who plans operations over the subgraphs; native goes over to apollo where it cannot plan.',
  ),
  planCacheEntries: integer(
    'PLAN_CACHE_ENTRIES',
    2_000,
    1,
    1_000_000,
    'How many compiled operations the gateway keeps.',
  ),
  planCacheBytes: integer(
    'PLAN_CACHE_BYTES',
    67_108_864,
    65_536,
    17_179_869_184,
    'How much memory the compiled operations may take, about.',
  ),
  shareInFlight: choice(
    'GATEWAY_SHARE_IN_FLIGHT',
    'on',
    ['on', 'off'],
    'Whether equal queries of the same caller that run at the same time are answered by one execution.',
  ),
  rateLimits: choice(
    'RATE_LIMITS',
    'on',
    ['on', 'off'],
    'Whether callers are held to the requests and connections of their tier. The gateway alone needs REDIS_URL for that.',
  ),
  anonymousRequestsPerMinute: integer(
    'ANONYMOUS_REQUESTS_PER_MINUTE',
    300,
    1,
    1_000_000_000,
    'How many requests a minute an address may send without a token; of IPv6, a network (/64).',
  ),
  anonymousBurst: integer(
    'ANONYMOUS_BURST',
    60,
    1,
    1_000_000_000,
    'How many requests an address may send at once without a token.',
  ),
} satisfies Record<string, Setting<unknown>>;

type Settings = typeof settings;
/** The settings as the program sees them. */
export type Config = { readonly [K in keyof Settings]: Settings[K]['fallback'] };

/** What one GraphQL operation may ask for. */
export interface OperationLimits {
  tokens: number;
  lines: number;
  nameLength: number;
  /** Levels of fields; introspection is exempt. */
  depth: number;
  aliases: number;
  rootFields: number;
  directives: number;
  /** Fields and fragments of a document once its fragments are spread. */
  selections: number;
  /** Pairs of selections of the same field, which validation compares. */
  repetitions: number;
  /** Levels of lists and objects in JSON. */
  nesting: number;
  /** Levels of lists and objects in the text. */
  literalNesting: number;
  cost: number;
}

/** The setting behind each limit of an operation. */
export const operationLimitSettings = {
  tokens: 'graphqlMaxTokens',
  lines: 'graphqlMaxLines',
  nameLength: 'graphqlMaxNameLength',
  depth: 'graphqlMaxDepth',
  aliases: 'graphqlMaxAliases',
  rootFields: 'graphqlMaxRootFields',
  directives: 'graphqlMaxDirectives',
  selections: 'graphqlMaxSelections',
  repetitions: 'graphqlMaxRepetitions',
  nesting: 'graphqlMaxNesting',
  literalNesting: 'graphqlMaxLiteralNesting',
  cost: 'graphqlMaxCost',
} as const satisfies Record<keyof OperationLimits, keyof Config>;

/** The limits of operations as they are set. */
export function operationLimitsOf(config: Config): OperationLimits {
  const entries = Object.entries(operationLimitSettings).map(([limit, key]) => [limit, config[key]]);
  return Object.fromEntries(entries) as OperationLimits;
}

/** Whether `<NAME>_FILE` names a file to read the setting from, once; a setting of that name has its own meaning. */
const mayStandInFile = ({ env, secret }: Setting<unknown>): boolean =>
  secret === true && !Object.values(settings).some((other) => other.env === `${env}_FILE`);

/** The text of a setting; a secret may also stand in the file that `<NAME>_FILE` names. @throws ConfigError */
function rawSetting(env: Record<string, string | undefined>, setting: Setting<unknown>): string | undefined {
  const own = env[setting.env]?.trim();
  const file = mayStandInFile(setting) ? env[`${setting.env}_FILE`]?.trim() : undefined;
  if (file === undefined || file === '') return own === '' ? undefined : own;
  if (own !== undefined && own !== '') {
    throw new ConfigError(`${setting.env} and ${setting.env}_FILE are both set: leave one of them out.`);
  }
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new ConfigError(`${setting.env}_FILE names "${file}", which cannot be read: ${(error as Error).message}.`);
  }
}

/**
 * Reads all settings from the environment. An empty variable counts as not set.
 * @throws ConfigError that lists every wrong setting with its allowed values
 */
export function loadConfig(env: Record<string, string | undefined>): Config {
  const wrong: string[] = [];
  const entries = Object.entries(settings as Record<string, Setting<unknown>>).map(([key, setting]) => {
    const raw = rawSetting(env, setting);
    if (raw === undefined) return [key, setting.fallback];
    const value = setting.parse(raw);
    if (value === undefined) {
      const shown = setting.secret ? '' : ` "${raw.slice(0, 80)}"`;
      wrong.push(`${setting.env}${shown} is not allowed: it takes ${setting.allowed}.`);
    }
    return [key, value];
  });
  if (wrong.length > 0) throw new ConfigError(wrong.join('\n'));
  return Object.fromEntries(entries) as Config;
}

/** A setting that a process started by itself cannot do without. @throws ConfigError that names it */
export function requireSetting<K extends keyof Config>(config: Pick<Config, K>, key: K): NonNullable<Config[K]> {
  const value = config[key];
  if (value == null) throw new ConfigError(`${settings[key].env} is not set: a process started by itself needs it.`);
  return value;
}

/** The text of `.env.example`. */
export function envExample(): string {
  const head = '# The settings of Harborwatch. All have working defaults; generated from platform/config.ts.\n';
  const lines = Object.values(settings as Record<string, Setting<unknown>>).map((setting) => {
    const fallback = ['string', 'number'].includes(typeof setting.fallback) ? String(setting.fallback) : '';
    const orFile = mayStandInFile(setting) ? ` ${setting.env}_FILE names a file that holds it instead.` : '';
    return `\n# ${setting.description}\n# Takes ${setting.allowed}.${orFile}\n# ${setting.env}=${fallback}\n`;
  });
  return head + lines.join('');
}
