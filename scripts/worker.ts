/** `npm run worker` from here on: the worker processes of one pool, kept running until they are to stop. */
import { fileURLToPath } from 'node:url';
import { loadConfig, withSettings } from '../platform/config.js';
import { environmentBeside } from './installation.js';
import { Processes } from './supervisor/processes.js';
import { supervise } from './supervisor/supervise.js';
import { say } from './supervisor/terminal.js';
import { readWorkerArguments, workerUsage } from './supervisor/worker-arguments.js';
import { startWorkers } from './supervisor/workers.js';

const root = fileURLToPath(new URL('../..', import.meta.url)); // We run from dist/scripts/.

await supervise(async (shutdown) => {
  const { help, settings } = readWorkerArguments(process.argv.slice(2));
  if (help) {
    say(workerUsage);
    return false;
  }
  const env = withSettings(await environmentBeside(root), settings);
  const config = loadConfig(env);
  const processes = new Processes({ dataDir: undefined, root, env, shutdown });
  await shutdown.unlessStopped(startWorkers({ config, processes, shutdown }));
  const { workerPool, workerConcurrency, workerProcesses } = config;
  const { min, max } = workerProcesses;
  const count = min === max ? String(min) : `${min} to ${max}`;
  say(
    `Workers of the pool ${workerPool} are ready: ${count} x ${workerConcurrency} jobs at once. Stop them with Ctrl-C.`,
  );
  return true;
});
