/**
 * Records what signed-in users do into the dataset `web_activity`, so that a fresh install has real data. Requests wait
 * in memory for at most a second and are dropped rather than slowing anybody down.
 */
import { isSignedIn, systemIdentity } from '../platform/identity.js';
import type { Logger } from '../platform/logging.js';
import type { GraphQLContext } from '../platform/subgraph.js';
import type { OnAnswered } from './http/graphql-route.js';
import type { RunOperation } from './internal-operations.js';

const flushEveryMs = 1_000;
const maxWaiting = 10_000;
const maxNames = 10_000;
const namesLiveMs = 600_000;

const viewerQuery = '{ viewer { org { slug } user { email } } }';
const ingestMutation =
  'mutation RecordActivity($input: IngestEventsInput!) { ingestEvents(input: $input) { accepted } }';

interface Names {
  domain: string;
  username: string | null;
}

export class ActivityRecorder {
  readonly #waiting = new Map<string, Record<string, unknown>[]>();
  readonly #names = new Map<string, { names: Promise<Names>; until: number }>();
  readonly #timer: NodeJS.Timeout;
  #count = 0;
  #flushing: Promise<void> = Promise.resolve();

  constructor(
    private readonly run: RunOperation,
    private readonly logger: Logger,
  ) {
    this.#timer = setInterval(() => this.flush(), flushEveryMs);
    this.#timer.unref();
  }

  /** Takes an answered request. */
  readonly record: OnAnswered = (exchange, { action, operation, responseMs }) => {
    const { identity, request, response, url, remoteIp } = exchange;
    if (!isSignedIn(identity) || this.#count >= maxWaiting) return;
    this.#count += 1;
    const row = {
      eventdate: new Date().toISOString(),
      action,
      operation,
      url: url.pathname,
      status: response.statusCode,
      response_ms: Math.round(responseMs * 1000) / 1000,
      ip: remoteIp,
      user_agent: request.headers['user-agent'],
      names: this.#namesOf({ identity, remoteIp }),
    };
    const rows = this.#waiting.get(identity.orgId) ?? [];
    rows.push(row);
    this.#waiting.set(identity.orgId, rows);
  };

  /** Writes what waits; resolves when it is stored or given up. */
  flush(): Promise<void> {
    const batches = [...this.#waiting];
    this.#waiting.clear();
    this.#count = 0;
    this.#flushing = this.#flushing.then(async () => {
      for (const [orgId, rows] of batches) await this.#write(orgId, rows);
    });
    return this.#flushing;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  async #write(orgId: string, rows: Record<string, unknown>[]): Promise<void> {
    try {
      const events = await Promise.all(
        rows.map(async ({ names, ...row }) => ({ ...row, ...(await (names as Promise<Names>)) })),
      );
      const input = { dataset: 'web_activity', events };
      await this.run(ingestMutation, { input }, { identity: systemIdentity(orgId, 'gateway'), remoteIp: null });
    } catch (error) {
      this.logger.warn({ error: String(error), lost: rows.length }, 'web_activity could not be written');
    }
  }

  #namesOf(context: GraphQLContext): Promise<Names> {
    const { orgId, subject } = context.identity!;
    const key = `${orgId}/${subject.id}`;
    const known = this.#names.get(key);
    if (known && known.until > Date.now()) return known.names;
    const names = this.run<{ viewer: { org: { slug: string }; user: { email: string } | null } }>(
      viewerQuery,
      {},
      context,
    ).then(({ viewer }) => ({ domain: viewer.org.slug, username: viewer.user?.email ?? null }));
    names.catch(() => this.#names.delete(key));
    if (this.#names.size >= maxNames) this.#names.delete(this.#names.keys().next().value!);
    this.#names.set(key, { names, until: Date.now() + namesLiveMs });
    return names;
  }
}
