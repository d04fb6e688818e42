/** The worker process: everything that the domains do in the background. */
import { loadConfig } from '../platform/config.js';
import { manageLifecycle, runMain } from '../platform/lifecycle.js';
import { followOutbox } from '../platform/outbox.js';
import { createPlatform } from '../platform/platform.js';
import { subgraphs } from './index.js';

/** How long running work may take to end before it is handed back. */
const stopDeadlineMs = 5_000;

await runMain(async () => {
  const platform = createPlatform(loadConfig(process.env), 'workers');
  const domains = subgraphs.map((subgraph) => ({ name: subgraph.name, parts: subgraph.create(platform) }));
  const outboxes = domains.flatMap(({ name, parts }) =>
    parts.events ? [followOutbox(platform.postgres, name, parts.events, platform.logger)] : [],
  );
  const workers = (await Promise.all(domains.map(({ parts }) => parts.startWorkers?.() ?? []))).flat();
  manageLifecycle(platform.logger, async () => {
    await Promise.all([
      ...workers.map((worker) => worker.stop(stopDeadlineMs)),
      ...outboxes.map((outbox) => outbox.stop()),
    ]);
    await Promise.all(domains.map(({ parts }) => parts.close?.()));
    await platform.close();
  });
});
