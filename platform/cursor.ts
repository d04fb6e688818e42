/**
 * Paging cursors: opaque, signed, and bound to what they page over. A cursor of another organisation, list, filter or
 * sort order is refused, and so is one that was changed by hand.
 *
 * Form: base64url(`v1.<key id>.<payload>.<hmac>`), payload = base64url of the position as JSON.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { fail } from './errors.js';

/** What a cursor belongs to; all of it enters the signature. */
export interface CursorBinding {
  orgId: string;
  /** The list, such as `jobs` or `activityLog`. */
  list: string;
  /** Filters, sort order and the capability scope: anything that changes which rows the list has. */
  filters?: unknown;
}

/** The sort values of the row that the cursor stands at. */
export type Position = readonly (string | number | null)[];

export class Cursors {
  readonly #key: Buffer;
  readonly #keyId: string;

  /** @param key 64 hexadecimal digits */
  constructor(key: string) {
    this.#key = Buffer.from(key, 'hex');
    this.#keyId = createHash('sha256').update(this.#key).digest('hex').slice(0, 6);
  }

  /** The cursor that stands at a position. */
  encode(binding: CursorBinding, position: Position): string {
    const payload = Buffer.from(JSON.stringify(position)).toString('base64url');
    return Buffer.from(`v1.${this.#keyId}.${payload}.${this.#sign(binding, payload)}`).toString('base64url');
  }

  /** @throws INVALID_CURSOR for anything but a cursor that `encode` made for the same binding */
  decode(binding: CursorBinding, cursor: string, argument = 'after'): Position {
    const [version, keyId, payload, mac, ...rest] = Buffer.from(cursor, 'base64url').toString('latin1').split('.');
    const given = Buffer.from(mac ?? '', 'base64url');
    const right = payload === undefined ? undefined : Buffer.from(this.#sign(binding, payload), 'base64url');
    if (
      version !== 'v1' ||
      keyId !== this.#keyId ||
      rest.length > 0 ||
      right === undefined ||
      given.length !== right.length ||
      !timingSafeEqual(given, right)
    ) {
      fail(
        'INVALID_CURSOR',
        `The cursor in "${argument}" is not one of this list with these filters. Start again without it.`,
        { argument },
      );
    }
    return JSON.parse(Buffer.from(payload!, 'base64url').toString('utf8'));
  }

  #sign(binding: CursorBinding, payload: string): string {
    const bound = JSON.stringify([binding.orgId, binding.list, binding.filters ?? null, payload]);
    return createHmac('sha256', this.#key).update(bound).digest().subarray(0, 16).toString('base64url');
  }
}

/** A list's cursors: the signer and what they are bound to. */
export interface CursorContext {
  cursors: Cursors;
  binding: CursorBinding;
}
