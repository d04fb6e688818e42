/** Watches over the queues of all organisations: what goes wrong with one, and what is well again, is told once. */
import type { Config } from '../../../platform/config.js';
import { systemIdentity } from '../../../platform/identity.js';
import type { Logger } from '../../../platform/logging.js';
import { periodMinutes } from '../../../platform/periods.js';
import type { Postgres } from '../../../platform/postgres/postgres.js';
import { readPoolSlots, readQueuesInUse, takeWatch } from '../../../platform/system/queue-figures.js';
import { alertPeriod, alertsOf } from '../service/alerts.js';
import { startWithinMs } from '../sla.js';
import { StatsStore } from '../store/stats.js';

const watchEveryMs = 10_000;
/** Timers of several processes do not go off at the same moment. */
const toleranceMs = 1_000;

export interface WatchContext {
  postgres: Postgres;
  logger: Logger;
  config: Config;
}

/**
 * Looks at every queue once, and writes down which alerts have begun and ended since somebody last looked. Several
 * processes may look at the same time: each beginning and end is told by one of them.
 */
export async function lookAtQueues({ postgres, logger, config }: WatchContext): Promise<void> {
  const store = new StatsStore(postgres);
  const [queues, pools] = await Promise.all([
    readQueuesInUse(postgres, periodMinutes[alertPeriod] * 60, startWithinMs),
    readPoolSlots(postgres),
  ]);
  for (const queue of queues) {
    const { orgId } = queue;
    const identity = systemIdentity(orgId, 'jobs');
    const on = alertsOf(queue, pools, config);
    for (const alert of on) {
      if (queue.loudAlerts.includes(alert.kind) || !(await store.beginAlert(identity, alert))) continue;
      const { kind, value, threshold } = alert;
      logger.warn({ orgId, kind, value, threshold }, 'a queue is degraded');
    }
    for (const kind of queue.alerts) {
      if (on.some((alert) => alert.kind === kind) || !(await store.endAlert(identity, kind))) continue;
      logger.info({ orgId, kind }, 'a queue has recovered');
    }
  }
}

/** Looks every ten seconds, in turns with the other worker processes; the first time when the workers are known. */
export function startQueueWatch(context: WatchContext): { stop(): Promise<void> } {
  let looking: Promise<void> | undefined;
  const look = async () => {
    if (await takeWatch(context.postgres, watchEveryMs - toleranceMs)) await lookAtQueues(context);
  };
  const timer = setInterval(() => {
    looking ??= look()
      .catch((error) => context.logger.warn({ error: String(error) }, 'the queues could not be looked at'))
      .finally(() => {
        looking = undefined;
      });
  }, watchEveryMs);
  return {
    stop: async () => {
      clearInterval(timer);
      await looking;
    },
  };
}
