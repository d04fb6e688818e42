/** Which planner plans: the native one, with Apollo's for what it does not load for, refuses or ends over. */
import type { Logger } from '../../platform/logging.js';
import { createApolloPlanner } from './apollo-planner.js';
import { createNativePlanner } from './native-planner.js';
import type { Planner } from './plan.js';
import type { PlanningProcess } from './planning-process.js';

/** @param preferred `apollo` leaves the native planner out */
export function createPlanner(
  planning: PlanningProcess,
  preferred: 'native' | 'apollo',
  logger: Pick<Logger, 'warn'>,
): Planner {
  const apollo = createApolloPlanner(planning);
  if (preferred === 'apollo') return apollo;
  const native = createNativePlanner(planning);
  return {
    name: 'native',
    plan: (source, operationName, override, needsTypes) => {
      const operation = [source, operationName, override] as const;
      // The native planner leaves out to ask what an interface object is where only fragments depend on it.
      if (needsTypes) return apollo.plan(...operation);
      return native.plan(...operation).catch((error: unknown) => {
        logger.warn({ err: error }, 'the native query planner does not plan an operation: Apollo’s plans it');
        return apollo.plan(...operation);
      });
    },
  };
}
