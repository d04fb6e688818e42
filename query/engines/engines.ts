/** The engines of an installation. */
import type { Pool } from 'pg';
import type { Platform } from '../../platform/platform.js';
import { Freshness } from './opensearch/freshness.js';
import type { OpenSearchEngine } from './opensearch/run.js';

/** Where queries run: in OpenSearch where there is one to run in, else in PostgreSQL. */
export interface Engines {
  /** The pool of the query role. */
  postgres: Pool;
  openSearch?: OpenSearchEngine;
}

/** The engines that the settings name. */
export function enginesOf({ postgres, search, config }: Pick<Platform, 'postgres' | 'search' | 'config'>): Engines {
  const { queryPool } = postgres;
  if (search === undefined || config.queryEngine !== 'opensearch') return { postgres: queryPool };
  const freshness = new Freshness(postgres, search, config.openSearchWaitMs);
  return { postgres: queryPool, openSearch: { search, freshness, postgres: queryPool } };
}

/** Whether what queries run in answers, beside PostgreSQL. */
export const enginesAnswer = async ({ openSearch }: Engines): Promise<boolean> => openSearch?.search.ping() ?? true;
