/** `harborwatch jobs`, and `jobs show`, `jobs cancel` and `jobs results`. */
import {
  CancelJobDocument,
  type DownloadFormat,
  type JobStatus,
  ListJobsDocument,
  ShowJobDocument,
  type ShowJobQuery,
} from '../../index.js';
import type { OptionDeclaration } from '../arguments.js';
import type { Command } from '../command.js';
import { connectSignedIn, tokenOption, urlOption } from '../connection.js';
import { CommandFailure, exitStatus, usageError } from '../failure.js';
import { Interrupted, interruptible } from '../interruption.js';
import { createTable } from '../query/table.js';
import { formatBytes, formatCount, formatDuration } from '../terminal/units.js';
import { visible } from '../terminal/width.js';
import { download, partOf, toFile, toStdout } from './download.js';

const output: OptionDeclaration = {
  value: 'FORMAT',
  description: 'How to print.',
  choices: ['text', 'json'],
  preset: 'text',
};
const statuses = ['pending', 'running', 'completed', 'failed', 'cancelled'] as const;
const maxListed = 200;
const exitNotes = 'Exit status: 0 done, 1 refused, 2 wrong usage, 3 server not reachable or not signed in.';

export const listJobs: Command = {
  name: 'jobs',
  summary: 'List the jobs of your organisation, the newest first.',
  positionals: [],
  options: {
    status: { value: 'STATUS', description: 'Only jobs with this status.', choices: statuses },
    limit: { value: 'N', description: `How many, 1 to ${maxListed}.`, preset: '50' },
    output,
    url: urlOption,
    token: tokenOption,
  },
  notes: `More words: jobs show ID, jobs cancel ID, jobs results ID.

${exitNotes}`,

  async run({ values }, terminal) {
    const first = Number(values.limit);
    if (!Number.isInteger(first) || first < 1 || first > maxListed) {
      throw usageError(`--limit takes a whole number from 1 to ${maxListed}, not "${values.limit}".`);
    }
    const { client } = await connectSignedIn(values, terminal.surroundings.env);
    const status = values.status?.toUpperCase() as JobStatus | undefined;
    const { jobs } = await client.execute(ListJobsDocument, { first, ...(status ? { status } : {}) });
    if (values.output === 'json') {
      await terminal.data(`${JSON.stringify(jobs.nodes, null, 2)}\n`);
      return exitStatus.success;
    }
    const names = ['id', 'status', 'language', 'submitted', 'rows', 'time', 'query'];
    const columns = names.map((name) => ({
      name,
      type: name === 'rows' ? 'LONG' : name === 'query' ? 'STRING' : 'GUID',
    }));
    const emphasise = (line: string) => terminal.dataStyle('bold', line);
    const rows = jobs.nodes.map(
      ({ id, status, progress, language, createdAt, resultCount, executionTimeMs, query }) => ({
        id,
        status: status === 'RUNNING' ? `RUNNING ${progress.percent} %` : status,
        language,
        submitted: createdAt,
        rows: resultCount == null ? '' : formatCount(resultCount),
        time: executionTimeMs == null ? '' : formatDuration(executionTimeMs),
        query: query.trim().replaceAll(/\s+/g, ' '),
      }),
    );
    await terminal.data(createTable(columns, { width: terminal.dataColumns, emphasise })(rows));
    const { value, relation } = jobs.totalCount;
    const all = `${relation === 'AT_LEAST' ? 'more than ' : ''}${formatCount(value)}`;
    if (value > rows.length) terminal.message(terminal.style('dim', `${formatCount(rows.length)} of ${all}`));
    return exitStatus.success;
  },
};

export const showJob: Command = {
  name: 'jobs show',
  summary: 'Show a job.',
  positionals: ['ID'],
  options: { output, url: urlOption, token: tokenOption },
  notes: exitNotes,

  async run({ positionals, values }, terminal) {
    const { client } = await connectSignedIn(values, terminal.surroundings.env);
    const { job } = await client.execute(ShowJobDocument, { id: positionals[0]! });
    if (!job) throw new CommandFailure(exitStatus.failed, `NOT_FOUND: There is no job "${visible(positionals[0]!)}".`);
    await terminal.data(values.output === 'json' ? `${JSON.stringify(job, null, 2)}\n` : described(job));
    return exitStatus.success;
  },
};

function described(job: NonNullable<ShowJobQuery['job']>): string {
  const { error, progress, columns } = job;
  const place =
    error?.line == null ? '' : ` (line ${error.line}${error.column == null ? '' : `, column ${error.column}`})`;
  const lines: [string, string | null | undefined][] = [
    ['id', job.id],
    ['status', job.status],
    ['progress', `${progress.percent} %, ${progress.phase}`],
    ['queue', job.queuePosition == null ? null : `place ${formatCount(job.queuePosition)}`],
    ['language', job.language],
    ['priority', job.priority],
    ['submitted', job.createdAt],
    ['by', job.submittedBy?.email],
    ['started', job.startedAt],
    ['ended', job.completedAt],
    ['time', job.executionTimeMs == null ? null : formatDuration(job.executionTimeMs)],
    ['rows', job.resultCount == null ? null : formatCount(job.resultCount)],
    ['kept until', job.expiresAt],
    ['columns', columns?.map(({ name, type }) => `${name} ${type}`).join(', ')],
    ['error', error && `${error.code}: ${error.message}${place}`],
    ['metadata', job.metadata == null ? null : JSON.stringify(job.metadata)],
  ];
  const shown = lines.flatMap(([name, text]) => (text ? [`${name.padEnd(10)}  ${visible(text)}\n`] : []));
  return `${shown.join('')}\n${job.query.split('\n').map(visible).join('\n')}\n`;
}

export const cancelJob: Command = {
  name: 'jobs cancel',
  summary: 'Cancel a job that waits or runs.',
  positionals: ['ID'],
  options: { url: urlOption, token: tokenOption },
  notes: `${exitNotes}\nA job that has ended is refused with its status, and stays as it is.`,

  async run({ positionals, values }, terminal) {
    const { client } = await connectSignedIn(values, terminal.surroundings.env);
    const { cancelJob: cancelled } = await client.execute(CancelJobDocument, { input: { id: positionals[0]! } });
    terminal.message(`Cancelled; it was ${cancelled.previousStatus}.`);
    return exitStatus.success;
  },
};

export const saveResults: Command = {
  name: 'jobs results',
  summary: 'Download the result of a completed job.',
  positionals: ['ID'],
  options: {
    format: {
      value: 'FORMAT',
      description: 'What to write.',
      choices: ['csv', 'ndjson', 'json'],
      preset: 'csv',
    },
    output: {
      value: 'FILE',
      description: 'Where to write it; a file that is there is replaced. Default: standard output.',
    },
    url: urlOption,
    token: tokenOption,
  },
  notes: `With --output, rows come into FILE.….part first. Where that was broken off, the same command goes on from its end.

${exitNotes} 130 interrupted.

Example: harborwatch jobs results 0198c2f0-5b7e-7d3a-9c41-5f0e6a2b8d11 --format csv --output result.csv`,

  async run({ positionals, values }, terminal) {
    const [id, format, file] = [positionals[0]!, values.format as DownloadFormat, values.output];
    const { client } = await connectSignedIn(values, terminal.surroundings.env);
    try {
      return await interruptible(async (signal) => {
        if (file === undefined) {
          await download(client, { id, format, etag: undefined, sink: toStdout(terminal), terminal, signal });
          return exitStatus.success;
        }
        const etag = await client.downloadTag(id, format, { signal });
        const sink = await toFile(partOf(file, etag));
        const bytes = await download(client, { id, format, etag, sink, terminal, signal }).finally(() => sink.close());
        await sink.moveTo(file);
        terminal.message(`${file}: ${formatBytes(bytes)}`);
        return exitStatus.success;
      });
    } catch (error) {
      if (error instanceof Interrupted && file !== undefined) {
        terminal.message('Interrupted. The same command goes on where it ended.');
      }
      throw error;
    } finally {
      terminal.clearStatus();
    }
  },
};
