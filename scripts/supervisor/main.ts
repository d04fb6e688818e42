/** `npm start` from here on: servers, preparation, our own processes, and in the end everything stopped in turn. */
import { fileURLToPath } from 'node:url';
import { ConfigError, withSettings } from '../../platform/config.js';
import { StartError } from '../../platform/embedded/start-error.js';
import { readArguments, usage } from './arguments.js';
import { openDataDirectory } from './data-directory.js';
import { endLeftovers } from './leftovers.js';
import { requirePort } from './port.js';
import { prepare } from './prepare.js';
import { startProcesses } from './processes.js';
import { startServers } from './servers.js';
import { Shutdown, Stopped } from './shutdown.js';
import { announce, say, warn } from './terminal.js';

const root = fileURLToPath(new URL('../../..', import.meta.url)); // We run from dist/scripts/supervisor/.

async function main(): Promise<number> {
  const shutdown = new Shutdown().listen();
  try {
    const options = readArguments(process.argv.slice(2), process.env, root);
    if (options.help) {
      say(usage);
      return 0;
    }
    const { dataDir, config } = options;
    const directory = await openDataDirectory(dataDir);
    shutdown.add(() => directory.release());
    await endLeftovers(dataDir, say);
    await requirePort(config.port, config.host);

    const servers = await startServers({ dataDir, root, config, shutdown });
    const prepared = await shutdown.unlessStopped(prepare({ ...servers, dataDir, demo: options.demo }));
    for (const message of prepared.messages) say(message);

    const own = { PORT: String(config.port), HARBORWATCH_DATA_DIR: dataDir, ...prepared.env };
    const env = withSettings(process.env, own);
    await startProcesses({ dataDir, root, env, shutdown });
    announce(config, prepared.credentials);
    await prepared.forgetCredentials();

    await shutdown.requested;
    return shutdown.failure ? 1 : 0;
  } catch (error) {
    if (error instanceof Stopped) return shutdown.failure ? 1 : 0;
    if (error instanceof StartError || error instanceof ConfigError) {
      warn(error.message);
      return 2;
    }
    warn(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return 1;
  } finally {
    await shutdown.run();
  }
}

process.exit(await main());
