/** The rules of callbacks: who sees them, how they are sent again, and what they are signed with. */
import { fail } from '../../../platform/errors.js';
import type { Identity } from '../../../platform/identity.js';
import type { CappedCount, PageRequest } from '../../../platform/paging.js';
import type { Tx } from '../../../platform/postgres/postgres.js';
import { recordAct } from '../../../platform/self-audit.js';
import { isUuid } from '../../../platform/uuid.js';
import { toSecretText } from '../callbacks/signature.js';
import { rotateKeys, type SigningKeys, signingKeys } from '../store/callback-secrets.js';
import {
  type CallbackFilters,
  type CallbackRow,
  type CallbackStore,
  lockCallback,
  restartCallback,
} from '../store/callbacks.js';

export type { CallbackRow };

/** Who asks, and from where. */
export interface Caller {
  identity: Identity;
  /** Null where the request did not come over a network. */
  remoteIp: string | null;
}

export interface CallbackSecret {
  /** As receivers take it. */
  secret: string;
  createdAt: string;
  previousExpiresAt: string | null;
}

export class CallbacksService {
  /** @param installationSecret API_KEY_SECRET; undefined where nobody set it, so that nothing can be signed */
  constructor(
    private readonly store: CallbackStore,
    private readonly installationSecret: string | undefined,
  ) {}

  async list(identity: Identity, filters: CallbackFilters, page: PageRequest): Promise<CallbackRow[]> {
    return this.store.list(identity, filters, page);
  }

  async count(identity: Identity, filters: CallbackFilters): Promise<CappedCount> {
    return this.store.count(identity, filters);
  }

  /** By the job's id. Jobs that have not ended, and those that nobody wanted to be told of, have none. */
  async findOfJobs(identity: Identity, jobIds: readonly string[]): Promise<Map<string, CallbackRow>> {
    const rows = await this.store.findOfJobs(identity, jobIds);
    return new Map(rows.map((row) => [row.jobId, row]));
  }

  /** Lets one that ended go again; one that has not is going already, and stays as it is. @throws NOT_FOUND */
  async resend({ identity, remoteIp }: Caller, givenId: string): Promise<CallbackRow> {
    const id = givenId.toLowerCase();
    return this.store.postgres.withOrg(identity, async (tx) => {
      const row = isUuid(id) ? await lockCallback(tx, id) : undefined;
      if (!row) return fail('NOT_FOUND', 'There is no callback with this id.', { argument: 'input.id' });
      if (row.status === 'PENDING') return row;
      const restarted = await restartCallback(tx, id);
      await recordAct(tx, identity, {
        op: 'job-callback.resend',
        module: 'jobs',
        class: 'jobCallback',
        instanceId: id,
        message: `Sent the callback of the job ${row.jobId} again.`,
        remoteIp,
        data: { jobId: row.jobId, previousStatus: row.status },
      });
      return restarted;
    });
  }

  /** Tells the secret, and writes down who asked. @throws SERVICE_UNAVAILABLE */
  async readSecret(caller: Caller): Promise<CallbackSecret> {
    return this.#withSecret(caller, signingKeys, 'callback-secret.read', 'Looked at the secret of callbacks.');
  }

  /** Makes a new secret; the one before signs beside it for 24 hours. @throws SERVICE_UNAVAILABLE */
  async rotateSecret(caller: Caller): Promise<CallbackSecret> {
    return this.#withSecret(caller, rotateKeys, 'callback-secret.rotate', 'Made a new secret of callbacks.');
  }

  async #withSecret(
    { identity, remoteIp }: Caller,
    take: (tx: Tx, orgId: string, installationSecret: string) => Promise<SigningKeys>,
    op: string,
    message: string,
  ): Promise<CallbackSecret> {
    const { installationSecret } = this;
    if (installationSecret === undefined) {
      return fail(
        'SERVICE_UNAVAILABLE',
        'This installation has no API_KEY_SECRET, so it signs and sends no callbacks.',
      );
    }
    return this.store.postgres.withOrg(identity, async (tx) => {
      const { current, createdAt, previousExpiresAt } = await take(tx, identity.orgId, installationSecret);
      const act = { op, module: 'jobs', class: 'callbackSecret', instanceId: null, message, remoteIp };
      await recordAct(tx, identity, { ...act, priority: 'SEC' });
      return { secret: toSecretText(current), createdAt, previousExpiresAt };
    });
  }
}
