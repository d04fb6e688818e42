/** `harborwatch query`: submits a job, follows its progress, prints its results. */
import { text as readAll } from 'node:stream/consumers';
import {
  CancelJobDocument,
  type Client,
  EstimateQueryDocument,
  type EstimateQueryQuery,
  HarborwatchClientError,
  JobProgressDocument,
  JobResultsDocument,
  JobSearchResponseDocument,
  type JobStateFragment,
  type QueryLanguage,
  SubmitJobDocument,
  type SubmitJobInput,
} from '../../index.js';
import type { Command } from '../command.js';
import { connectSignedIn, tokenOption, urlOption } from '../connection.js';
import { CommandFailure, exitStatus, statusOf, usageError } from '../failure.js';
import { Interrupted, interruptedStatus, interruptible } from '../interruption.js';
import type { Terminal } from '../terminal/terminal.js';
import { formatCount, formatDuration, parseDuration, plural } from '../terminal/units.js';
import { visible } from '../terminal/width.js';
import { createWriter, outputFormats } from './output.js';
import { pointAt } from './position.js';
import type { ResultRow } from './table.js';

const languages = ['sql', 'kql', 'linq', 'opensearch'] as const;
const rowsPerPage = 1_000;
/** How long the server may take to confirm that a job is cancelled, before we leave anyway. */
const cancelWithinMs = 5_000;

export const query: Command = {
  name: 'query',
  summary: 'Run a query and print its result.',
  positionals: ['TEXT'],
  options: {
    language: { value: 'LANGUAGE', description: 'The language of the query.', choices: languages, preset: 'sql' },
    output: {
      value: 'FORMAT',
      description: 'table cuts long cells; json and csv have whole values.',
      choices: outputFormats,
      preset: 'table',
    },
    dataset: { value: 'DATASET', description: 'What a search of language opensearch searches. Default: logs.' },
    from: {
      value: 'TIME',
      description: 'Only events at or after this time: 2026-01-31T12:00:00Z, 2026-01-31, or 24h for 24 hours ago.',
    },
    to: { value: 'TIME', description: 'Only events before this time.' },
    explain: { description: 'Say how the query would run, and do not run it.' },
    timeout: {
      value: 'TIME',
      description: 'How long the query may run, such as 60s or 5m. Default: as the server has it.',
    },
    spreadsheet: { description: "With --output csv: put ' before cells that a spreadsheet would run as a formula." },
    url: urlOption,
    token: tokenOption,
  },
  notes: `TEXT - is standard input. Ctrl-C cancels the query.

Exit status: 0 done, 1 the query failed, 2 wrong usage, 3 server not reachable or not signed in, 130 interrupted.

A search of language opensearch prints OpenSearch's own answer, with at most ${rowsPerPage.toLocaleString('en')} hits.

Examples: harborwatch query 'SELECT status_code, count(*) FROM website_logs GROUP BY 1 ORDER BY 2 DESC'
          harborwatch query --language kql 'SecurityEvent | where EventID == 4624 | summarize count() by Account'`,

  async run({ positionals, values, flags }, terminal) {
    const timeoutMs = values.timeout === undefined ? undefined : parseDuration(values.timeout);
    if (values.timeout !== undefined && timeoutMs === undefined) {
      throw usageError(`--timeout takes a time such as 500ms, 60s, 5m or 1h, not "${values.timeout}".`);
    }
    const given = positionals[0]!;
    const text = given === '-' ? await readAll(terminal.surroundings.stdin) : given;
    if (text.trim() === '') throw usageError('The query is empty.');
    const { client } = await connectSignedIn(values, terminal.surroundings.env);
    const query = {
      query: text,
      language: values.language!.toUpperCase() as QueryLanguage,
      ...(values.dataset === undefined ? {} : { dataset: values.dataset }),
      ...moment('from', values.from),
      ...moment('to', values.to),
    };
    const input: SubmitJobInput = { ...query, ...(timeoutMs ? { timeoutMs } : {}) };

    let job: JobStateFragment | undefined;
    try {
      if (flags.has('explain')) {
        await terminal.data(explained((await client.execute(EstimateQueryDocument, { input: query })).estimateQuery));
        return exitStatus.success;
      }
      return await interruptible(async (signal) => {
        // Not ended by Ctrl-C: its answer is what a job is cancelled by.
        job = (await client.execute(SubmitJobDocument, { input })).submitJob;
        job = await follow(client, job, terminal, signal);
        if (job.status !== 'COMPLETED') throw failureOf(job, text);
        const rows =
          query.language === 'OPENSEARCH'
            ? await printSearch(client, job, terminal)
            : await printResults(client, job.id, {
                format: values.output!,
                spreadsheet: flags.has('spreadsheet'),
                terminal,
                signal,
              });
        terminal.message(terminal.style('dim', closingLine(rows, job)));
        return exitStatus.success;
      });
    } catch (error) {
      terminal.clearStatus();
      if (error instanceof HarborwatchClientError && typeof error.details.line === 'number')
        throw pointedFailure(error, text);
      if (!(error instanceof Interrupted)) throw error;
      await cancel(client, job, terminal);
      return interruptedStatus;
    } finally {
      terminal.clearStatus();
      await client.close();
    }
  },
};

/** A moment as the API takes it; a duration is so long ago. */
function moment(option: 'from' | 'to', given: string | undefined): { from?: string; to?: string } {
  if (given === undefined) return {};
  const agoMs = /^\d+(\.\d+)?d$/.test(given) ? Number.parseFloat(given) * 86_400_000 : parseDuration(given);
  const isDate = /^\d{4}-\d{2}-\d{2}$/.test(given);
  const ms = Date.parse(given);
  if (agoMs === undefined && (Number.isNaN(ms) || !/^\d{4}-/.test(given))) {
    throw usageError(`--${option} takes a time such as 2026-01-31T12:00:00Z, 2026-01-31 or 24h, not "${given}".`);
  }
  // The API's own reader keeps what is finer than milliseconds.
  if (agoMs !== undefined) return { [option]: new Date(Date.now() - agoMs).toISOString() };
  return { [option]: isDate || !/(Z|[+-]\d{2}:\d{2})$/.test(given) ? new Date(ms).toISOString() : given };
}

function explained({ engine, text, ...report }: EstimateQueryQuery['estimateQuery']): string {
  const { estimatedRows, estimatedCost, indexesUsed, recommendations, runsInSlices } = report;
  const lines = [
    ...text.split('\n').map(visible),
    '',
    `Engine: ${engine}`,
    ...(estimatedRows == null ? [] : [`Rows, estimated: ${formatCount(BigInt(estimatedRows))}`]),
    ...(estimatedCost == null ? [] : [`Cost, estimated: ${estimatedCost}`]),
    ...(indexesUsed.length === 0 ? [] : [`Indexes: ${indexesUsed.join(', ')}`]),
    `Partial results while it runs: ${runsInSlices ? 'yes' : 'no'}`,
    ...recommendations.flatMap(({ reason, statement }) => ['', visible(reason), visible(statement)]),
  ];
  return `${lines.join('\n')}\n`;
}

/** Prints OpenSearch's own answer. @returns the number of hits */
async function printSearch(client: Client, job: JobStateFragment, terminal: Terminal): Promise<number> {
  const { job: found } = await client.execute(JobSearchResponseDocument, { id: job.id, first: rowsPerPage });
  await terminal.data(`${JSON.stringify(found?.results?.searchResponse ?? null, null, 2)}\n`);
  return job.resultCount ?? 0;
}

/** Waits for the job's end and shows how far it is. @throws Interrupted */
async function follow(
  client: Client,
  submitted: JobStateFragment,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<JobStateFragment> {
  if (isOver(submitted)) return submitted;
  const states = client.subscribe(JobProgressDocument, { id: submitted.id });
  const interrupted = new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(new Interrupted()), { once: true }),
  );
  let job = submitted;
  let told = '';
  try {
    if (signal.aborted) throw new Interrupted();
    for (;;) {
      const next = await Promise.race([states.next(), interrupted]);
      if (next.done) break;
      job = next.value.jobProgress;
      if (isOver(job)) break;
      if (terminal.live) terminal.status(progressLine(job));
      else if (job.progress.phase !== told) {
        told = job.progress.phase;
        terminal.message(progressLine(job));
      }
    }
  } finally {
    // Not awaited: it waits for the answer to a `next` that may never come. Closing the client ends it.
    void states.return?.().catch(() => {});
    terminal.clearStatus();
  }
  if (isOver(job)) return job;
  throw new CommandFailure(
    exitStatus.failed,
    `The server ended the progress of job ${job.id} before the job was over.`,
  );
}

const isOver = ({ status }: JobStateFragment): boolean => status !== 'PENDING' && status !== 'RUNNING';

function progressLine({ status, progress, queuePosition }: JobStateFragment): string {
  if (status === 'PENDING')
    return queuePosition == null ? 'waiting' : `waiting, place ${formatCount(queuePosition)} in the queue`;
  const { percent, phase, rowsScanned, rowsMatched } = progress;
  const rows = [
    ...(rowsScanned == null ? [] : [`${formatCount(BigInt(rowsScanned))} rows scanned`]),
    ...(rowsMatched == null ? [] : [`${formatCount(BigInt(rowsMatched))} matched`]),
  ];
  return [`${String(percent).padStart(3)} %`, visible(phase), ...rows].join('  ');
}

interface Printing {
  format: string;
  spreadsheet: boolean;
  terminal: Terminal;
  signal: AbortSignal;
}

/** Prints all pages; the next one is asked for while one is printed. @returns the number of rows */
async function printResults(
  client: Client,
  id: string,
  { format, spreadsheet, terminal, signal }: Printing,
): Promise<number> {
  const read = (after?: string) =>
    client
      .execute(JobResultsDocument, { id, first: rowsPerPage, ...(after ? { after } : {}) }, { signal })
      .catch(interruptedBy(signal));
  let page = await read();
  const emphasise = (line: string) => terminal.dataStyle('bold', line);
  const writer = createWriter(format, page.job?.columns ?? [], { width: terminal.dataColumns, emphasise, spreadsheet });
  for (let count = 0; ; ) {
    const results = page.job?.results;
    if (!results) throw new CommandFailure(exitStatus.failed, `There is no job ${id} any more. Run the query again.`);
    const { hasNextPage, endCursor } = results.pageInfo;
    const following = hasNextPage && endCursor ? read(endCursor) : undefined;
    // It is awaited below; until then a failure must not count as unhandled.
    following?.catch(() => {});
    await terminal.data(writer.page(results.nodes as ResultRow[]));
    count += results.nodes.length;
    if (!following) {
      await terminal.data(writer.end());
      return count;
    }
    page = await following;
  }
}

const closingLine = (rows: number, { cacheHit, executionTimeMs }: JobStateFragment): string => {
  const time = executionTimeMs == null ? '' : ` in ${formatDuration(executionTimeMs)}`;
  return `${plural(rows, 'row')}${time}${cacheHit ? ', from an earlier result' : ''}`;
};

function failureOf({ status, error, id }: JobStateFragment, text: string): CommandFailure {
  if (error) return pointedFailure({ code: error.code, message: error.message, details: { ...error } }, text);
  return new CommandFailure(
    exitStatus.failed,
    status === 'CANCELLED' ? 'The query was cancelled.' : `Job ${id} ended as ${status} without a reason.`,
  );
}

/** An error with the place in the query that it is about. */
function pointedFailure(
  { code, message, details }: Pick<HarborwatchClientError, 'code' | 'message' | 'details'>,
  text: string,
): CommandFailure {
  const place = pointAt(text, details.line as number | null, details.column as number | null);
  return new CommandFailure(statusOf(code), [`${code}: ${visible(message)}`, ...(place ? [place] : [])].join('\n'));
}

async function cancel(client: Client, job: JobStateFragment | undefined, terminal: Terminal): Promise<void> {
  if (!job || isOver(job)) return terminal.message('Interrupted.');
  try {
    await client.execute(CancelJobDocument, { input: { id: job.id } }, { signal: AbortSignal.timeout(cancelWithinMs) });
    terminal.message('The query was cancelled.');
  } catch (error) {
    const ended = error instanceof HarborwatchClientError && error.code === 'JOB_NOT_CANCELLABLE';
    terminal.message(
      ended
        ? 'Interrupted; the query had ended already.'
        : `Interrupted, but job ${job.id} could not be cancelled: ${(error as Error).message}`,
    );
  }
}

/** Turns the client's ABORTED into what ended the call. */
const interruptedBy =
  (signal: AbortSignal) =>
  (error: unknown): never => {
    throw signal.aborted ? new Interrupted() : error;
  };
