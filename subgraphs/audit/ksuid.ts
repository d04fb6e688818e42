/** Ids for entries that come without one: KSUIDs, as LogHarbour's clients make them. */
import { randomBytes } from 'node:crypto';

const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** KSUIDs count seconds from 13 May 2014. */
const epochSeconds = 1_400_000_000;

/** 27 characters that sort by the second they were made in. */
export function newKsuid(nowMs: number): string {
  const bytes = randomBytes(20);
  bytes.writeUInt32BE(Math.max(0, Math.floor(nowMs / 1_000) - epochSeconds));
  let rest = BigInt(`0x${bytes.toString('hex')}`);
  let text = '';
  while (text.length < 27) {
    text = digits[Number(rest % 62n)] + text;
    rest /= 62n;
  }
  return text;
}
