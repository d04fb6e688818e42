/** The audit subgraph as its tests use it: through its GraphQL schema, on a database of its own. */
import { expect } from 'vitest';
import type { Capability, Identity } from '../../platform/identity.js';
import { createExecutor } from '../../platform/subgraph.js';
import { createTestPlatform, type TestPlatform } from '../../tests/setup/database.js';
import { audit } from './index.js';

interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into answers of many shapes
  data: any;
  errors: { code: unknown; argument: unknown; message: string }[];
}

export const writeMutation = `mutation ($input: WriteLogEntriesInput!) {
  writeLogEntries(input: $input) { accepted batchId duplicate rejected { index code message field } } }`;

const logQuery = (
  fields: string,
) => `query ($app: String!, $days: Int!, $who: String, $class: String, $instanceId: String,
    $first: Int, $after: String, $last: Int, $before: String) {
  activityLog(app: $app, days: $days, who: $who, class: $class, instanceId: $instanceId,
    first: $first, after: $after, last: $last, before: $before) { ${fields} } }`;

const debugQuery = (
  fields: string,
) => `query ($app: String!, $module: String!, $priority: Priority!, $days: Int, $traceId: ID, $who: String,
    $first: Int, $after: String, $last: Int, $before: String) {
  debugLog(app: $app, module: $module, priority: $priority, days: $days, traceId: $traceId, who: $who,
    first: $first, after: $after, last: $last, before: $before) { ${fields} } }`;

const startedMs = Date.now();

/** A moment before the start of the tests, in milliseconds. */
export const at = (secondsAgo: number): string => new Date(startedMs - secondsAgo * 1_000).toISOString();

export class TestAudit {
  private constructor(readonly test: TestPlatform) {}

  static async start(): Promise<TestAudit> {
    return new TestAudit(await createTestPlatform());
  }

  readonly #executor = createExecutor(audit, audit.create(this.test.platform), this.test.platform.logger);
  /** Administrators of two organisations. */
  readonly admin = this.test.orgs[0];
  readonly stranger = this.test.orgs[1];

  /** The administrator with other capabilities. */
  as(...capabilities: Capability[]): Identity {
    return { ...this.admin, capabilities };
  }

  reader(scope: Omit<Capability, 'action'> = {}): Identity {
    return this.as({ action: 'audit:read', ...scope });
  }

  async ask(identity: Identity, query: string, variables: Record<string, unknown> = {}): Promise<Answer> {
    const result = await this.#executor.execute({ query, variables }, { identity, remoteIp: null });
    const errors = (result.errors ?? []).map(({ message, extensions: { code, argument } }) => ({
      code,
      argument,
      message,
    }));
    return { data: JSON.parse(JSON.stringify(result.data ?? null)), errors };
  }

  /** Writes, and answers the receipt. */
  async write(identity: Identity, input: object): Promise<Answer['data']> {
    const { data, errors } = await this.ask(identity, writeMutation, { input });
    expect(errors).toEqual([]);
    return data.writeLogEntries;
  }

  /** `activityLog` with these fields, of the last 30 days where nothing else is asked. */
  async log(identity: Identity, variables: object, fields = 'nodes { id }'): Promise<Answer> {
    return this.ask(identity, logQuery(fields), { days: 30, ...variables });
  }

  /** `debugLog` with these fields, of the module `web` at every priority where nothing else is asked. */
  async debugLog(identity: Identity, variables: object, fields = 'nodes { id }'): Promise<Answer> {
    return this.ask(identity, debugQuery(fields), { module: 'web', priority: 'DEBUG2', ...variables });
  }

  /** The ids that `debugLog` answers. */
  async debugIds(identity: Identity, variables: object): Promise<string[]> {
    const { data, errors } = await this.debugLog(identity, variables);
    expect(errors).toEqual([]);
    return data.debugLog.nodes.map(({ id }: { id: string }) => id);
  }

  /** The ids that `activityLog` answers. */
  async ids(identity: Identity, variables: object): Promise<string[]> {
    const { data, errors } = await this.log(identity, variables);
    expect(errors).toEqual([]);
    return data.activityLog.nodes.map(({ id }: { id: string }) => id);
  }

  close(): Promise<void> {
    return this.test.close();
  }
}
