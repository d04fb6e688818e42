/** From an `Authorization` value to an identity. */
import { fail } from '../platform/errors.js';
import type { Identity } from '../platform/identity.js';
import type { Tokens } from '../platform/tokens.js';

/**
 * Reads `Bearer <access token>`.
 * @param deadline when the answer must have gone out, in milliseconds since the epoch
 * @param isRequired refuses callers who send nothing
 * @returns undefined where nothing was sent: some fields need no token
 * @throws UNAUTHENTICATED or TOKEN_EXPIRED
 */
export async function authenticate(
  tokens: Tokens,
  authorization: string | undefined,
  requestId: string,
  deadline: number,
  isRequired = false,
): Promise<Identity | undefined> {
  if (authorization === undefined || authorization.trim() === '') {
    if (!isRequired) return undefined;
    fail('UNAUTHENTICATED', 'This gateway takes signed-in callers only: send `Authorization: Bearer <access token>`.');
  }
  const token = /^Bearer +(\S+)$/i.exec(authorization.trim())?.[1];
  if (token === undefined) fail('UNAUTHENTICATED', 'The Authorization header takes `Bearer <access token>`.');
  const claims = await tokens.verify(token);
  return {
    orgId: claims.orgId,
    subject: { kind: 'USER', id: claims.userId, userId: claims.userId },
    capabilities: claims.capabilities,
    tier: claims.tier,
    requestId,
    deadline,
    expiresAtMs: claims.expiresAtMs,
  };
}
