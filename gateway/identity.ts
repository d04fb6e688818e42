/** From an `Authorization` value to an identity. */
import { fail } from '../platform/errors.js';
import type { Identity } from '../platform/identity.js';
import type { Tokens } from '../platform/tokens.js';

/**
 * Reads `Bearer <access token>`.
 * @param deadline when the answer must have gone out, in milliseconds since the epoch
 * @returns undefined where nothing was sent: some fields need no token
 * @throws UNAUTHENTICATED or TOKEN_EXPIRED
 */
export async function authenticate(
  tokens: Tokens,
  authorization: string | undefined,
  requestId: string,
  deadline: number,
): Promise<Identity | undefined> {
  if (authorization === undefined || authorization.trim() === '') return undefined;
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
