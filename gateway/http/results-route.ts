/**
 * Downloads: `GET /jobs/{id}/results?format=json|csv|ndjson` streams a job's rows, read through the graph page by page. A
 * result never changes, so that every download of it has the same bytes: a broken one goes on where it ended.
 */
import { hash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { LRUCache } from 'lru-cache';
import { fail } from '../../platform/errors.js';
import { isSignedIn } from '../../platform/identity.js';
import type { Logger } from '../../platform/logging.js';
import { Download, Layout } from '../downloads/download.js';
import { type FormatName, formats, isFormatName } from '../downloads/formats.js';
import type { PageReader, ResultPage, Wanted } from '../downloads/pages.js';
import { isRange, namesTag, rangeOf } from '../downloads/range.js';
import { sendBytes } from '../downloads/send.js';
import { ClientGone } from './body.js';
import { chooseEncoding } from './compression.js';
import type { OnAnswered } from './graphql-route.js';
import { decodePath, type Exchange, type Route } from './listener.js';
import { appendVary } from './vary.js';

const prefix = '/jobs/';
/** Part of every entity tag: a higher one where the same rows come to make other bytes. */
const representation = 1;
const maxLayouts = 1_000;
/** What fits into GraphQL’s Int. */
const maxRow = 2_147_483_647;

/** The routes below `/jobs/`. @param onAnswered is told of every download after its end */
export function resultsRoute(reader: PageReader, logger: Logger, onAnswered: OnAnswered): Route {
  const layouts = new LRUCache<string, Layout>({ max: maxLayouts });

  /** The layout of a whole result's download, as far as an earlier one found it. */
  const layoutOf = (key: string, firstRow: number): Layout => {
    const known = layouts.get(key) ?? new Layout(firstRow);
    layouts.set(key, known);
    return known;
  };

  return {
    path: prefix,
    methods: ['GET', 'HEAD'],
    authenticated: true,
    async handle(exchange) {
      const started = performance.now();
      const { request, response, identity, remoteIp, url } = exchange;
      if (!isSignedIn(identity)) fail('UNAUTHENTICATED', 'Send the access token as `Authorization: Bearer <token>`.');
      const { format, offset, limit, partial } = readParameters(url.searchParams);
      const wanted: Wanted = { identity, remoteIp, jobId: jobIdOf(url), partial };
      const endRow = Math.min(offset + limit, maxRow);
      const takesBody = request.method === 'GET' && !isRange(request.headers.range);
      const firstCount = takesBody && request.headers['if-none-match'] === undefined ? reader.pageRows : 0;
      const firstPage = await reader.read(wanted, offset, Math.min(firstCount, endRow - offset));

      const { jobId, version, columns, isWhole } = firstPage;
      const key = JSON.stringify([representation, identity.orgId, jobId, version, format, offset, endRow]);
      const download = new Download({
        encoder: formats[format].encoder(columns, offset > 0),
        layout: isWhole ? layoutOf(key, offset) : new Layout(offset),
        firstRow: offset,
        endRow,
        version,
        pageRows: reader.pageRows,
        read: withFirst(firstCount === 0 ? undefined : firstPage, offset, (start, count) =>
          reader.read(wanted, start, count),
        ),
      });
      try {
        await answer(exchange, {
          download,
          isWhole,
          tag: hash('sha256', key, 'base64url').slice(0, 27),
          format,
          jobId,
        });
      } catch (error) {
        if (response.headersSent && !(error instanceof ClientGone)) {
          logger.warn({ jobId, requestId: exchange.requestId, error: String(error) }, 'a download was broken off');
        }
        throw error;
      } finally {
        onAnswered(exchange, { action: 'download', operation: format, responseMs: performance.now() - started });
      }
    },
  };
}

interface Parameters {
  format: FormatName;
  offset: number;
  limit: number;
  partial: boolean;
}

/** @throws UNKNOWN_FORMAT, BAD_USER_INPUT that names the parameter */
function readParameters(search: URLSearchParams): Parameters {
  const format = search.get('format') ?? 'json';
  if (!isFormatName(format)) {
    const names = Object.keys(formats).join(', ');
    fail('UNKNOWN_FORMAT', `There is no format "${format.slice(0, 40)}". There are ${names}.`, { argument: 'format' });
  }
  const count = (argument: string, preset: number): number => {
    const given = search.get(argument);
    if (given === null) return preset;
    if (/^\d{1,10}$/.test(given) && Number(given) <= maxRow) return Number(given);
    return fail('BAD_USER_INPUT', `"${argument}" is "${given.slice(0, 40)}"; it takes 0 to ${maxRow}.`, { argument });
  };
  const partial = search.get('partial') ?? 'false';
  if (partial !== 'true' && partial !== 'false') {
    fail('BAD_USER_INPUT', `"partial" is "${partial.slice(0, 40)}"; it takes true or false.`, { argument: 'partial' });
  }
  return { format, offset: count('offset', 0), limit: count('limit', maxRow), partial: partial === 'true' };
}

/** @throws NOT_FOUND where the path is another one */
function jobIdOf({ pathname }: URL): string {
  const [, id] = /^\/jobs\/([^/]+)\/results$/.exec(pathname) ?? [];
  if (id === undefined)
    fail('NOT_FOUND', `There is nothing at ${pathname.slice(0, 200)}. Results are at /jobs/{id}/results.`);
  return decodePath(id);
}

/** The page that was read to see what there is, where it is asked for again. */
const withFirst =
  (page: ResultPage | undefined, at: number, read: (start: number, count: number) => Promise<ResultPage>) =>
  async (start: number, count: number): Promise<ResultPage> => {
    const first = start === at ? page : undefined;
    // It is taken once, and not kept for as long as the download goes on.
    page = undefined;
    return first ?? read(start, count);
  };

interface Ready {
  download: Download;
  /** Whether the job has ended: only then do the bytes stay what they are. */
  isWhole: boolean;
  tag: string;
  format: FormatName;
  jobId: string;
}

async function answer({ request, response }: Exchange, ready: Ready): Promise<void> {
  const { download, isWhole, tag, format, jobId } = ready;
  const { headers } = request;
  const etag = `"${tag}"`;
  const range = request.method === 'GET' && isWhole && isRange(headers.range) ? headers.range : undefined;
  // A part is always one of the plain bytes.
  const asksForPart = range !== undefined && (headers['if-range'] === undefined || headers['if-range'] === etag);
  const encoding = asksForPart ? undefined : chooseEncoding(headers['accept-encoding']);
  const sentTag = encoding === undefined ? etag : `"${tag}-${encoding}"`;

  appendVary(response, 'Authorization', 'Accept-Encoding');
  response.setHeader('cache-control', isWhole ? 'private, no-cache' : 'no-store');
  if (isWhole && namesTag(headers['if-none-match'], sentTag)) {
    response.setHeader('etag', sentTag);
    response.writeHead(304).end();
    return;
  }
  const part = asksForPart ? await partOf(range, download, response) : undefined;
  if (isWhole) response.setHeader('etag', sentTag);
  // Compressed bytes are made anew each time: there is no place to go on from.
  response.setHeader('accept-ranges', isWhole && encoding === undefined ? 'bytes' : 'none');
  response.setHeader('content-type', formats[format].mediaType);
  response.setHeader('content-disposition', `attachment; filename="job-${jobId}.${format}"`);
  if (encoding !== undefined) response.setHeader('content-encoding', encoding);
  else if (part) response.setHeader('content-length', part.end - part.start + 1);
  else if (download.knownSize !== undefined) response.setHeader('content-length', download.knownSize);
  response.statusCode = part ? 206 : 200;
  if (request.method === 'HEAD') response.end();
  else await sendBytes(download.bytes(part?.start, part?.end), encoding, response);
}

/** @throws RANGE_NOT_SATISFIABLE, ClientGone */
async function partOf(range: string, download: Download, response: ServerResponse) {
  const leave = new AbortController();
  const left = () => leave.abort(new ClientGone());
  response.once('close', left);
  const size = await download.size(leave.signal).finally(() => response.off('close', left));
  const part = rangeOf(range, size)!;
  if (part === 'unsatisfiable') {
    response.setHeader('content-range', `bytes */${size}`);
    return fail('RANGE_NOT_SATISFIABLE', `The download has ${size} bytes; the range begins behind them.`, {
      argument: 'Range',
      size,
    });
  }
  response.setHeader('content-range', `bytes ${part.start}-${part.end}/${size}`);
  return part;
}
