/** `npm start` from here on: servers, preparation, our own processes, and in the end everything stopped in turn. */
import { fileURLToPath } from 'node:url';
import { loadConfig, withSettings } from '../../platform/config.js';
import { readArguments, usage } from './arguments.js';
import { openDataDirectory } from './data-directory.js';
import { endLeftovers } from './leftovers.js';
import { requirePort } from './port.js';
import { prepare } from './prepare.js';
import { Processes } from './processes.js';
import { startServers } from './servers.js';
import { supervise } from './supervise.js';
import { announce, say } from './terminal.js';
import { startWorkers } from './workers.js';

const root = fileURLToPath(new URL('../../..', import.meta.url)); // We run from dist/scripts/supervisor/.

await supervise(async (shutdown) => {
  const options = readArguments(process.argv.slice(2), process.env, root);
  if (options.help) {
    say(usage);
    return false;
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
  const processes = new Processes({ dataDir, root, env, shutdown });
  const starting = [
    processes.start('gateway', 'dist/gateway/main.js'),
    startWorkers({ config: loadConfig(env), processes, shutdown }),
  ];
  await shutdown.unlessStopped(Promise.all(starting));
  announce(config, prepared.credentials);
  await prepared.forgetCredentials();
  return true;
});
