/** Which planner plans: the native one, with Apollo's for what it does not load for or refuses. */
import type { Logger } from '../../platform/logging.js';
import { createApolloPlanner } from './apollo-planner.js';
import type { ApolloWorker } from './apollo-worker-client.js';
import { createNativePlanner } from './native-planner.js';
import type { Planner } from './plan.js';

/** @param preferred `apollo` leaves the native planner out */
export function createPlanner(
  supergraphSdl: string,
  worker: ApolloWorker,
  preferred: 'native' | 'apollo',
  logger: Pick<Logger, 'warn'>,
): Planner {
  const apollo = createApolloPlanner(worker);
  if (preferred === 'apollo') return apollo;
  let native: Planner;
  try {
    native = createNativePlanner(supergraphSdl);
  } catch (error) {
    logger.warn({ err: error }, 'the native query planner does not load here: Apollo’s plans instead');
    return apollo;
  }
  return {
    name: 'native',
    plan: (...question) =>
      native.plan(...question).catch((error: unknown) => {
        logger.warn({ err: error }, 'the native query planner refused an operation: Apollo’s plans it');
        return apollo.plan(...question);
      }),
  };
}
