/** Follows the supergraph's file: a new version takes over as a whole, a broken one is refused and told. */
import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Logger } from '../../platform/logging.js';

/** Writers take several steps: it is read when they have rested for so long. */
const restMs = 100;

/**
 * Watches the file's folder, since editors and deployments replace files rather than write into them.
 * @param gateway its `update` throws for a broken supergraph and goes on with the present one
 */
export function watchSupergraph(
  file: string,
  gateway: { update(supergraphSdl: string): Promise<void> },
  logger: Logger,
): Pick<FSWatcher, 'close'> {
  let timer: NodeJS.Timeout | undefined;
  const reload = async () => {
    try {
      await gateway.update(await readFile(file, 'utf8'));
      logger.info({ file }, 'the supergraph is served as it stands in its file');
    } catch (error) {
      logger.error({ err: error, file }, 'the new supergraph is refused, and the present one goes on');
    }
  };
  const name = basename(file);
  const watcher = watch(dirname(file), (_event, changed) => {
    // Mounted folders (Kubernetes) swap a link with another name; some systems give no name at all.
    if (changed !== null && changed !== name && !changed.startsWith('..')) return;
    clearTimeout(timer);
    timer = setTimeout(reload, restMs);
  });
  watcher.on('error', (error) => logger.error({ err: error, file }, 'the supergraph is not watched any more'));
  return {
    close: () => {
      clearTimeout(timer);
      watcher.close();
    },
  };
}
