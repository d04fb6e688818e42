/** The life of a process: ready, then a drain on SIGTERM, SIGINT or the end of its parent, then the end. */
import type { Logger } from './logging.js';

const drainTimeoutMs = 8_000;

/**
 * Tells the parent that the process is ready, and drains once when it is asked to end. An error that nobody caught ends
 * the process with status 1: its supervisor starts it afresh.
 */
export function manageLifecycle(logger: Logger, drain: () => Promise<void>): void {
  let ending = false;
  const end = (reason: string, status: number) => {
    if (ending) return;
    ending = true;
    logger.info({ reason }, 'draining');
    setTimeout(() => process.exit(1), drainTimeoutMs).unref();
    drain().then(
      () => process.exit(status),
      (error) => {
        logger.error({ err: error }, 'drain failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', () => end('SIGTERM', 0));
  process.on('SIGINT', () => end('SIGINT', 0));
  process.on('disconnect', () => end('the parent has ended', 0));
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'uncaught exception');
    end('uncaught exception', 1);
  });
  process.on('unhandledRejection', (error) => {
    logger.fatal({ err: error }, 'unhandled rejection');
    end('unhandled rejection', 1);
  });
  process.send?.({ ready: true });
}

/** Runs a process's start; a wrong setting ends it with status 2 and the message alone. */
export async function runMain(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    const { name, message, stack } = error as Error;
    process.stderr.write(`${name === 'ConfigError' ? message : stack}\n`);
    process.exit(name === 'ConfigError' ? 2 : 1);
  }
}
