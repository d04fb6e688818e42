/** What callers are shown of how a query ran. */
import { hasCapability } from '../../../platform/capabilities.js';
import type { Identity } from '../../../platform/identity.js';
import type { QueryReport } from '../../../query/index.js';

/**
 * The report as far as the caller may see it: what the planner says comes from the rows of all organisations, and is for
 * platform administrators. Others see the engine and the query's steps.
 */
export function visibleReport(identity: Identity, report: QueryReport): QueryReport {
  if (hasCapability(identity, 'platform:admin')) return report;
  // What the engine makes of the steps stands below the first empty line at the earliest.
  const [steps = ''] = report.text.split('\n\n', 1);
  return { ...report, text: steps, estimatedRows: null, estimatedCost: null, indexesUsed: [], recommendations: [] };
}
