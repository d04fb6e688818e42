/** One call of a receiver, in 5 seconds at most. */
import type { Resolver } from 'node:dns/promises';
import { type buildConnector, Client } from 'undici';
import type { CallbackAddresses } from './addresses.js';
import { AddressNotAllowed, createConnector, createResolver } from './connector.js';

/** From the look-up of the name to the end of the answer. */
const timeoutMs = 5_000;
/** How much of an answer is read, and dropped, so that a receiver can end it properly. */
const answerBytes = 65_536;

/** Why a call failed. */
export type CallbackError =
  | 'ADDRESS_NOT_ALLOWED'
  | 'CONNECTION_FAILED'
  | 'TLS_FAILED'
  | 'TIMED_OUT'
  | 'REDIRECTED'
  | 'REFUSED'
  | 'GONE';

export interface Answer {
  /** Null where there was none. */
  statusCode: number | null;
  /** Null for success. */
  error: CallbackError | null;
  retryAfter?: string | undefined;
}

export class CallbackSender {
  readonly #connect: buildConnector.connector;

  constructor(addresses: CallbackAddresses, resolver: Resolver = createResolver()) {
    this.#connect = createConnector(addresses, resolver, timeoutMs);
  }

  /**
   * Posts JSON. Settings of proxies do not count: they would dial what was not checked.
   * @throws the signal's reason when it is aborted
   */
  async send(url: string, headers: Record<string, string>, body: string, signal: AbortSignal): Promise<Answer> {
    const { origin, pathname, search } = new URL(url);
    // For this call alone: what is kept open for the next one was checked by the rules of this one.
    const client = new Client(origin, { connect: this.#connect, headersTimeout: 0, bodyTimeout: 0 });
    const timeout = AbortSignal.timeout(timeoutMs);
    const bounded = AbortSignal.any([signal, timeout]);
    try {
      const answer = await client.request({
        method: 'POST',
        path: pathname + search,
        headers: { ...headers, 'content-type': 'application/json', 'user-agent': 'Harborwatch' },
        body,
        signal: bounded,
        reset: true,
      });
      // The status is the answer; how its body ends changes nothing.
      await answer.body.dump({ limit: answerBytes, signal: bounded }).catch(() => {});
      const retryAfter = answer.headers['retry-after'];
      return {
        statusCode: answer.statusCode,
        error: errorOfStatus(answer.statusCode),
        retryAfter: [retryAfter].flat()[0],
      };
    } catch (error) {
      signal.throwIfAborted();
      return { statusCode: null, error: timeout.aborted ? 'TIMED_OUT' : errorOf(error) };
    } finally {
      await client.destroy();
    }
  }
}

function errorOfStatus(status: number): CallbackError | null {
  if (status >= 200 && status < 300) return null;
  if (status === 410) return 'GONE';
  return status >= 300 && status < 400 ? 'REDIRECTED' : 'REFUSED';
}

/** What OpenSSL says of certificates that it does not take. */
const ofCertificates = /^(CERT|CRL|UNABLE_TO|DEPTH_ZERO|SELF_SIGNED|INVALID_(CA|PURPOSE)|HOSTNAME_|ERR_(TLS|SSL))/;

function errorOf(error: unknown): CallbackError {
  if (error instanceof AddressNotAllowed) return 'ADDRESS_NOT_ALLOWED';
  const code = (error as NodeJS.ErrnoException | null)?.code ?? '';
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') return 'TIMED_OUT';
  return ofCertificates.test(code) ? 'TLS_FAILED' : 'CONNECTION_FAILED';
}
