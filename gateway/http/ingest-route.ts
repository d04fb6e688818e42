/** Bulk ingest: `POST /ingest/{dataset}` takes NDJSON, also gzipped, and goes through the graph's own `ingestEvents`. */
import { fail } from '../../platform/errors.js';
import { isSignedIn } from '../../platform/identity.js';
import type { RunOperation } from '../internal-operations.js';
import { readBody } from './body.js';
import type { OnAnswered } from './graphql-route.js';
import { decodePath, type Route, sendJson } from './listener.js';

const mutation = `mutation Ingest($input: IngestEventsInput!) {
  ingestEvents(input: $input) { accepted rejected { index code message field } batchId duplicate }
}`;

interface Receipt {
  accepted: number;
  rejected: { index: number; code: string; message: string; field: string | null }[];
  batchId: string;
  duplicate: boolean;
}

/** The routes below `/ingest/`. @param onAnswered is told of every request after its answer */
export function ingestRoute(run: RunOperation, bodyLimitBytes: number, onAnswered: OnAnswered): Route {
  return {
    path: '/ingest/',
    methods: ['POST'],
    authenticated: true,
    bodyLimitBytes,
    async handle(exchange) {
      const started = performance.now();
      const { request, response, url, identity, remoteIp } = exchange;
      if (!isSignedIn(identity)) fail('UNAUTHENTICATED', 'Send the access token as `Authorization: Bearer <token>`.');
      const dataset = decodePath(url.pathname.slice('/ingest/'.length));
      const lines = parseNdjson(await readBody(request, bodyLimitBytes));
      const input = { dataset, events: lines.events, batchId: url.searchParams.get('batchId') };
      const data = await run<{ ingestEvents: Receipt }>(mutation, { input }, { identity, remoteIp });
      const { rejected, accepted, ...receipt } = data.ingestEvents;
      const all = [
        ...lines.broken,
        ...rejected.map((item) => ({ ...item, line: lines.lineNumbers[item.index]! })),
      ].sort((a, b) => a.line - b.line);
      sendJson(response, 200, { accepted, rejected: all, ...receipt });
      onAnswered(exchange, { action: 'ingest', operation: dataset, responseMs: performance.now() - started });
    },
  };
}

interface Lines {
  events: unknown[];
  /** The line of each event, from 1. */
  lineNumbers: number[];
  broken: { index: null; line: number; code: string; message: string; field: null }[];
}

function parseNdjson(body: Buffer): Lines {
  const lines: Lines = { events: [], lineNumbers: [], broken: [] };
  const text = body.toString('utf8').replace(/^\uFEFF/, '');
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    try {
      lines.events.push(JSON.parse(line));
      lines.lineNumbers.push(index + 1);
    } catch {
      lines.broken.push({
        index: null,
        line: index + 1,
        code: 'EVENT_INVALID',
        message: 'The line is not JSON.',
        field: null,
      });
    }
  });
  return lines;
}
