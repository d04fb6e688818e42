/** The frame of a program that starts processes and stays until it is asked to stop. */
import { ConfigError } from '../../platform/config.js';
import { StartError } from '../../platform/embedded/start-error.js';
import { Shutdown, Stopped } from './shutdown.js';
import { warn } from './terminal.js';

/**
 * Runs the start, waits for the wish to stop, stops everything in turn, and ends this process: with 2 where something is
 * to be put right by a person, 1 for a failure.
 * @param start answers false where there is nothing to wait for
 */
export async function supervise(start: (shutdown: Shutdown) => Promise<boolean>): Promise<never> {
  const shutdown = new Shutdown().listen();
  const run = async (): Promise<number> => {
    try {
      if (!(await start(shutdown))) return 0;
      await shutdown.requested;
      return shutdown.failure ? 1 : 0;
    } catch (error) {
      if (error instanceof Stopped) return shutdown.failure ? 1 : 0;
      const isForPeople = error instanceof StartError || error instanceof ConfigError;
      warn(isForPeople ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error));
      return isForPeople ? 2 : 1;
    } finally {
      await shutdown.run();
    }
  };
  process.exit(await run());
}
