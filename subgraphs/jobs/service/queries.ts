/** What can be asked of a query's text without running it. */
import { datasets } from '../../../datasets/index.js';
import { hasCapability } from '../../../platform/capabilities.js';
import type { Identity } from '../../../platform/identity.js';
import {
  type Completion,
  completeQuery,
  type Engines,
  prepareQuery,
  type QueryReport,
  reportOnQuery,
} from '../../../query/index.js';
import type { JobLanguage } from '../store/jobs.js';
import { aboutInput, checkInteger, type QueryText, toQuery } from './query-text.js';

export class QueryService {
  constructor(private readonly engines: Engines) {}

  /** How the query would run; nothing is stored. @throws QUERY_* with the place in the text */
  async estimate(identity: Identity, text: QueryText): Promise<QueryReport> {
    const { query, ...options } = toQuery(text);
    return aboutInput(async () => {
      const prepared = await prepareQuery({ ...options, text: query, dataset: options.dataset ?? undefined, datasets });
      const sees = hasCapability(identity, 'platform:admin') ? 'EVERYTHING' : 'BOUNDS';
      return reportOnQuery(this.engines, prepared, { orgId: identity.orgId, sees });
    });
  }

  /** What could stand at a place of a text that is being written. */
  async complete(text: string, language: JobLanguage, position: number): Promise<Completion[]> {
    checkInteger(position, 0, text.length, 'input.position');
    return completeQuery({ language, text, offset: position, datasets });
  }
}
