/** Reads a job's result through the graph, page after page: the same whether its subgraph is in this process or not. */
import type { Clock } from '../../platform/clock.js';
import { fail } from '../../platform/errors.js';
import type { Identity } from '../../platform/identity.js';
import type { RunOperation } from '../internal-operations.js';
import type { ResultColumn, ResultRow } from './formats.js';

const operation = `query DownloadPage($id: ID!, $first: Int!, $offset: Int!, $partial: Boolean!) {
  job(id: $id) {
    id
    status
    results(first: $first, offset: $offset, partial: $partial) {
      version
      columns { name type }
      rows
      pageInfo { hasNextPage }
    }
  }
}`;

/** The most rows of a page of the graph. */
const maxPageRows = 10_000;
/** What a page costs beside its rows, with room to spare. */
const costBesideRows = 100;

export interface ResultPage {
  jobId: string;
  /** Whether the job has ended: no row is added any more. */
  isWhole: boolean;
  /** Another one once the rows were replaced. */
  version: string;
  columns: ResultColumn[];
  rows: ResultRow[];
  hasNextPage: boolean;
}

/** Who asks for which job. */
export interface Wanted {
  identity: Identity;
  remoteIp: string | null;
  jobId: string;
  partial: boolean;
}

export interface PageReader {
  /** How many rows a page has at most. */
  pageRows: number;
  /** At most `count` rows from row `start` on. @throws NOT_FOUND, why the job has no result, or why it cannot be read */
  read(wanted: Wanted, start: number, count: number): Promise<ResultPage>;
}

export interface PageReaderOptions {
  run: RunOperation;
  clock: Clock;
  /** How long one page may take; a download takes as many times as long as it needs. */
  pageTimeoutMs: number;
  /** The highest cost of an operation, which bounds the rows of a page. */
  maxCost: number;
}

export function createPageReader({ run, clock, pageTimeoutMs, maxCost }: PageReaderOptions): PageReader {
  return {
    pageRows: Math.max(1, Math.min(maxPageRows, maxCost - costBesideRows)),
    async read({ identity, remoteIp, jobId, partial }, offset, first) {
      // Each page has its own time. The caller was who they are when the download began: it goes on to its end.
      const context = { identity: { ...identity, deadline: clock.now() + pageTimeoutMs }, remoteIp };
      const { job } = await run<Answer>(operation, { id: jobId, first, offset, partial }, context);
      if (job === null) fail('NOT_FOUND', 'There is no job with this id.', { argument: 'id' });
      const { version, columns, rows, pageInfo } = job.results;
      return { jobId: job.id, isWhole: job.status === 'COMPLETED', version, columns, rows, ...pageInfo };
    },
  };
}

interface Answer {
  job: {
    id: string;
    status: string;
    results: Pick<ResultPage, 'version' | 'columns' | 'rows'> & { pageInfo: { hasNextPage: boolean } };
  } | null;
}
