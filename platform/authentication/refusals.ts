/** Why a credential is refused, in the words and codes that its sender is told. */
import { errors } from 'jose';
import { fail } from '../errors.js';
import type { Identity } from '../identity.js';

/** How long a caller waits to be looked up while the database does not answer. */
export const lookUpMs = 3_000;

/** What is known of a caller whose credential is good: an identity without what belongs to one request. */
export type Access = Omit<Identity, 'requestId' | 'deadline'>;

/** What is wrong with a credential, in `extensions.reason` of UNAUTHENTICATED. */
export type RefusalReason = 'MALFORMED' | 'SIGNATURE' | 'NOT_YET_VALID' | 'AUDIENCE' | 'ISSUER' | 'KEY';

const messages: Record<RefusalReason, string> = {
  MALFORMED: 'The access token is not one: it is cut off or changed, or lacks something. Sign in again.',
  SIGNATURE: 'The signature of the access token is not right. Sign in again.',
  NOT_YET_VALID: 'The access token is not valid yet: check the clock of whoever issued it.',
  AUDIENCE: 'The access token is meant for another service.',
  ISSUER: 'The access token comes from an issuer that is not known here.',
  KEY: 'The access token is signed with a key that is not known here. Sign in again.',
};

/** @throws UNAUTHENTICATED with the reason */
export const refuse = (reason: RefusalReason, message = messages[reason]): never =>
  fail('UNAUTHENTICATED', message, { reason });

/** @throws TOKEN_EXPIRED */
export const refuseExpired = (what = 'access token'): never =>
  fail('TOKEN_EXPIRED', `The ${what} has expired. Refresh the session, sign in again or ask for a new one.`);

/** @throws TOKEN_REVOKED */
export const refuseRevoked = (): never =>
  fail('TOKEN_REVOKED', 'This access was ended, or its rights changed. Refresh the session or sign in again.');

/** Says what jose found wrong with a token; anything that is none of its verdicts is thrown as it is. */
export function refuseToken(error: unknown): never {
  if (error instanceof errors.JWTExpired) refuseExpired();
  if (error instanceof errors.JWTClaimValidationFailed) refuse(reasonOf(error));
  if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JOSEAlgNotAllowed) {
    refuse('SIGNATURE');
  }
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) refuse('KEY');
  const isMalformed = [errors.JWSInvalid, errors.JWTInvalid, errors.JOSENotSupported].some(
    (kind) => error instanceof kind,
  );
  if (isMalformed) refuse('MALFORMED');
  throw error;
}

function reasonOf({ claim, reason }: errors.JWTClaimValidationFailed): RefusalReason {
  if (reason === 'missing') return 'MALFORMED';
  if (claim === 'aud') return 'AUDIENCE';
  if (claim === 'iss') return 'ISSUER';
  return reason === 'check_failed' && (claim === 'nbf' || claim === 'iat') ? 'NOT_YET_VALID' : 'MALFORMED';
}
