/** The worker process: everything that the domains do in the background. */
import { startBackground } from '../platform/background.js';
import { loadConfig } from '../platform/config.js';
import { manageLifecycle, runMain } from '../platform/lifecycle.js';
import { createPlatform } from '../platform/platform.js';
import { subgraphs } from './index.js';

/** How long running work may take to end before it is handed back. */
const stopDeadlineMs = 5_000;

await runMain(async () => {
  const platform = createPlatform(loadConfig(process.env), 'workers');
  const background = await startBackground(platform, subgraphs);
  manageLifecycle(platform.logger, async () => {
    await background.stop(stopDeadlineMs);
    await platform.close();
  });
});
