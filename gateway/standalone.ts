/**
 * `npm run gateway -- --supergraph FILE --port N [--host H] [--no-auth]`: the gateway alone, over
 * any composed Federation 2 supergraph and the addresses of the subgraphs that it names.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type Authenticator, standaloneAuthenticator } from '../platform/authentication/authenticator.js';
import { TokenKeys } from '../platform/authentication/token-keys.js';
import { Tokens } from '../platform/authentication/tokens.js';
import { systemClock } from '../platform/clock.js';
import { type Config, ConfigError, loadConfig } from '../platform/config.js';
import { manageLifecycle, runMain } from '../platform/lifecycle.js';
import { createLogger, type Logger } from '../platform/logging.js';
import { connectRedis } from '../platform/redis.js';
import { startEdge } from './edge.js';
import { startGraph } from './graph.js';
import { CallerLimits } from './limits/caller-limits.js';
import { HttpSource } from './sources/http.js';
import { watchSupergraph } from './supergraph/watch.js';

const usage = `Usage: npm run gateway -- --supergraph FILE [--port N] [--host H] [--no-auth]

  --supergraph FILE  a composed Federation 2 supergraph; it is watched, and a new one takes over while requests run
  --port N           the port to listen on; 0 takes a free one (PORT, 4000)
  --host H           the address to listen on (HOST, 127.0.0.1)
  --no-auth          asks nobody for a token; else access tokens are checked with TOKEN_SIGNING_KEY,
                     or are those of OIDC_ISSUER`;

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        supergraph: { type: 'string' },
        port: { type: 'string' },
        host: { type: 'string' },
        'no-auth': { type: 'boolean', default: false },
      },
    });
    if (values.supergraph === undefined) throw new Error('--supergraph FILE is missing.');
    return { ...values, supergraph: values.supergraph };
  } catch (error) {
    throw new ConfigError(`${(error as Error).message}\n\n${usage}`);
  }
}

async function readSupergraph(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new ConfigError(`The supergraph ${file} cannot be read: ${(error as Error).message}.`);
  }
}

/** Foreign subgraphs do not know our identities: the gateway alone keeps strangers out. */
function authenticatorOf(config: Config, logger: Logger): Authenticator {
  const { tokenSigningKey, tokenSigningKeyFile, oidcIssuer } = config;
  const isOutsideAlone = oidcIssuer !== undefined && (tokenSigningKey ?? tokenSigningKeyFile) === undefined;
  const tokens = isOutsideAlone
    ? undefined
    : new Tokens(TokenKeys.fromConfig(config, logger), config.accessTokenSeconds);
  return standaloneAuthenticator(config, tokens, logger);
}

await runMain(async () => {
  const { supergraph: file, port, host, 'no-auth': open } = readArguments();
  const anyPort = port === '0';
  const config = loadConfig({ ...process.env, ...(port === undefined || anyPort ? {} : { PORT: port }) });
  const logger = createLogger('gateway', config.logLevel);
  const authenticator = open ? undefined : authenticatorOf(config, logger);
  const graph = await startGraph({
    config,
    logger,
    supergraphSdl: await readSupergraph(file),
    scalars: [],
    schemaIsPublic: open,
    sourceFor: ({ name, url }, metrics) => new HttpSource({ name, url, settings: config, logger, metrics }),
  }).catch((error: Error) => {
    throw new ConfigError(`The supergraph ${file} cannot be served: ${error.message}`);
  });
  const { rateLimits, redisUrl, redisPrefix } = config;
  const redis =
    rateLimits === 'on' && redisUrl !== undefined ? connectRedis(redisUrl, redisPrefix ?? 'hw', logger) : undefined;
  const edge = await startEdge({
    config,
    logger,
    clock: systemClock,
    authenticator,
    callerLimits: redis && new CallerLimits({ config, redis, logger }),
    graph,
    routes: [],
    port: anyPort ? 0 : config.port,
    host: host ?? config.host ?? '127.0.0.1',
  });
  const watch = watchSupergraph(file, graph.gateway, logger);
  process.stdout.write(`The gateway is ready at ${edge.url}/graphql\n`);
  manageLifecycle(logger, async () => {
    watch.close();
    await edge.drain();
    await graph.close();
    await redis?.close();
  });
});
